"""What an odd provider offers: one that a row alone cannot describe, since it has its own paths, bodies or signatures.

Such a provider is a module with these functions, named in `pool`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import requests

from ..call import Channel, Outbound, Wire

Exchange = Callable[[str, str, Mapping[str, str], bytes | None], tuple[int, Mapping[str, str], bytes]]
"""Method, URL, headers and body of a request on the way; status, headers and body of its answer. Raises Fault."""


class Odd(Protocol):
    def prepare(self, outbound: Outbound) -> Outbound:
        """A request as this provider takes it. Raises Fault for what it does not offer."""
        ...

    def sign(self, request: requests.PreparedRequest, channel: Channel, exchange: Exchange) -> None:
        """Put onto a finished request what says who asks. May wait; raises Fault."""
        ...

    def unwrap(self, wire: Wire, outbound: Outbound) -> Wire:
        """An answer as the dialect reads it."""
        ...

    def flaw(self, secret: str) -> str | None:
        """Why a key can be none of this provider's, or what must be installed for it; for the operator."""
        ...
