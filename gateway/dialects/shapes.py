"""JSON values as they come and go: read by their shape, leniently, and written compactly.

A reader gives None, or nothing, for a value of another shape: whoever is asked next may refuse it.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import orjson

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_MOST_SHORT = 255


def text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def whole(value: Any) -> int | None:
    """An integer; true and false are none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def count(value: Any) -> int | None:
    """A count that can be believed: a whole number from 0 on."""
    found = whole(value)
    return found if found is not None and found >= 0 else None


def members(value: Any) -> dict[str, Any]:
    """An object; {} for what is none."""
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    """An array; [] for what is none."""
    return value if isinstance(value, list) else []


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects in an array."""
    return [one for one in listed(value) if isinstance(one, dict)]


def words(value: Any) -> tuple[str, ...]:
    """The strings in an array."""
    return tuple(one for one in listed(value) if isinstance(one, str))


def clean(text: str, most: int) -> str:
    """A provider's text that can be stored and sent: no half and no control characters, at most so many bytes."""
    text = _CONTROL.sub(" ", text[:most])
    return text.encode("utf-8", "ignore")[:most].decode("utf-8", "ignore")


def short(value: Any) -> str | None:
    """A provider's short text, such as an id, as it can be stored."""
    return clean(value, _MOST_SHORT) if isinstance(value, str) else None


def word(value: Any) -> str | None:
    """A provider's name for something, such as a reason to end: a word, whatever it is, and nothing else."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def arguments(text: str) -> dict[str, Any]:
    """A call's arguments as an object; text that is none is kept under one name, so that nothing is lost."""
    if not text.strip():
        return {}
    try:
        found = strictly(text)
    except (ValueError, RecursionError):
        found = text
    return found if isinstance(found, dict) else {"arguments": found}


def strictly(text: str) -> Any:
    """What JSON text holds; NaN and the like are no JSON. Raises ValueError, RecursionError."""
    return json.loads(text, parse_constant=_refuse)


def _refuse(word: str) -> NoReturn:
    raise ValueError(word)


def dumps(value: Any) -> str:
    """A value as compact JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def loads(raw: str) -> dict[str, Any]:
    """An object that `dumps` has written."""
    found: dict[str, Any] = json.loads(raw)
    return found


def packed(value: Any) -> bytes:
    """A value as compact JSON in UTF-8; half a character, which may stand escaped in JSON, becomes a question mark."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:  # half a character, or an integer of more than 64 bits
        return dumps(value).encode("utf-8", "replace")
