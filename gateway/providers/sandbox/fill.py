"""JSON that fits a JSON Schema (draft 2020-12, the part that tools and output formats use), drawn from a prompt.

Numbers and quoted or capitalised words of the prompt are used in order, so that arguments look like what was asked.
A schema may ask for more than anybody wants to wait for: there is a budget.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

_DEEPEST = 24
_MOST_VALUES = 5_000
_MOST_CHARACTERS = 200_000
_FORMATS = {
    "date": "2026-01-31", "time": "12:00:00Z", "date-time": "2026-01-31T12:00:00Z", "email": "user@example.com",
    "uri": "https://example.com/", "uuid": "00000000-0000-4000-8000-000000000000", "hostname": "example.com",
    "ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "duration": "PT1H",
}  # fmt: skip


class TooMuch(ValueError):
    """The smallest value that fits the schema is too large."""


class Prompt:
    """What a prompt offers to copy, and how much may still be made of it."""

    def __init__(self, text: str) -> None:
        self.text = text = text[:10_000]
        self._numbers = [float(found) for found in re.findall(r"-?\d{1,15}(?:\.\d{1,9})?", text)][:64]
        quoted = re.findall(r'"([^"\n]{1,200})"|“([^”\n]{1,200})”', text)
        names = re.findall(r"(?<=[a-z,:;] )[A-Z]\w{1,30}(?: [A-Z]\w{1,30}){0,5}", text)
        self._words = [a or b for a, b in quoted] + names
        self._values, self._characters = _MOST_VALUES, _MOST_CHARACTERS

    def spend(self, characters: int = 0) -> None:
        """Count one more value, or so many characters of one. Raises TooMuch."""
        self._values -= not characters
        self._characters -= characters
        if self._values < 0 or self._characters < 0:
            raise TooMuch

    def number(self) -> float | None:
        return self._numbers.pop(0) if self._numbers else None

    def word(self) -> str | None:
        return self._words.pop(0) if self._words else None


def fill(schema: Mapping[str, Any] | bool, prompt: Prompt) -> Any:
    """A value that fits `schema`. Raises TooMuch."""
    return _fill(schema, schema if isinstance(schema, dict) else {}, prompt, 0)


def _fill(schema: Any, root: Mapping[str, Any], prompt: Prompt, depth: int) -> Any:
    prompt.spend()
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return {} if schema is True else None
    schema = _resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        said = [value for value in schema["enum"] if isinstance(value, str) and value.lower() in prompt.text.lower()]
        return (said or schema["enum"])[0]
    kind = _kind(schema, depth)
    if kind == "object":
        return _object(schema, root, prompt, depth)
    if kind == "array":
        return _array(schema, root, prompt, depth)
    if kind in ("integer", "number"):
        return _number(schema, kind, prompt)
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    return _string(schema, prompt)


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with `$ref` followed, `allOf` merged and the first branch of `anyOf` or `oneOf` taken."""
    found = dict(schema)
    for _ in range(_DEEPEST):
        if isinstance(found.get("$ref"), str):
            target: Any = root
            for step in found.pop("$ref").lstrip("#").strip("/").split("/"):
                step = step.replace("~1", "/").replace("~0", "~")
                target = target.get(step, {}) if isinstance(target, dict) and step else target
            found = {**(target if isinstance(target, dict) else {}), **found}
        elif isinstance(found.get("allOf"), list):
            for branch in found.pop("allOf"):
                if isinstance(branch, dict):
                    part = _resolved(branch, root)
                    properties = {**found.get("properties", {}), **part.get("properties", {})}
                    required = [*found.get("required", []), *part.get("required", [])]
                    found = {**part, **found}
                    if properties:
                        found.update(properties=properties, required=required)
        elif isinstance(found.get("anyOf"), list) or isinstance(found.get("oneOf"), list):
            branches = found.pop("anyOf", None) or found.pop("oneOf", None) or []
            found.pop("oneOf", None)
            branches = [branch for branch in branches if isinstance(branch, dict)]
            branch = next((branch for branch in branches if branch.get("type") != "null"), (branches or [{}])[0])
            found = {**found, **branch}
        else:
            break
    return found


def _kind(schema: Mapping[str, Any], depth: int) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((word for word in kind if word != "null"), "null")
    if isinstance(kind, str):
        return kind.lower()
    if "properties" in schema or "required" in schema or depth == 0:
        return "object"
    return "array" if "items" in schema else "string"


