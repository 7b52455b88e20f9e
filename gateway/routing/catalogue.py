"""The models that can be called here, by their public names.

A route names its legs itself. Any other name is `namespace/model`: each enabled channel of that namespace that lists
the model, or lists `*`, is a leg.
"""

from __future__ import annotations

import re

from ..call import Channel
from ..providers import sandbox
from .channels import Snapshot

NAME = re.compile(r"(?!.*(?:\.\.|//))[A-Za-z0-9][A-Za-z0-9._:@+/-]{0,199}")
"""What a name behind `*` may look like: it ends up in URLs and logs."""


def serves(channel: Channel, model: str) -> bool:
    """Whether a channel takes this upstream name."""
    if channel.provider == "sandbox":
        return sandbox.knows(model)
    if channel.models is None:
        return NAME.fullmatch(model) is not None
    return model in channel.models


def legs(snapshot: Snapshot, model: str) -> list[tuple[Channel, str]]:
    """(channel, upstream model) for each way to serve a public name, unordered; [] for a name that nobody serves."""
    if model in snapshot.routes:
        named = ((snapshot.by_id.get(channel_id), upstream) for channel_id, upstream in snapshot.routes[model])
        return [(channel, upstream) for channel, upstream in named if channel is not None]
    namespace, slash, upstream = model.partition("/")
    if not slash:
        return []
    return [(channel, upstream) for channel in snapshot.by_namespace.get(namespace, ()) if serves(channel, upstream)]


def owner(model: str) -> str:
    """Who stands behind a public name: its namespace, or nobody but the route."""
    namespace, slash, _ = model.partition("/")
    return namespace if slash else "route"


def listed(snapshot: Snapshot) -> list[str]:
    """All names that can be listed, sorted. What stands behind a `*` is not known by name."""
    found: set[str] = set()
    for channel in snapshot.by_id.values():
        names = sandbox.FIXED if channel.provider == "sandbox" else channel.models or ()
        found.update(f"{channel.namespace}/{name}" for name in names)
    for model, route in snapshot.routes.items():
        if any(channel_id in snapshot.by_id for channel_id, _ in route):
            found.add(model)
    return sorted(found)
