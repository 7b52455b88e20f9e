"""JSON objects as bytes: what is in one, where it stands, and how to change a member without touching the rest.

`scan` parses a body once and remembers the span of each top-level member; `edit` gives the same bytes with some
members changed, removed or added. Nothing below the top level is ever rewritten. `guard` is `scan` for what comes
from callers: everything that two parsers could read differently, or that could hurt a later reader, is refused,
so that what was checked is what is sent.
"""

from __future__ import annotations

import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # the C scanner behind json.loads
from typing import Any, NoReturn

import orjson

MAX_DEPTH = 128
"""Deepest nesting of arrays and objects in a caller's body."""

MAX_BRACKETS = 500_000
MAX_COMMAS = 1_000_000
MAX_QUOTES = 4_000_000
MAX_MEMBERS = 20_000
"""Most brackets, commas and quotes outside of strings, and most top-level members: bounds how long the parser holds the
event loop. No real body comes near."""

_SPACE = re.compile(r"[ \t\n\r]*")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class BadJson(ValueError):
    """The bytes are no JSON object that can be passed on; the text says why and where."""


class Member:
    """One top-level member: its name and the places of name, value and end in the text."""

    __slots__ = ("name", "start", "value", "end")

    def __init__(self, name: str, start: int, value: int, end: int) -> None:
        self.name, self.start, self.value, self.end = name, start, value, end


class Scan:
    """A parsed JSON object with its text.

    text: the whole body · values: the top-level members, parsed · members: their spans, in order of appearance.
    """

    __slots__ = ("text", "values", "members")

    def __init__(self, text: str, values: dict[str, Any], members: list[Member]) -> None:
        self.text, self.values, self.members = text, values, members

    def raw(self, name: str) -> str:
        """The text of a member's value as it was sent. Raises KeyError."""
        for member in reversed(self.members):
            if member.name == name:
                return self.text[member.value : member.end]
        raise KeyError(name)


