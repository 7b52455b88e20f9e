"""The fields of a form as the values of a body: `name[]`, `name[0]` and names that come again are lists, `name[word]`
is a member of an object, and what the gate wants as a number, a flag or an object is read as one. What cannot be read
so stays text, for the gate to refuse.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from schemas.base import Json, WireSchema

from ..bodies import Upload
from ..splice import BadJson, guard

_LISTED = re.compile(r"(.+?)\[[0-9]{0,4}\]")
_MEMBER = re.compile(r"([a-z_]{1,64})\[([a-z_]{1,64})\]")
_WHOLE = re.compile(r"-?[0-9]{1,15}")
_NUMBER = re.compile(r"-?(?:[0-9]{1,15}(?:\.[0-9]{1,15})?|\.[0-9]{1,15})")
_FLAGS = {"true": True, "false": False}


def values(schema: WireSchema, parts: Iterable[tuple[str, str | Upload]]) -> dict[str, Any]:
    """The values of a form's parts. A field that comes once is a list only if its name says so, or its gate takes
    nothing else."""
    found: dict[str, list[Any]] = {}
    listed: set[str] = set()
    objects: dict[str, dict[str, Any]] = {}
    for name, value in parts:
        member = _MEMBER.fullmatch(name)
        if member is not None and not isinstance(value, Upload) and _only_objects(schema.fields.get(member[1])):
            objects.setdefault(member[1], {})[member[2]] = int(value) if _WHOLE.fullmatch(value) else value
            continue
        match = _LISTED.fullmatch(name)
        name = match[1] if match else name
        if match:
            listed.add(name)
        found.setdefault(name, []).append(value if isinstance(value, Upload) else _read(schema.fields.get(name), value))
    return objects | {
        name: several if len(several) > 1 or name in listed or _only_lists(schema.fields.get(name)) else several[0]
        for name, several in found.items()
    }


def _only_objects(field: Any) -> bool:
    return isinstance(field, Json) and (field.types == (dict,) or field.nested)


def _only_lists(field: Any) -> bool:
    return isinstance(field, Json) and field.types == (list,)


def _read(field: Any, text: str) -> Any:
    kinds = field.types if isinstance(field, Json) else (str,)
    if str in kinds or kinds == (list,):
        return text
    if bool in kinds and text.lower() in _FLAGS:
        return _FLAGS[text.lower()]
    if int in kinds and _WHOLE.fullmatch(text):
        return int(text)
    if float in kinds and _NUMBER.fullmatch(text):
        return float(text)
    if dict in kinds and text.startswith("{"):
        try:
            return guard(text.encode("utf-8", "surrogatepass")).values
        except BadJson:
            return text
    return text
