"""Gemini's two spellings: camelCase as Google writes, snake_case as Google reads too. Clients mix them at any depth."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_UNDERSCORE = re.compile(r"(?<=[a-z0-9])_([a-z0-9])")
_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")


def camel(name: str) -> str:
    """A name as Google writes it."""
    return _UNDERSCORE.sub(lambda match: match[1].upper(), name) if "_" in name else name


def snake(name: str) -> str:
    """A name as Google reads it too."""
    return _CAPITAL.sub(lambda match: "_" + match[1].lower(), name)


def level(value: Any) -> dict[str, Any]:
    """The members of one object by their camelCase names, without nulls; {} for what is no object."""
    if not isinstance(value, Mapping):
        return {}
    return {camel(name): inner for name, inner in value.items() if inner is not None}


def spelled(values: Mapping[str, Any], name: str) -> str:
    """How a member is written here, `name` being its camelCase; that where it is not there."""
    other = snake(name)
    return other if values.get(name) is None and values.get(other) is not None else name


def several(value: Any) -> list[Any]:
    """A repeated field: Google takes a single object for a list of one."""
    return value if isinstance(value, list) else [value] if isinstance(value, Mapping) else []
