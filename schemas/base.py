"""What all gates share: strict JSON types, how a wrong body is told, and `check`.

A gate refuses only what the gateway reads and cannot use, the ranges that the reference names, and wrong JSON types of
known fields; null is absent. What no provider would take may still be the provider's 400.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields

_ROLE = re.compile(r"[a-z_]{1,32}")

MOST_NAMES = 32
MOST_TOOLS = 2_048
"""Tools in one request."""

Found = str | dict[Any, Any] | None
"""What is wrong with a value: words, or by member or place what is wrong there; None if nothing."""

Check = Callable[[Any], Found]


class Wrong(ValueError):
    """A body does not fit: the field, as the caller would write it, and what it must be."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param
        self.message = message


class WireSchema(Schema):
    """A gate for the vendors' bodies: unknown fields are none of our business."""

    class Meta:
        unknown = INCLUDE


class Json(fields.Field[Any]):
    """A field of one JSON type, or of several; null is absent. test: further conditions, in `words` for the caller ·
    inside: looks into a value that fits so far."""

    def __init__(
        self,
        *types: type,
        words: str,
        test: Callable[[Any], bool] | None = None,
        inside: Check | None = None,
        required: bool = False,
    ) -> None:
        super().__init__(required=required, allow_none=not required)
        self.types = types
        self.words = words
        self.test = test
        self.inside = inside
        self.error_messages.update(required=f"must be {words}", null=f"must be {words}")

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> Any:
        if type(value) not in self.types or (self.test is not None and not self.test(value)):
            raise ValidationError(f"must be {self.words}")
        wrong = self.inside(value) if self.inside is not None else None
        if wrong is not None:
            raise ValidationError(wrong)
        return value


def whole(low: int, high: int | None = None) -> Json:
    """A JSON integer in a range."""
    words = f"an integer from {low} to {high}" if high is not None else f"an integer of at least {low}"
    return Json(int, words=words, test=lambda value: value >= low and (high is None or value <= high))


def number(low: float, high: float) -> Json:
    return Json(int, float, words=f"a number from {low:g} to {high:g}", test=lambda value: low <= value <= high)


def text(*, required: bool = False) -> Json:
    return Json(str, words="a string", test=(lambda value: value != "") if required else None, required=required)


def flag() -> Json:
    return Json(bool, words="true or false")


def obj() -> Json:
    return Json(dict, words="an object")


def array(words: str = "an array", most: int | None = None) -> Json:
    return Json(list, words=words, test=(lambda value: len(value) <= most) if most else None)


def texts(words: str = "an array of strings") -> Json:
    return Json(list, words=words, test=lambda value: all(type(one) is str for one in value))


def names() -> Json:
    """The gateway's own `models`: those to fall back to."""
    return Json(
        list,
        words=f"an array of at most {MOST_NAMES} model names",
        test=lambda value: len(value) <= MOST_NAMES and all(type(one) is str and one for one in value),
    )


def stops() -> Json:
    """Stop sequences as OpenAI takes them."""
    return Json(
        str,
        list,
        words="a string or an array of strings",
        test=lambda value: type(value) is str or all(type(word) is str for word in value),
    )


def messages(each: Check) -> Json:
    """A conversation, which is not empty."""
    return Json(list, words="an array of at least one message", test=bool, inside=every(each), required=True)


def tools(each: Check) -> Json:
    """Tools: objects."""
    words = f"an array of at most {MOST_TOOLS} tools"
    return Json(list, words=words, test=lambda value: len(value) <= MOST_TOOLS, inside=every(an_object(each)))


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


def texts_or_tokens() -> Json:
    """A text, texts, token ids, or lists of token ids; no list of them may be empty."""

    def test(value: Any) -> bool:
        if type(value) is str:
            return True
        kinds = set(map(type, value))
        return kinds in ({str}, {int}) or (kinds == {list} and all(set(map(type, one)) == {int} for one in value))

    words = "a string, an array of strings, of token ids, or of arrays of token ids, and not empty"
    return Json(str, list, words=words, test=test, required=True)


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
