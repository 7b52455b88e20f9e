"""What all gates share: strict JSON types, how a wrong body is told, and `check`.

Beside each check stands what JSON Schema calls it (`Like`), from which `document` describes the bodies; a test holds
the two against each other.

A gate refuses only what the gateway reads and cannot use, the ranges that the reference names, and wrong JSON types of
known fields; null is absent. What no provider would take may still be the provider's 400.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from marshmallow import INCLUDE, Schema, ValidationError, fields

_ROLE = re.compile(r"[a-z_]{1,32}")

MOST_TOKENS = 2**31 - 1
"""Largest output limit: more than any model can say, and a number that every provider can read."""

MOST_NAMES = 32
MOST_TOOLS = 2_048
"""Tools in one request."""

Found = str | dict[Any, Any] | None
"""What is wrong with a value: words, or by member or place what is wrong there; None if nothing."""

Check = Callable[[Any], Found]

Like = dict[str, Any]
"""A JSON Schema, or keywords of one, that says the same as a check."""

_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", dict: "object", list: "array"}
ROLE: Like = {"type": "string", "pattern": f"^{_ROLE.pattern}$"}
TEXT: Like = {"type": "string"}
OBJECT: Like = {"type": "object"}
TEXTS: Like = {"items": TEXT}


class Wrong(ValueError):
    """A body does not fit: the field, as the caller would write it, and what it must be."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param
        self.message = message


class WireSchema(Schema):
    """A gate for the vendors' bodies: unknown fields are none of our business.

    LIKE: what a body must be beyond what its fields say.
    """

    LIKE: ClassVar[Like] = {}

    class Meta:
        unknown = INCLUDE

    def validate(self, data: Any, **_: Any) -> dict[str, Any]:
        """As marshmallow's, for what a gate is: fields of their own, that are checked and not made into anything."""
        wrong: dict[str, Any] = {}
        for name, field in self.load_fields.items():
            if name in data:
                try:
                    field.deserialize(data[name], name, data)
                except ValidationError as error:
                    wrong[name] = error.messages
            elif field.required:
                wrong[name] = [field.error_messages["required"]]
        return wrong


class Json(fields.Field[Any]):
    """A field of one JSON type, or of several; null is absent. test: further conditions, in `words` for the caller ·
    inside: looks into a value that fits so far · like: what `test` and `inside` demand, as keywords of JSON Schema
    · nested: a form may name the members of an object one by one."""

    nested = False

    def __init__(
        self,
        *types: type,
        words: str,
        test: Callable[[Any], bool] | None = None,
        inside: Check | None = None,
        required: bool = False,
        like: Like | None = None,
    ) -> None:
        super().__init__(required=required, allow_none=not required)
        self.types = types
        self.words = words
        self.test = test
        self.inside = inside
        self.like = {"type": typed(*types, null=not required), **(like or {})}
        self.error_messages.update(required=f"must be {words}", null=f"must be {words}")

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        if type(value) not in self.types or (self.test is not None and not self.test(value)):
            raise ValidationError(f"must be {self.words}")
        wrong = self.inside(value) if self.inside is not None else None
        if wrong is not None:
            raise ValidationError(wrong)
        return value


def typed(*types: type, null: bool = False) -> str | list[str]:
    """JSON's names of types, as JSON Schema takes them: a number may be an integer."""
    names = [_NAMES[kind] for kind in types if not (kind is int and float in types)] + ["null"] * null
    return names if len(names) > 1 else names[0]


def ranged(low: float, high: float | None = None) -> Like:
    return {"minimum": low} if high is None else {"minimum": low, "maximum": high}


def whole(low: int, high: int | None = None, *, required: bool = False) -> Json:
    """A JSON integer in a range."""
    words = f"an integer from {low} to {high}" if high is not None else f"an integer of at least {low}"
    return Json(
        int, words=words, test=lambda value: value >= low and (high is None or value <= high), required=required,
        like=ranged(low, high),
    )  # fmt: skip


def number(low: float, high: float) -> Json:
    words = f"a number from {low:g} to {high:g}"
    return Json(int, float, words=words, test=lambda value: low <= value <= high, like=ranged(low, high))


def text(*, required: bool = False) -> Json:
    if not required:
        return Json(str, words="a string")
    return Json(
        str, words="a string that is not empty", test=lambda value: value != "", required=True, like={"minLength": 1}
    )


def flag() -> Json:
    return Json(bool, words="true or false")


