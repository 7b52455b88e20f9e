"""JSON schemas as structured output takes them, of Claude's vendor and of Bedrock.

Both want every object closed and know no bounds (https://platform.claude.com/docs/en/build-with-claude/
structured-outputs, https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html). Closing an object
that was left open only makes the answer narrower; bounds are told in the description, where the model reads them.
"""

from __future__ import annotations

import json
from typing import Any

_BOUNDS = (
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems",
    "uniqueItems", "minProperties", "maxProperties",
)  # fmt: skip
_MAPS = ("properties", "$defs", "definitions", "patternProperties")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")
_MOST_DEPTH = 64


def closed(schema: Any, depth: int = 0) -> Any:
    """A schema with its objects closed and its bounds in words."""
    if not isinstance(schema, dict) or depth > _MOST_DEPTH:
        return schema
    made: dict[str, Any] = {}
    bounds: dict[str, Any] = {}
    for name, value in schema.items():
        if name in _BOUNDS or (name == "minItems" and value not in (0, 1)):
            bounds[name] = value
        elif name in _MAPS and isinstance(value, dict):
            made[name] = {key: closed(inner, depth + 1) for key, inner in value.items()}
        elif name in _LISTS and isinstance(value, list):
            made["anyOf" if name == "oneOf" else name] = [closed(inner, depth + 1) for inner in value]
        elif name == "items":
            made[name] = closed(value, depth + 1)
        else:
            made[name] = value
    kind = made.get("type")
    if kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in made:
        made.setdefault("additionalProperties", False)
    if bounds:
        told = json.dumps(bounds, ensure_ascii=False)
        made["description"] = f"{made['description']} {told}" if isinstance(made.get("description"), str) else told
    return made