def _refuse_constant(word: str) -> NoReturn:
    raise BadJson(f"{word} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise BadJson(f"the number {text[:20]} is too large")
    return number


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twin = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise BadJson(f"the member {twin[:64]!r} appears twice in one object")
    return made


def _scanner(**hooks: Any) -> Any:
    return json.JSONDecoder(parse_constant=_refuse_constant, **hooks).scan_once  # type: ignore[attr-defined]


_scan_caller = _scanner(object_pairs_hook=_no_twins, parse_float=_finite)
_scan_provider = _scanner()


def _walk(text: str, scan_once: Any) -> Scan:
    space = _SPACE.match
    values: dict[str, Any] = {}
    members: list[Member] = []
    at = space(text, 0).end()  # type: ignore[union-attr]
    if text[at : at + 1] != "{":
        raise BadJson("the body is not a JSON object")
    at = space(text, at + 1).end()  # type: ignore[union-attr]
    if text[at : at + 1] == "}":
        at += 1
    else:
        while True:
            start = at
            if text[at : at + 1] != '"':
                raise BadJson(f"a member name is expected at character {at}")
            name, at = scanstring(text, at + 1, True)
            at = space(text, at).end()  # type: ignore[union-attr]
            if text[at : at + 1] != ":":
                raise BadJson(f"a colon is expected at character {at}")
            value_at = space(text, at + 1).end()  # type: ignore[union-attr]
            values[name], at = scan_once(text, value_at)
            members.append(Member(name, start, value_at, at))
            if len(members) > MAX_MEMBERS:
                raise BadJson("it has too many members")
            at = space(text, at).end()  # type: ignore[union-attr]
            mark = text[at : at + 1]
            at += 1
            if mark == "}":
                break
            if mark != ",":
                raise BadJson(f"a comma or closing brace is expected at character {at - 1}")
            at = space(text, at).end()  # type: ignore[union-attr]
    if space(text, at).end() != len(text):  # type: ignore[union-attr]
        raise BadJson(f"there is more after the object, at character {at}")
    return Scan(text, values, members)


def _parse(raw: bytes, scan_once: Any) -> Scan:
    try:
        return _walk(raw.decode("utf-8"), scan_once)
    except UnicodeDecodeError as error:
        raise BadJson(f"the body is not UTF-8 at byte {error.start}") from None
    except StopIteration as error:
        raise BadJson(f"a value is expected at character {error.value}") from None
    except json.JSONDecodeError as error:
        what = (error.msg[:1].lower() + error.msg[1:]).removesuffix(" at")
        raise BadJson(f"{what} at character {error.pos}") from None
    except RecursionError:
        raise BadJson("it is nested too deep") from None
    except BadJson:
        raise
    except ValueError:  # the only other one that the scanner raises: int() of over 4,300 digits
        raise BadJson("a number has too many digits") from None


def scan(raw: bytes) -> Scan:
    """A provider's object, for `edit`. Raises BadJson."""
    return _parse(raw, _scan_provider)


def guard(raw: bytes) -> Scan:
    """A caller's object. Raises BadJson for anything that is not plain JSON in UTF-8.

    Refused beyond what `scan` refuses: a name twice in one object at any depth, numbers that overflow, nesting over
    MAX_DEPTH, and escapes that make lone surrogates (RFC 8259 §8.2: their meaning differs between readers).
    """
    if len(raw) > MAX_QUOTES and raw.count(b'"') - raw.count(b'\\"') > MAX_QUOTES:
        raise BadJson("it holds too many strings")
    brackets = raw.count(b"[") + raw.count(b"{")
    if brackets > MAX_BRACKETS or (len(raw) > MAX_COMMAS and raw.count(b",") > MAX_COMMAS):
        _check_marks(raw)
    found = _parse(raw, _scan_caller)
    if len(found.members) != len(found.values):
        _no_twins([(member.name, None) for member in found.members])
    if brackets > MAX_DEPTH:
        _check_depth(found.values)
    if "\\" in found.text and _SURROGATE.search(found.text):
        _check_pairs(raw, found)
    return found


def _check_depth(values: dict[str, Any]) -> None:
    level: list[Any] = [values]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return
    raise BadJson(f"it is nested deeper than {MAX_DEPTH} levels")


def _check_pairs(raw: bytes, found: Scan) -> None:
    """Raises BadJson for half of a surrogate pair. orjson takes none, and is quick; it also refuses numbers that are
    fine."""
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError:
        try:
            json.dumps(found.values, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise BadJson("it holds half of a surrogate pair, which is no character") from None


_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""A string; one that does not end runs to the end. Possessive, as each escape would else be remembered."""


def _check_marks(raw: bytes) -> None:
    """Raises BadJson when the commas or the brackets outside of strings are too many. Linear in the body."""
    bare = _STRING.sub(b"", raw)
    if bare.count(b",") > MAX_COMMAS:
        raise BadJson("it holds too many values")
    if sum(map(bare.count, (b"[", b"]", b"{", b"}"))) > MAX_BRACKETS:
        raise BadJson("it holds too many arrays and objects")


def edit(found: Scan, changes: dict[str, str | None]) -> bytes:
    """The object's bytes with top-level members changed.

    changes: member name → the new value as JSON text, or None to remove the member. A name that is not there yet is
    added at the end. All other bytes stay as they are.
    """
    text, members = found.text, found.members
    body = members[0].start if members else text.index("{") + 1
    pieces = [text[:body]]
    kept = False
    for number, member in enumerate(members):
        new = changes.get(member.name, "")
        if new is None:
            continue
        if kept:
            pieces.append(text[members[number - 1].end : member.start])  # its comma, as it was written
        pieces += (text[member.start : member.value], new) if new else (text[member.start : member.end],)
        kept = True
    for name, new in changes.items():
        if new is not None and name not in found.values:
            pieces.append(f"{',' if kept else ''}{json.dumps(name)}:{new}")
            kept = True
    pieces.append(text[members[-1].end if members else body :])
    return "".join(pieces).encode()