def _object(schema: Mapping[str, Any], root: Mapping[str, Any], prompt: Prompt, depth: int) -> dict[str, Any]:
    properties = schema.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    required = [name for name in schema.get("required") or () if isinstance(name, str)]
    wanted = required or [name for name in properties if depth < 2]
    made = {name: _fill(properties.get(name, {"type": "string"}), root, prompt, depth + 1) for name in wanted}
    extra = schema.get("additionalProperties")
    for place in range(len(made), int(schema.get("minProperties") or 0)):
        made[f"key{place}"] = _fill(extra if isinstance(extra, dict) else {"type": "string"}, root, prompt, depth + 1)
    return made


def _array(schema: Mapping[str, Any], root: Mapping[str, Any], prompt: Prompt, depth: int) -> list[Any]:
    prefix = [_fill(inner, root, prompt, depth + 1) for inner in schema.get("prefixItems") or ()]
    least = max(int(schema.get("minItems") or 0), 1 if depth < 4 else 0)
    most = schema.get("maxItems")
    count = min(least, most) if isinstance(most, int) else least
    items = schema.get("items", {"type": "string"})
    while len(prefix) < count:
        value = _fill(items, root, prompt, depth + 1)
        if schema.get("uniqueItems") and value in prefix:
            value = f"{value} {len(prefix) + 1}" if isinstance(value, str) else (value or 0) + len(prefix)
        prefix.append(value)
    return prefix


def _number(schema: Mapping[str, Any], kind: str, prompt: Prompt) -> int | float:
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    step = schema.get("multipleOf") or 0
    if isinstance(schema.get("exclusiveMinimum"), int | float):
        low = max(low, schema["exclusiveMinimum"] + (1 if kind == "integer" else 1e-6))
    if isinstance(schema.get("exclusiveMaximum"), int | float):
        high = min(high, schema["exclusiveMaximum"] - (1 if kind == "integer" else 1e-6))
    value = prompt.number()
    value = min(max(1.0 if value is None else value, low), high)
    if step:
        value = math.ceil(value / step) * step
        value = value if value <= high else math.floor(high / step) * step
    return int(value) if kind == "integer" or value == int(value) else value


def _string(schema: Mapping[str, Any], prompt: Prompt) -> str:
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    if isinstance(schema.get("pattern"), str):
        return _matching(schema["pattern"], prompt)
    text = prompt.word() or prompt.text.strip().split("\n")[0][:80] or "text"
    least, most = schema.get("minLength") or 0, schema.get("maxLength")
    prompt.spend(int(least) + len(text))
    text = text.ljust(int(least), ".")
    return text[: int(most)] if isinstance(most, int) else text


def _matching(pattern: str, prompt: Prompt) -> str:
    """A string for a simple pattern: literals, classes, groups and counts; for others the best that was found."""
    import re._parser as parser  # type: ignore[import-not-found]  # the standard library's own reading of patterns

    def walk(tokens: Any) -> str:
        out = ""
        for op, value in tokens:
            name = str(op)
            if name == "LITERAL":
                out += chr(value)
            elif name == "IN":
                out += _one_of(value)
            elif name in ("MAX_REPEAT", "MIN_REPEAT"):
                once, times = walk(value[2]), max(value[0], min(1, value[1]))
                prompt.spend(1 + len(once) * times)
                out += once * times
            elif name == "SUBPATTERN":
                out += walk(value[3])
            elif name == "BRANCH":
                out += walk(value[1][0])
            elif name in ("ANY", "NOT_LITERAL"):
                out += "x" if name == "ANY" or value != ord("x") else "y"
        return out

    try:
        return walk(parser.parse(pattern[:1_000]))
    except (re.error, OverflowError):
        return "text"


def _one_of(members: Any) -> str:
    negated = str(members[0][0]) == "NEGATE"
    for op, value in members:
        name = str(op)
        if negated:
            continue
        if name == "LITERAL":
            return chr(value)
        if name == "RANGE":
            return chr(value[0])
        if name == "CATEGORY":
            return {"CATEGORY_DIGIT": "1", "CATEGORY_SPACE": " ", "CATEGORY_WORD": "a"}.get(str(value), "-")
    refused = {value for op, value in members if str(op) == "LITERAL"}
    return next(c for c in "axz019 -_.#" if ord(c) not in refused)