def obj() -> Json:
    return Json(dict, words="an object")


def array(words: str = "an array", most: int | None = None) -> Json:
    if most is None:
        return Json(list, words=words)
    return Json(list, words=words, test=lambda value: len(value) <= most, like={"maxItems": most})


def texts(words: str = "an array of strings") -> Json:
    return Json(list, words=words, test=lambda value: all(type(one) is str for one in value), like=TEXTS)


def names() -> Json:
    """The gateway's own `models`: those to fall back to."""
    return Json(
        list,
        words=f"an array of at most {MOST_NAMES} model names",
        test=lambda value: len(value) <= MOST_NAMES and all(type(one) is str and one for one in value),
        like={"maxItems": MOST_NAMES, "items": {"type": "string", "minLength": 1}},
    )


def stops() -> Json:
    """Stop sequences as OpenAI takes them."""
    return Json(
        str,
        list,
        words="a string or an array of strings",
        test=lambda value: type(value) is str or all(type(word) is str for word in value),
        like=TEXTS,
    )


def messages(each: Check, like: Like) -> Json:
    """A conversation, which is not empty. like: says the same of one message."""
    return Json(
        list, words="an array of at least one message", test=bool, inside=every(each), required=True,
        like={"minItems": 1, "items": like},
    )  # fmt: skip


def tools(each: Check, like: Like) -> Json:
    """Tools: objects. like: says the same of one."""
    words = f"an array of at most {MOST_TOOLS} tools"
    return Json(
        list, words=words, test=lambda value: len(value) <= MOST_TOOLS, inside=every(an_object(each)),
        like={"maxItems": MOST_TOOLS, "items": like},
    )  # fmt: skip


def every(check: Check) -> Check:
    """Whether all in an array pass; the first that does not is told by its place."""

    def inside(value: Any) -> Found:
        for place, one in enumerate(value):
            wrong = check(one)
            if wrong is not None:
                return {place: wrong}
        return None

    return inside


def an_object(check: Check) -> Check:
    """Whether a value is an object that passes."""
    return lambda value: check(value) if type(value) is dict else "must be an object"


class File(fields.Field[Any]):
    """A file in a form, by what it is called and holds; no JSON value is one."""

    like: ClassVar[Like] = {"type": "null", "description": "In a form only: the file."}
    types: tuple[type, ...] = ()
    default_error_messages = dict.fromkeys(("required", "null", "invalid"), "must be one file in a multipart form")

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        if not hasattr(value, "filename"):
            raise self.make_error("invalid")
        return value


def file() -> File:
    return File(allow_none=True)


def texts_or_tokens() -> Json:
    """A text, texts, token ids, or lists of token ids; no list of them may be empty."""

    def test(value: Any) -> bool:
        if type(value) is str:
            return True
        kinds = set(map(type, value))
        return kinds in ({str}, {int}) or (kinds == {list} and all(set(map(type, one)) == {int} for one in value))

    words = "a string, an array of strings, of token ids, or of arrays of token ids, and not empty"
    tokens: Like = {"type": "array", "minItems": 1, "items": {"type": "integer"}}
    kinds = ({"type": "string"}, {"type": "integer"}, tokens)
    like = {"minItems": 1, "anyOf": [{"items": kind} for kind in kinds]}
    return Json(str, list, words=words, test=test, required=True, like=like)


def where(member: str, value: str, then: Like) -> Like:
    """Keywords: an object whose member has this value is like `then`."""
    return {"if": {"required": [member], "properties": {member: {"const": value}}}, "then": then}


def having(**members: Like) -> Like:
    """Keywords: an object has these members, and they are so."""
    return {"required": list(members), "properties": members}


def check(schema: Schema, values: Mapping[str, Any]) -> None:
    """Hold a body against its gate. Raises Wrong for the first field that does not fit."""
    errors = schema.validate(values)
    if errors:
        param, message = _first(errors)
        raise Wrong(param, message)


def _first(errors: Any, path: str = "") -> tuple[str, str]:
    if isinstance(errors, dict):
        name, inner = next(iter(errors.items()))
        here = f"{path}[{name}]" if isinstance(name, int) else f"{path}.{name}" if path else str(name)
        return _first(inner, here)
    return path, str(errors[0] if isinstance(errors, list) else errors)


def role(value: Any) -> bool:
    """Whether a role is a word that a provider could know."""
    return isinstance(value, str) and _ROLE.fullmatch(value) is not None
