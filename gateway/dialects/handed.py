"""What a model has shown before, for dialects whose assistants only speak: Claude's refuses an image in its own turn
(«'image' blocks are not permitted within assistant turns»), Responses knows its pictures by their ids only. The user
hands it back in the message that follows, as Chat's clients do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..neutral.parts import Media
from ..neutral.request import Message


def handed(messages: Iterable[Message]) -> tuple[Message, ...]:
    """The messages with the media of assistants' turns in front of what the user says next, behind the results of
    calls; where he says nothing, in a message of their own."""
    found: list[Message] = []
    held: list[Media] = []

    def give() -> None:
        if held:
            found.append(Message(role="user", parts=tuple(held)))
            held.clear()

    for message in messages:
        if held and message.role == "user":
            message = replace(message, parts=(*held, *message.parts))
            held.clear()
        elif message.role == "assistant":
            give()
            held += [part for part in message.parts if isinstance(part, Media)]
            message = replace(message, parts=tuple(part for part in message.parts if not isinstance(part, Media)))
            if not message.parts and held:
                continue
        found.append(message)
    give()
    return tuple(found)
