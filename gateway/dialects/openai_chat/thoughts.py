"""Thoughts in Chat's many spellings, and the seals by which they find their way back.

`reasoning_content` (DeepSeek, z.ai, Moonshot), `reasoning` (Groq, Ollama, Cerebras), `reasoning_details` beside it
(OpenRouter: https://openrouter.ai/docs/use-cases/reasoning-tokens), or `{"type": "thinking"}` parts in `content`
(Mistral). Providers refuse each other's spelling in a request, and some insist on their own coming back. So the thought
of a Chat provider gets a seal even where the provider gave none: the name that it came under, or its items of
`reasoning_details` without their text. A request takes thoughts with such a seal only.

Clients get `reasoning_content` for those who just show it, and `reasoning_details` for those who send it back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...neutral.parts import Reasoning, Seal
from .. import seals

NAME = "chat"
FIELDS = ("reasoning_content", "reasoning")
"""Names of a thought's plain text in a message or delta."""

THINKING = "thinking"
"""The name of a thought that is a part of `content`."""

DETAILS = "reasoning_details"
TEXT, _SUMMARY, _ENCRYPTED = "reasoning.text", "reasoning.summary", "reasoning.encrypted"
_TOKENS = {TEXT: "signature", _SUMMARY: "signature", _ENCRYPTED: "data"}
_BARE = frozenset({"type", "index", "signature", "data"})

Items = list[dict[str, Any]]


def parse(message: Mapping[str, Any]) -> list[Reasoning]:
    """The thoughts of a message, but for those in its content."""
    found = [thought(group) for group in _grouped(item for item in items(message) if tells(item))]
    told = plain(message)
    if told is None or any(part.text for part in found):
        return found
    if sum(not part.redacted for part in found) == 1:  # the client has kept text and signature apart
        return [part if part.redacted else replace(part, text=told.text) for part in found]
    return [told, *found]


def plain(message: Mapping[str, Any]) -> Reasoning | None:
    """The thought in a message or delta that has just a name: under which name or names is its seal."""
    texts = {name: message[name] for name in FIELDS if isinstance(message.get(name), str) and message[name]}
    if not texts:
        return None
    text = next(iter(texts.values()))
    return Reasoning(text=text, seal=named([name for name in texts if texts[name] == text]))


def named(names: Iterable[str]) -> Seal:
    """The seal of a thought that a provider has not sealed."""
    return Seal(origin=NAME, value="+".join(names))


def items(message: Mapping[str, Any]) -> Items:
    """The `reasoning_details` of a message or delta."""
    found = message.get("reasoning_details")
    if not isinstance(found, list):
        return []
    return [item for item in found if isinstance(item, dict) and str(item.get("type")) in _TOKENS]


def tells(item: Mapping[str, Any]) -> bool:
    """Whether an item has a text or a seal, or is a summary that may yet get one."""
    if isinstance(item.get("summary"), str):
        return True
    return any(isinstance(item.get(name), str) and item[name] for name in ("text", "signature", "data"))


def _grouped(found: Iterable[dict[str, Any]]) -> Iterator[Items]:
    """The items that make one thought each: a client may have kept every delta for itself."""
    group: Items = []
    for item in found:
        if group and not continues(group, item):
            yield group
            group = []
        group.append(item)
    if group:
        yield group


def continues(group: Items, item: Mapping[str, Any]) -> bool:
    """Whether an item belongs to the thought of those before it: more of the same, or what seals it."""
    first = group[0]
    if item.get("index") is None or item.get("index") != first.get("index"):
        return False
    return bool(item["type"] == group[-1]["type"] or item["type"] == _ENCRYPTED)


def text_in(item: Mapping[str, Any]) -> str:
    """The text of one item."""
    text = item.get("summary" if item.get("type") == _SUMMARY else "text")
    return text if isinstance(text, str) else ""


def thought(group: Items) -> Reasoning:
    """The thought that these items make."""
    kept: Items = []
    for item in group:
        rest = {
            name: value for name, value in item.items() if name not in ("text", "summary") and value not in (None, "")
        }
        if kept and kept[-1]["type"] == rest["type"]:
            kept[-1].update(rest)
        else:
            kept.append(rest)
    kind = group[0]["type"]
    return Reasoning(
        text="".join(map(text_in, group)), summary=kind == _SUMMARY, redacted=kind == _ENCRYPTED, seal=_seal(kept)
    )


def _seal(kept: Items) -> Seal | None:
    """What items tell beside their text: a lone signature as it is, else all of it."""
    tokens = [item[name] for item in kept for name in ("signature", "data") if isinstance(item.get(name), str)]
    if tokens and (tokens[0].startswith(seals.MARK) or not any(item.keys() - _BARE for item in kept)):
        return seals.unwrap(tokens[0], NAME)
    if any(item.keys() - _BARE for item in kept):
        return Seal(origin=NAME, value=json.dumps(kept, ensure_ascii=False, sort_keys=True, separators=(",", ":")))
    return None


def details(part: Reasoning, place: int) -> Items:
    """A whole thought as items, the `place`-th of its message."""
    found = ending(part, part.seal, place) if part.seal is not None else []
    if part.redacted:
        return found
    start = beginning(part, part.text, place)
    if found and found[0]["type"] == start["type"]:
        return [{**found[0], **start}, *found[1:]]
    return [start, *found] if part.text or found else []


def beginning(part: Reasoning, text: str, place: int) -> dict[str, Any]:
    """Text of a thought as an item."""
    if part.summary:
        return {"type": _SUMMARY, "summary": text, "index": place}
    return {"type": TEXT, "text": text, "index": place}


def ending(part: Reasoning, seal: Seal, place: int) -> Items:
    """What follows a thought's text: its seal as items."""
    if seal.origin == NAME:
        own = _own(seal.value)
        if own or _is_name(seal.value):
            return own
    kind = _ENCRYPTED if part.redacted or part.summary else TEXT
    return [{"type": kind, _TOKENS[kind]: seals.wrap(seal, NAME), "index": place}]


def _own(value: str) -> Items:
    """A seal's items, if it is made of some."""
    if not value.startswith("["):
        return []
    try:
        found = json.loads(value)
    except ValueError:
        return []
    good = isinstance(found, list) and all(
        isinstance(item, dict) and str(item.get("type")) in _TOKENS for item in found
    )
    return found if good else []


def _is_name(value: str) -> bool:
    return value == THINKING or all(name in FIELDS for name in value.split("+"))


def render(parts: Iterable[Reasoning], message: dict[str, Any], taken: tuple[str, ...] | None = None) -> Items:
    """Give thoughts back to a Chat provider: into a message's fields, or as parts of its content.

    taken: the names under which it takes them; None for those that they came under. One that came under another name
    goes under the first, as text.
    """
    content: Items = []
    for place, part in enumerate(parts):
        if part.seal is None or part.seal.origin != NAME:
            continue
        for name in _names(part.seal.value, taken):
            if name == THINKING:
                content.append({"type": THINKING, THINKING: [{"type": "text", "text": part.text}]})
            elif name == DETAILS:
                message.setdefault(DETAILS, []).extend(details(part, place))
            elif part.text:
                message[name] = message.get(name, "") + part.text
    return content


def _names(value: str, taken: tuple[str, ...] | None) -> tuple[str, ...]:
    """Where a thought with this seal goes."""
    came = tuple(value.split("+")) if _is_name(value) else (DETAILS,)
    if taken is None:
        return came
    return tuple(name for name in came if name in taken) or taken[:1]
