"""Gemini's own schemas, a subset of OpenAPI's with upper-case types, as JSON Schema.

https://ai.google.dev/api/caching#Schema. The other way round is never needed: Gemini takes real JSON Schema in
`parametersJsonSchema` and `responseJsonSchema`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .spelling import camel

_INNER = frozenset({"items", "additionalProperties", "not"})
_LISTS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_NAMED = {"properties": "properties", "defs": "$defs", "$defs": "$defs"}
_COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
"""64-bit numbers, which may come as text."""

_LEFT = frozenset({"propertyOrdering", "nullable"})


def json_schema(schema: Any) -> dict[str, Any]:
    """The JSON Schema that a schema of Gemini's means; {} for what is none."""
    if not isinstance(schema, Mapping):
        return {}
    made: dict[str, Any] = {}
    for spelled, value in schema.items():
        name = camel(spelled)
        if value is None or name in _LEFT:
            continue
        if name == "type" and isinstance(value, str):
            if value != "TYPE_UNSPECIFIED":
                made["type"] = value.lower()
        elif name == "ref":
            made["$ref"] = value
        elif name == "format" and value == "enum":
            continue  # it only repeats that there is an enum
        elif name in _INNER:
            made[name] = json_schema(value) if isinstance(value, Mapping) else value
        elif name in _LISTS and isinstance(value, list):
            made[name] = [json_schema(inner) for inner in value]
        elif name in _NAMED and isinstance(value, Mapping):
            made[_NAMED[name]] = {key: json_schema(inner) for key, inner in value.items()}
        elif name in _COUNTS and isinstance(value, str) and value.isdecimal() and len(value) < 20:
            made[name] = int(value)
        else:
            made[name] = value
    if schema.get("nullable") is True:
        _allow_null(made)
    return made


def _allow_null(made: dict[str, Any]) -> None:
    if isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
        if isinstance(made.get("enum"), list) and None not in made["enum"]:
            made["enum"] = [*made["enum"], None]
    elif isinstance(made.get("anyOf"), list):
        made["anyOf"] = [*made["anyOf"], {"type": "null"}]
