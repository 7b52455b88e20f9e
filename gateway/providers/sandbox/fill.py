"""JSON that fits a JSON Schema (draft 2020-12, the part that tools and output formats use), drawn from a prompt.

Numbers and quoted or capitalised words of the prompt are used in order, so that arguments look like what was asked.
A schema may ask for more than anybody wants to wait for, or for a value that never ends: there is a budget, and each
choice knows how many levels it needs to come to an end. `not`, `if`, `contains` and the like are not read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import chain, count, islice, product
from typing import Any, NamedTuple
from urllib.parse import unquote

_DEEPEST = 64
_EAGER = 2
"""Levels on which optional members are given and long branches taken; below them all comes to its end."""
_MOST_VALUES = 5_000
_MOST_CHARACTERS = 200_000
_MOST_LOOKS = 200_000
"""Keywords read: which branches there are, whether one ends, what a member must fit."""
_MOST_WAYS = 64
_LARGEST = 10**308
_FORMATS = {
    "date": ("{}-01-31", 2026), "time": ("12:00:{:02}Z", 0), "date-time": ("{}-01-31T12:00:00Z", 2026),
    "email": ("user{}@example.com", 1), "uri": ("https://example.com/{}", 1), "hostname": ("host{}.example.com", 1),
    "uuid": ("00000000-0000-4000-8000-{:012x}", 0), "ipv4": ("192.0.2.{}", 1), "ipv6": ("2001:db8::{:x}", 1),
    "duration": ("PT{}H", 1),
}  # fmt: skip
"""Of each format a pattern with one number in it, and the number to begin with."""
_FEW = 50
_KINDS = ("object", "array", "string", "number", "integer", "boolean", "null")
_NOTHING: Any = object()
_TEXT = {"type": "string"}

Schemas = tuple[Any, ...]
"""Schemas that one value must fit at once."""


class TooMuch(ValueError):
    """No value fits the schema, or none that is small enough."""


class Way(NamedTuple):
    """One way to fit a schema: a kind of value and all schemas that it must fit, with every branch chosen.

    kind: a JSON type, or `listed` where the values are named one by one.
    """

    kind: str
    schemas: tuple[Mapping[str, Any], ...]


class Prompt:
    """What a prompt offers to copy, and how much may still be made of it."""

    def __init__(self, text: str) -> None:
        self.text = text = text[:10_000]
        self._numbers = [Fraction(found) for found in re.findall(r"-?\d{1,15}(?:\.\d{1,9})?", text)][:64]
        quoted = re.findall(r'"([^"\n]{1,200})"|“([^”\n]{1,200})”', text)
        names = re.findall(r"(?<=[a-z,:;] )[A-Z]\w{1,30}(?: [A-Z]\w{1,30}){0,5}", text)
        self._words = [a or b for a, b in quoted] + names
        self._values, self._characters = _MOST_VALUES, _MOST_CHARACTERS

    def spend(self, characters: int = 0) -> None:
        """Count one more value, or so many characters of one. Raises TooMuch."""
        self._values -= not characters
        self._characters -= characters
        if self._values < 0 or self._characters < 0:
            raise TooMuch("the smallest value that fits is too large")

    def number(self) -> Fraction | None:
        return self._numbers.pop(0) if self._numbers else None

    def word(self) -> str | None:
        return self._words.pop(0) if self._words else None


def fill(schema: Mapping[str, Any] | bool, prompt: Prompt) -> Any:
    """A value that fits `schema`: a lifelike one, or the smallest where that would be too large. Raises TooMuch."""
    try:
        try:
            return _Maker(schema, prompt, _EAGER).one()
        except TooMuch:
            return _Maker(schema, Prompt(prompt.text), 0).one()
    except RecursionError as error:
        raise TooMuch("it is nested too deeply") from error


class _Maker:
    """Makes values of one root schema."""

    def __init__(self, root: Any, prompt: Prompt, eager: int) -> None:
        self._root, self._prompt, self._eager = root, prompt, eager
        self._looks = _MOST_LOOKS
        self._ways: dict[tuple[int, ...], list[Way]] = {}
        self._ending: dict[tuple[int, ...], int] = {}
        self._endless: dict[tuple[int, ...], int] = {}

    def one(self) -> Any:
        value = next(self._values((self._root,), 0), _NOTHING)
        if value is _NOTHING:
            raise TooMuch(f"no value fits that ends within {_DEEPEST} levels")
        return value

    def _look(self, keywords: int = 1) -> None:
        self._looks -= keywords
        if self._looks < 0:
            raise TooMuch("it has too many branches")

    # Branches

    def _ways_of(self, schemas: Schemas) -> list[Way]:
        """All ways to fit these schemas at once, in the order in which they are written."""
        key = tuple(map(id, schemas))
        if key not in self._ways:
            found: list[Schemas] = [()]
            for schema in schemas:
                found = self._both(found, self._branches(schema, frozenset()))
            self._ways[key] = [Way(kind, taken) for taken in found for kind in self._kinds(taken)]
        return self._ways[key]

    def _branches(self, schema: Any, above: frozenset[int]) -> list[Schemas]:
        """What must be fitted at once for one schema, a list for each choice of branches in it."""
        self._look()
        if schema is False or id(schema) in above:
            return []  # a schema that refers to itself and nothing else has no value
        if not isinstance(schema, dict):
            return [()]
        above |= {id(schema)}
        found: list[Schemas] = [(schema,)]
        if isinstance(schema.get("$ref"), str):
            found = self._both(found, self._branches(self._target(schema["$ref"]), above))
        for one in _list(schema, "allOf"):
            found = self._both(found, self._branches(one, above))
        for word in ("anyOf", "oneOf"):
            if _list(schema, word):
                choices = [taken for one in _list(schema, word) for taken in self._branches(one, above)]
                found = self._both(found, choices)
        return found

    def _both(self, some: list[Schemas], others: list[Schemas]) -> list[Schemas]:
        found = []
        for a, b in islice(product(some, others), _MOST_WAYS):
            self._look(len(a) + len(b))
            found.append(tuple({id(one): one for one in a + b}.values()))
        return found

    def _target(self, ref: str) -> Any:
        target = self._root
        for step in ref.lstrip("#").strip("/").split("/"):
            step = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(target, dict) and step:
                target = target.get(step, True)
            elif isinstance(target, list) and step.isdecimal() and int(step) < len(target):
                target = target[int(step)]
        return target

    def _kinds(self, schemas: tuple[Mapping[str, Any], ...]) -> list[str]:
        """The kinds of value that all these schemas allow; one likely kind where none is said."""
        if any("const" in schema or _list(schema, "enum") for schema in schemas):
            return ["listed"]
        said = [_types(schema) for schema in schemas if _types(schema)]
        if said:
            wide = [word for words in said for word in words]
            return [word for word in dict.fromkeys(wide) if all(_allows(words, word) for words in said)]
        members = {word for schema in schemas for word in schema}
        if members & {"properties", "required"} or any(schema is self._root for schema in schemas):
            return ["object"]
        return ["array"] if members & {"items", "prefixItems"} else ["string"]

    # Ends

    def _ends(self, schemas: Schemas, room: int) -> bool:
        """Whether a value of at most `room` levels fits."""
        key = tuple(map(id, schemas))
        if room >= self._ending.get(key, _DEEPEST + 1):
            return True
        if room <= self._endless.get(key, 0):
            return False
        found = any(self._ends_as(way, room) for way in self._ways_of(schemas))
        (self._ending if found else self._endless)[key] = room
        return found

    def _ends_as(self, way: Way, room: int) -> bool:
        self._look()
        if room < 1:
            return False
        if way.kind == "object":
            required = _required(way)
            self._look(len(required) * len(way.schemas))
            return all(self._ends(self._member(way, name), room - 1) for name in required)
        if way.kind == "array":
            least = min(_least(way, "minItems"), _prefix(way) + 1)
            self._look(least * len(way.schemas))
            return all(self._ends(self._item(way, place), room - 1) for place in range(least))
        return True

    def _levels(self, way: Way, room: int) -> int:
        return next(levels for levels in range(1, room + 1) if self._ends_as(way, levels))

    # Values

    def _values(self, schemas: Schemas, depth: int) -> Iterator[Any]:
        """Values that fit, the likeliest first; more of them for who needs distinct ones."""
        self._prompt.spend()
        room = _DEEPEST - depth
        ways = [way for way in self._ways_of(schemas) if self._ends_as(way, room)]
        if len(ways) > 1:
            if depth < self._eager:
                ways.sort(key=lambda way: way.kind == "null")
            else:
                ways.sort(key=lambda way: (self._levels(way, room), way.kind == "null"))
        for way in ways:
            yield from self._values_as(way, depth)

    def _values_as(self, way: Way, depth: int) -> Iterator[Any]:
        match way.kind:
            case "listed":
                return iter(self._listed(way))
            case "object":
                return self._objects(way, depth)
            case "array":
                return self._arrays(way, depth)
            case "integer" | "number":
                return _numbers(way, self._prompt)
            case "boolean":
                return iter((True, False))
            case "null":
                return iter((None,))
            case _:
                return _strings(way, self._prompt)

    def _listed(self, way: Way) -> list[Any]:
        lists = [[schema["const"]] for schema in way.schemas if "const" in schema]
        lists += [schema["enum"] for schema in way.schemas if _list(schema, "enum")]
        self._look(sum(map(len, lists)))
        marks = [{_mark(value) for value in values} for values in lists]
        found = [value for value in lists[0] if all(_mark(value) in one for one in marks)]
        for words in filter(None, map(_types, way.schemas)):
            found = [value for value in found if any(_is(value, word) for word in words)]
        text = self._prompt.text.lower()
        return sorted(found, key=lambda value: not (isinstance(value, str) and value and value.lower() in text))

    def _member(self, way: Way, name: str) -> Schemas:
        """What the member of this name must fit."""
        found: list[Any] = []
        for schema in way.schemas:
            properties, patterns = _map(schema, "properties"), _map(schema, "patternProperties")
            if name in properties:
                found.append(properties[name])
            elif patterns:
                found.append(next(iter(patterns.values())))
            elif "additionalProperties" in schema:
                found.append(schema["additionalProperties"])
        return tuple(found) or (_TEXT,)

    def _objects(self, way: Way, depth: int) -> Iterator[dict[str, Any]]:
        required = _required(way)
        needed = set(required)
        named = {name: None for schema in way.schemas for name in _map(schema, "properties")}
        self._look(len(required) + len(named))
        optional = [name for name in named if name not in needed]
        most, least = _most(way, "maxProperties"), _least(way, "minProperties")
        liked = optional[:most] if not required and depth < self._eager else []
        made: dict[str, Any] = {}
        for name in chain(required, liked):
            self._look(len(way.schemas))
            value = next(self._values(self._member(way, name), depth + 1), _NOTHING)
            if value is not _NOTHING:
                made[name] = value
            elif not liked:
                return
        for name in chain(optional, map("key{}".format, count(len(made)))):
            if len(made) >= least:
                break
            value = made[name] if name in made else next(self._values(self._member(way, name), depth + 1), _NOTHING)
            if value is not _NOTHING:
                made[name] = value
            elif name not in named:
                return
        yield made
        for name in made:
            for value in self._values(self._member(way, name), depth + 1):
                yield {**made, name: value}

    def _item(self, way: Way, place: int) -> Schemas:
        """What the item at this place must fit."""
        found: list[Any] = []
        for schema in way.schemas:
            first, rest = _items(schema)
            if place < len(first):
                found.append(first[place])
            elif rest is not None:
                found.append(rest)
        return tuple(found) or (_TEXT,)

    def _arrays(self, way: Way, depth: int) -> Iterator[list[Any]]:
        least, most = _least(way, "minItems"), _most(way, "maxItems")
        unique = any(schema.get("uniqueItems") is True for schema in way.schemas)
        wanted = max(least, _prefix(way), 1) if depth < 2 * self._eager else least
        more: dict[tuple[int, ...], Iterator[Any]] = {}
        seen: set[Any] = set()
        made: list[Any] = []
        for place in range(wanted if most is None else min(wanted, most)):
            schemas = self._item(way, place)
            value = next(self._values(schemas, depth + 1), _NOTHING)
            if unique and value is not _NOTHING and _mark(value) in seen:
                others = more.setdefault(tuple(map(id, schemas)), self._values(schemas, depth + 1))
                value = next((other for other in others if self._is_new(other, seen)), _NOTHING)
            if value is _NOTHING:
                if place < least and not (unique and made):
                    return
                break
            if unique:
                seen.add(_mark(value))
            made.append(value)
        yield made
        for place in range(len(made)):
            for value in self._values(self._item(way, place), depth + 1):
                if not unique or self._is_new(value, seen):
                    yield [*made[:place], value, *made[place + 1 :]]

    def _is_new(self, value: Any, seen: set[Any]) -> bool:
        self._prompt.spend()
        return _mark(value) not in seen


# Keywords, whatever stands under them


def _list(schema: Mapping[str, Any], word: str) -> list[Any]:
    found = schema.get(word)
    return found if isinstance(found, list) else []


def _map(schema: Mapping[str, Any], word: str) -> dict[str, Any]:
    found = schema.get(word)
    return found if isinstance(found, dict) else {}


def _types(schema: Mapping[str, Any]) -> list[str]:
    found = schema.get("type")
    words = [word.lower() for word in (found if isinstance(found, list) else [found]) if isinstance(word, str)]
    return [word if word in _KINDS else "string" for word in words]


def _allows(words: Sequence[str], word: str) -> bool:
    return word in words or (word == "integer" and "number" in words)


def _required(way: Way) -> list[str]:
    names = (name for schema in way.schemas for name in _list(schema, "required") if isinstance(name, str))
    return list(dict.fromkeys(names))


def _items(schema: Mapping[str, Any]) -> tuple[list[Any], Any]:
    """The schemas of the first items, and of all others; older drafts put the first ones under `items`."""
    items = schema.get("items")
    if isinstance(items, list):
        return items, schema.get("additionalItems")
    return _list(schema, "prefixItems"), items


def _prefix(way: Way) -> int:
    return max((len(_items(schema)[0]) for schema in way.schemas), default=0)


def _given(way: Way, word: str) -> list[int | float]:
    found = (schema.get(word) for schema in way.schemas)
    return [
        value
        for value in found
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    ]


def _least(way: Way, word: str) -> int:
    return math.ceil(max(_given(way, word), default=0))


def _most(way: Way, word: str) -> int | None:
    found = _given(way, word)
    return max(0, math.floor(min(found))) if found else None


def _is(value: Any, word: str) -> bool:
    match value:
        case bool():
            return word == "boolean"
        case int():
            return word in ("integer", "number")
        case float():
            return word == "number" or (word == "integer" and value.is_integer())
        case str():
            return word == "string"
        case None:
            return word == "null"
        case _:
            return word == ("array" if isinstance(value, list) else "object")


def _mark(value: Any) -> Any:
    """Equal for what JSON Schema calls equal: true is not 1."""
    match value:
        case bool():
            return "bool", value
        case list():
            return "list", tuple(map(_mark, value))
        case dict():
            return "dict", frozenset((name, _mark(inner)) for name, inner in value.items())
        case _:
            return value


# Numbers


def _numbers(way: Way, prompt: Prompt) -> Iterator[int | float]:
    whole = way.kind == "integer"
    step = Fraction(1) if whole else None
    for other in (Fraction(str(step)) for step in _given(way, "multipleOf") if step > 0):
        step = other if step is None else _common(step, other)
    lows = [(Fraction(low), False) for low in _given(way, "minimum")]
    lows += [(Fraction(low), True) for low in _given(way, "exclusiveMinimum")]
    highs = [(Fraction(high), True) for high in _given(way, "maximum")]
    highs += [(Fraction(high), False) for high in _given(way, "exclusiveMaximum")]
    low, above = max(lows, default=(None, False))
    high, upto = min(highs, default=(None, True))

    def fits(value: Fraction) -> bool:
        return (low is None or value > low or (value == low and not above)) and (
            high is None or value < high or (value == high and upto)
        )

    said = prompt.number()
    wish = Fraction(1) if said is None else said
    for value in _around(wish, low, high, step):
        if not fits(value):
            continue
        if abs(value) > _LARGEST:
            raise TooMuch("its numbers are too large")
        yield int(value) if value.denominator == 1 else float(value)


def _common(one: Fraction, other: Fraction) -> Fraction:
    """The smallest number that both divide."""
    if max(one, other) > _LARGEST:
        raise TooMuch("its numbers are too large")
    below = math.gcd(one.denominator, other.denominator)
    return Fraction(math.lcm(one.numerator, other.numerator), below)


def _around(wish: Fraction, low: Fraction | None, high: Fraction | None, step: Fraction | None) -> Iterator[Fraction]:
    """Numbers from the one that is nearest to a wish: upwards, then downwards, then ever closer to the middle."""
    start = wish if low is None else max(wish, low)
    start = start if high is None else min(start, high)
    stride = step or Fraction(1)
    if step is not None:
        start = math.ceil(start / step) * step
        if high is not None and start > high:
            start = math.floor(high / step) * step
    ups = (start + stride * place for place in count())
    yield from (value for value in ups) if high is None else _until(ups, high, 1)
    downs = (start - stride * place for place in count(1))
    yield from downs if low is None else _until(downs, low, -1)
    if step is None and low is not None and high is not None:
        yield from (low + (high - low) / 2**place for place in range(1, _FEW))


def _until(values: Iterator[Fraction], end: Fraction, sign: int) -> Iterator[Fraction]:
    for value in values:
        if (value - end) * sign > 0:
            return
        yield value


# Strings


def _strings(way: Way, prompt: Prompt) -> Iterator[str]:
    least, most = _least(way, "minLength"), _most(way, "maxLength")
    patterns = [schema["pattern"] for schema in way.schemas if isinstance(schema.get("pattern"), str)]
    formats = [schema["format"] for schema in way.schemas if isinstance(schema.get("format"), str)]
    if patterns:
        yield from _matching(patterns[0], least, most, prompt)
        return
    if formats and formats[0] in _FORMATS:
        shape, first = _FORMATS[formats[0]]
        yield from (shape.format(first + place) for place in range(_FEW))
        return
    text = prompt.word() or prompt.text.strip().split("\n")[0][:80] or "text"
    prompt.spend(least + len(text))
    text = text.ljust(least, ".")
    yield text[:most]
    for place in count(2):
        mark = f"{place}" if most is not None and most < 3 else f" {place}"
        room = None if most is None else most - len(mark)
        if room is not None and room < 0:
            return
        yield text[:room] + mark


def _matching(pattern: str, least: int, most: int | None, prompt: Prompt) -> Iterator[str]:
    """Strings for a simple pattern: literals, classes, groups and counts; for others the best that was found.

    The pattern is only read, never run: it may be one that takes for ever.
    """
    prompt.spend(len(pattern))
    import re._parser as parser  # type: ignore[import-not-found]  # the standard library's own reading of patterns

    try:
        tokens = parser.parse(pattern[:1_000])
    except (re.error, OverflowError, RecursionError):
        yield "text"
        return
    shapes = [_Shape(stretch, prompt) for stretch in (1, 0, least)]
    found = [shape.walk(tokens, 0)[0] for shape in shapes]
    fitting = [place for place, text in enumerate(found) if len(text) >= least and (most is None or len(text) <= most)]
    shape = shapes[fitting[0] if fitting else 0]
    for turn in count():
        text, left = shape.walk(tokens, turn)
        if left and turn:
            return
        yield text


class _Shape:
    """Writes what a parsed pattern reads. stretch: how often is repeated what may be repeated."""

    def __init__(self, stretch: int, prompt: Prompt) -> None:
        self._stretch, self._prompt = stretch, prompt

    def walk(self, tokens: Any, turn: int) -> tuple[str, int]:
        """The text of a turn, and what of the turn was left: above 0 when all texts have had theirs."""
        out: list[str] = []
        for op, value in tokens:
            text = ""
            match str(op):
                case "LITERAL":
                    text = chr(value)
                case "IN":
                    text, turn = _one_of(value, turn)
                case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                    for _ in range(max(int(value[0]), min(self._stretch, int(value[1])))):
                        once, turn = self.walk(value[2], turn)
                        self._prompt.spend(1 + len(once))
                        text += once
                case "SUBPATTERN":
                    text, turn = self.walk(value[3], turn)
                case "BRANCH":
                    turn, place = divmod(turn, len(value[1]))
                    text, turn = self.walk(value[1][place], turn)
                case "ANY":
                    text = "x"
                case "NOT_LITERAL":
                    text = "x" if value != ord("x") else "y"
            out.append(text)
        return "".join(out), turn


_CATEGORIES = {
    "CATEGORY_DIGIT": "1234567890", "CATEGORY_SPACE": " ", "CATEGORY_WORD": "abcdefghijklmnopqrstuvwxyz",
}  # fmt: skip
_OTHERS = "axz019 -_.#"


def _one_of(members: Any, turn: int) -> tuple[str, int]:
    """A character of a class: each turn another."""
    choices = ""
    for op, value in members:
        match str(op):
            case "NEGATE":
                refused = {value for op, value in members if str(op) == "LITERAL"}
                return next((c for c in _OTHERS if ord(c) not in refused), "?"), turn
            case "LITERAL":
                choices += chr(value)
            case "RANGE":
                choices += "".join(map(chr, range(value[0], min(value[1], value[0] + _FEW) + 1)))
            case "CATEGORY":
                choices += _CATEGORIES.get(str(value), "-")
    turn, place = divmod(turn, len(choices))
    return choices[place], turn
