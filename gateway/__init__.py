"""An AI gateway that a team runs for itself.

One exchange walks through five questions, and each is a room: may they (`access`), where to (`routing`), in which
words (`dialects`), what does it cost (`billing`), do it (`relay`). `docs/house.md` is the map.
"""

__version__ = "0.1.0"
