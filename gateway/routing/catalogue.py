"""The models that can be called here, by their public names.

A route names its legs itself. A model of the book is served by each enabled channel whose provider offers it, under
that provider's own name for it. Any other name is `namespace/model`: each enabled channel of that namespace that lists
the model, or lists `*`, is a leg.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from .. import book
from ..call import Channel
from ..providers import sandbox
from ..providers.registry import KINDS
from .channels import Snapshot

NAME = re.compile(r"(?!.*(?:\.\.|//))[A-Za-z0-9][A-Za-z0-9._:@+/-]{0,199}")
"""What a name behind `*` may look like: it ends up in URLs and logs."""


def serves(channel: Channel, model: str) -> bool:
    """Whether a channel takes this upstream name."""
    if channel.provider == "sandbox":
        return sandbox.knows(model)
    if channel.models is not None:
        return model in channel.models
    return NAME.fullmatch(model) is not None or book.current().offer(channel.provider, model) is not None


def canonical(snapshot: Snapshot, model: str) -> str:
    """The id of the model that a public name means; the name itself if it is a route's, or in no book."""
    found = None if model in snapshot.routes else book.current().find(model)
    return found.model.id if found is not None else model


def names(snapshot: Snapshot, model: str) -> tuple[str, str]:
    """Both names of what a public name means: as it was written, and the model's id, also where a host is named with
    its own word for it (`groq/llama-3.3-70b-versatile`)."""
    here = book.current()
    if model in snapshot.routes:
        return model, model
    known = here.find(model)
    if known is not None:
        return model, known.model.id
    offered = (here.offer(channel.provider, upstream) for channel, upstream in legs(snapshot, model))
    return model, next((one[0].id for one in offered if one is not None), model)


def legs(snapshot: Snapshot, model: str) -> list[tuple[Channel, str]]:
    """(channel, upstream model) for each way to serve a public name, unordered; [] for a name that nobody serves."""
    if model in snapshot.routes:
        named = ((snapshot.by_id.get(channel_id), upstream) for channel_id, upstream in snapshot.routes[model])
        return [(channel, upstream) for channel, upstream in named if channel is not None]
    found: dict[str, tuple[Channel, str]] = {}
    known = book.current().find(model)
    if known is not None:
        for offer in known.model.offers:
            for channel in snapshot.by_provider.get(offer.provider, ()):
                upstream = _offered(channel, known, offer)
                if upstream is not None:
                    found[channel.id] = (channel, upstream)
    namespace, slash, rest = model.partition("/")
    if slash:
        for channel in snapshot.by_namespace.get(namespace) or _of_kind(snapshot, namespace):
            upstream = _own_name(channel, rest)
            if channel.id not in found and serves(channel, upstream):
                found[channel.id] = (channel, upstream)
    return list(found.values())


def _offered(channel: Channel, known: book.Found, offer: book.Offer) -> str | None:
    """What a channel is asked for, of all that its provider calls a model: what it lists, else the usual name."""
    named = known.name_at(offer)
    if channel.models is None or named is None:
        return named
    if known.pinned is not None:
        return named if named in channel.models else None
    return next((name for name in offer.names if name in channel.models), None)


def _of_kind(snapshot: Snapshot, kind: str) -> tuple[Channel, ...]:
    """The channels of a vendor, for whoever names the vendor instead of the author (`xai/grok-4`)."""
    return snapshot.by_provider.get(kind, ()) if kind in KINDS and not KINDS[kind].generic else ()


def _own_name(channel: Channel, name: str) -> str:
    """The provider's own name for what was named behind its namespace, in whatever spelling."""
    here = book.current()
    if channel.provider not in here.providers or here.offer(channel.provider, name) is not None:
        return name
    known = here.find(name)
    offer = known.model.at(channel.provider) if known is not None else None
    return (known.name_at(offer) if known is not None and offer is not None else None) or name


def owner(model: str) -> str:
    """Who stands behind a public name: its author or namespace, or nobody but the route."""
    namespace, slash, _ = model.partition("/")
    return namespace if slash else "route"


def listed(snapshot: Snapshot) -> list[str]:
    """All names that can be listed, sorted. Of what stands behind a `*` the names are listed that the book knows, or
    that the channel was heard to serve."""
    found: set[str] = set()
    for channel in snapshot.by_id.values():
        names = sandbox.FIXED if channel.provider == "sandbox" else channel.models or ()
        heard = snapshot.heard.get(channel.id, ()) if channel.models is None else ()
        known = {name for name in names if book.current().offer(channel.provider, name) is not None}
        found.update(f"{channel.namespace}/{name}" for name in (*names, *heard) if name not in known)
    for model in book.current().models.values():
        for offer in model.offers:
            channels = snapshot.by_provider.get(offer.provider, ())
            if any(channel.models is None or set(offer.names) & set(channel.models) for channel in channels):
                found.add(model.id)
                break
    for name, route in snapshot.routes.items():
        if any(channel_id in snapshot.by_id for channel_id, _ in route):
            found.add(name)
    return sorted(found)


def matches(snapshot: Snapshot, pattern: str) -> bool:
    """Whether any model that can be called now has a name that matches a pattern; of what stands behind a `*`, whether
    one could."""
    if any(fnmatchcase(name, pattern) for name in (*listed(snapshot), *snapshot.routes)):
        return True
    literal = re.split(r"[*?[]", pattern, maxsplit=1)[0]
    if literal == pattern:
        return bool(legs(snapshot, pattern))
    open_ended = (f"{c.namespace}/" for c in snapshot.by_id.values() if c.models is None)
    return any(literal.startswith(begin) or begin.startswith(literal) for begin in open_ended)
