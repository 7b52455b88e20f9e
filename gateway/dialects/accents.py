"""What a provider refuses of a dialect that it speaks otherwise, taken out of a body or said in its own way.

The one place for it, whether the body is the client's own or was rendered: `losses` for what is told before, `spoken`
for what is sent. Which provider has which accent is known to `providers.profiles`; a body without what it is about
keeps every byte.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..call import Accent
from ..splice import Scan, edit, scan
from .shapes import dumps, listed

_PLAIN = Accent()
_TURNS = ("messages", "input")
_FIT = re.compile("[A-Za-z0-9]+")
_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"


def losses(values: Mapping[str, Any], accent: Accent) -> Iterator[str]:
    """The fields of a body that mean something and are lost."""
    yield from (name for name in accent.unknown if values.get(name) is not None)
    for name in accent.in_messages:
        if any(message.get(name) not in (None, "", []) for turns in _TURNS for message in _messages(values, turns)):
            yield f"messages.{name}"


def spoken(body: bytes, accent: Accent) -> bytes:
    """A body as the provider takes it."""
    if accent == _PLAIN:
        return body
    found = scan(body)
    changes = _changes(found, accent)
    return edit(found, changes) if changes else body


def _changes(found: Scan, accent: Accent) -> dict[str, str | None]:
    values = found.values
    changes: dict[str, str | None] = {name: None for name in (*accent.unknown, *accent.needless) if name in values}
    for name, theirs in accent.renamed:
        if name in values:
            changes[name] = None
            if values.get(theirs) is None:
                changes[theirs] = found.raw(name)
    for turns in _TURNS:
        given = listed(values.get(turns))
        made = [_message(message, accent) if isinstance(message, dict) else message for message in given]
        if made != given:
            changes[turns] = dumps(made)
    return changes


def _messages(values: Mapping[str, Any], turns: str) -> Iterator[dict[str, Any]]:
    return (message for message in listed(values.get(turns)) if isinstance(message, dict))


def _message(message: dict[str, Any], accent: Accent) -> dict[str, Any]:
    made = {name: value for name, value in message.items() if name not in accent.in_messages}
    if made.get("role") == "developer" and not accent.developer:
        made["role"] = "system"
    if accent.call_ids is not None:
        if isinstance(made.get("tool_call_id"), str):
            made["tool_call_id"] = _fitted(made["tool_call_id"], accent.call_ids)
        if isinstance(made.get("tool_calls"), list):
            made["tool_calls"] = [
                {**call, "id": _fitted(call["id"], accent.call_ids)}
                if isinstance(call, dict) and isinstance(call.get("id"), str)
                else call
                for call in made["tool_calls"]
            ]
    return made


def _fitted(given: str, length: int) -> str:
    """A call's id in the letters that are wanted: the same for the same, and none of its own for what fits."""
    if len(given) == length and _FIT.fullmatch(given):
        return given
    number = int.from_bytes(hashlib.sha256(given.encode("utf-8", "replace")).digest())
    made = ""
    for _ in range(length):
        number, place = divmod(number, len(_LETTERS))
        made += _LETTERS[place]
    return made
