"""Recorded requests, put through the bridge for a provider of every other dialect."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from typing import Any

from gateway.dialects import bridge
from gateway.neutral.parts import Bytes, Media

from . import asked
from .recordings import Request
from .replies import call, leg
from .schemas import Book

FETCHED = base64.b64encode(b"what the address has.").decode()
"""What every address answers here, in base64."""

_IN_PATH = ("gemini", "converse")
"""Who has the model, and whether a stream is wanted, in the path."""


class Refused(Exception):
    """The bridge refuses to translate a request: the feature that it would lose."""


def problems(book: Book, one: Request, target: str) -> list[str]:
    """What is wrong with a request as a provider of that dialect gets it. Raises Refused."""
    ours = call(one.dialect, one.body, model=one.model, stream=one.stream)
    taken = leg(target)
    try:
        losses = bridge.screen(ours, taken)
    except bridge.Refused as refused:
        found = re.search(r"\(([a-z0-9 ]+)\)", refused.message)
        raise Refused(found[1] if found else refused.param) from refused
    for url in bridge.to_fetch(ours, taken):
        ours.fetched[url] = Media(kind="file", source=Bytes(base64=FETCHED), media_type=_type_of(url))
    if target == one.dialect:  # as it goes when a seal of a third dialect is in it: parsed and said again
        body = json.loads(
            json.dumps(bridge.NAMED[target].render(replace(bridge.request(ours), model=taken.model), taken))
        )
        if target == "gemini":
            body.pop("model", None)
    else:
        body = json.loads(bridge.encode(ours, taken))
    faulty = target == one.dialect and book.request(target, one.body)  # vendor's newest words for it, or not
    found = [problem for problem in (book.request(target, body),) if problem and not faulty]
    if target not in _IN_PATH and body.get("model") != taken.model:
        found.append(f"model is {body.get('model')}")
    want, got = asked.read(one.dialect, one.body), asked.read(target, body)
    want.stream = one.stream
    if not asked.misplaced(one.dialect, one.body) and target != one.dialect:
        found += asked.misplaced(target, body)
    return found + _differences(one.dialect, want, got, target, set(ours.fetched), losses)


def _type_of(url: str) -> str:
    types = {"png": "image/png", "gif": "image/gif", "webp": "image/webp", "pdf": "application/pdf"}
    return types.get(url.rpartition(".")[2].lower(), "image/jpeg")


def _differences(
    source: str, want: asked.Asked, got: asked.Asked, target: str, fetched: set[str], losses: tuple[str, ...]
) -> list[str]:
    can = bridge.NAMED[target].CAN
    found = [f"it reads oddly: {odd}" for odd in got.odd if source != target or odd not in want.odd]
    found += _turns_differ(want, got, fetched)
    if target == "converse" and (want.choice == "none" or not want.tools):  # offered only where some were called before
        got.tools, got.choice = want.tools, want.choice
    if want.tools != got.tools:
        for name in sorted({*want.tools, *got.tools}):
            if want.tools.get(name) != got.tools.get(name):
                found.append(f"tool {name} is {got.tools.get(name)} instead of {want.tools.get(name)}"[:300])
    choice = _choice(want)
    some = isinstance(choice, tuple) and can["tool_choice_allowed"] != "express"
    if want.tools and choice != _choice(got) and not some:
        found.append(f"tool choice is {got.choice} instead of {want.choice}")
    for name, feature in (("limit", "limit"), ("temperature", "temperature"), ("top_p", "top_p"), ("stop", "stop")):
        wanted = getattr(want, name)
        if name == "limit" and wanted and target == "responses":
            wanted = max(wanted, 16)  # which is its least
        if name == "temperature" and wanted == 1 and target == "messages":
            continue  # its default, and the only one that it takes from a model that thinks
        if wanted and can[feature] == "express" and getattr(got, name) != wanted:
            found.append(f"{name} is {getattr(got, name)} instead of {wanted}")
        if not wanted and getattr(got, name) and not (name == "limit" and target == "messages"):
            found.append(f"{name} is {getattr(got, name)}, which nobody said")
    if want.form != got.form:
        feature = "json_object" if want.form == "json" else "json_schema"
        if can[feature] == "express":
            found.append(f"the answer's form is {got.form} instead of {want.form}")
    if target not in _IN_PATH and got.stream != want.stream:
        found.append(f"stream is {got.stream}")
    if want.effort and got.effort and {source, target} == {"chat", "responses"} and want.effort != got.effort:
        found.append(f"effort is {got.effort} instead of {want.effort}")
    return found


def _choice(one: asked.Asked) -> Any:
    match one.choice:
        case ("required", [name]):
            return f"named {name}"
        case ("auto" | "required" as mode, list(names)) if sorted(names) == sorted(one.tools):
            return mode
        case (mode, list(names)):
            return (mode, sorted(names))
        case "required" if len(one.tools) == 1:
            return f"named {next(iter(one.tools))}"
        case mode:
            return mode


def _turns_differ(want: asked.Asked, got: asked.Asked, fetched: set[str]) -> list[str]:
    systems = ["".join(value for who, _, value in one.turns if who == "system") for one in (want, got)]
    said_late = [value for place, (who, _, value) in enumerate(want.turns) if who == "system" and place > 0]
    a, b = _plain(want.turns), _plain(got.turns)
    everything = systems[1] + "".join(str(value) for _, kind, value in got.turns if kind == "text")
    if systems[0] != systems[1] and not (want.form == "json" != got.form and systems[1].startswith(systems[0])):
        for late in said_late:
            if late not in everything:
                return [f"a system message is lost: {late[:60]}"]
        if not said_late:
            return [f"the system message is {systems[1][:60]!r} instead of {systems[0][:60]!r}"]
        b = _without(b, said_late)
    found = []
    wanted, given = sorted(_media_of(want.turns, fetched)), sorted(_media_of(got.turns, set()))
    for one in [one for one in wanted if one.startswith("text:") and one not in given]:
        wanted.remove(one)  # a text file as plain text
        if one[5:] not in everything:
            return [f"a text file is lost: {one[:60]}"]
        b = _without(b, [one[5:]])
        a, b = _loose(a), _loose(b)
    if wanted != given:
        found.append(f"media are {str(given)[:100]} instead of {str(wanted)[:100]}")
    if b[: len(b) - len(a)] == [("user", "text", ".")]:
        b = b[1:]  # who must begin where the client let the assistant begin, or nobody
    place = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if not _same(x, y)), min(len(a), len(b)))
    if place < max(len(a), len(b)):
        found.append(f"turn {place} is {str(b[place : place + 1])[:160]} instead of {str(a[place : place + 1])[:160]}")
    return found


def _same(want: asked.Turn, got: asked.Turn) -> bool:
    """A result may be marked as failed, or say that its media follow."""
    if want == got:
        return True
    results = want[1] == got[1] == "result"
    return results and want[2][0] == got[2][0] and want[2][1] in got[2][1] and len(got[2][1]) < len(want[2][1]) + 80


def _loose(turns: list[asked.Turn]) -> list[asked.Turn]:
    return [turn for turn in turns if turn[1] != "text"]


_MADE = re.compile(r"Whatthetoolmade\([^)]*\):")


def _plain(turns: list[asked.Turn]) -> list[asked.Turn]:
    """Turns without system messages, and without media, whose place beside results differs between dialects."""
    one = asked.Asked()
    for who, kind, value in turns:
        if who != "system" and kind in ("text", "call", "result"):
            one.say(who, kind, _MADE.sub("", value) if kind == "text" else value)
    return one.turns


def _without(turns: list[asked.Turn], texts: list[str]) -> list[asked.Turn]:
    one = asked.Asked()
    for who, kind, value in turns:
        if kind == "text":
            for text in texts:
                value = value.replace(text, "")
        one.say(who, kind, value)
    return one.turns


_UPLOADED = re.compile(r"^https://generativelanguage\.googleapis\.com/v\w+/(?=files/)")
"""Before the name of a file, which Gemini takes for the file, too."""


def _media_of(turns: list[asked.Turn], fetched: set[str]) -> list[str]:
    found = []
    for _, kind, value in turns:
        if kind in ("image", "audio", "video", "file"):
            if isinstance(value, str) and value in fetched:
                value = ("", FETCHED)
            if isinstance(value, str):
                value = _UPLOADED.sub("", value)
            if isinstance(value, str) and not value.startswith(("http", "gs:")) and len(value) > 128:
                value = ("", value)  # base64 without a word on what it is
            if isinstance(value, tuple) and value[0].startswith("text/"):
                found.append(f"text:{_text_of(value[1])}")
            else:
                found.append(value if isinstance(value, str) else f"{kind}:{value[1]}")
    return found


def _text_of(data: str) -> str:
    """The words of a text file, which some dialects have as base64."""
    try:
        return asked.squeezed(base64.b64decode(data + "=" * (-len(data) % 4), validate=True).decode())
    except ValueError:
        return asked.squeezed(data)
