"""Responses in the background (https://platform.openai.com/docs/guides/background), of any chat model of the sandbox.

How long an answer will be stands in the id that is given back, as for all work of the sandbox (`jobs`). What it says
does not, for ids are kept and may hold no word of a caller's (Law 6): it says as many tokens of its own. All that is
remembered is which ones were cancelled or deleted.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from itertools import chain, islice, repeat
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from models import tally, writer
from models.base import session

from ...call import Outbound
from ...clock import now_ms
from ...dialects import openai_responses
from ...dialects.openai_responses.reply import begun
from ...dialects.shapes import packed
from ...neutral.events import unfold
from ...neutral.parts import Text
from ...neutral.reply import ChatReply, Choice, Finish
from ...sse import PING, Splitter, write
from .answer import pieces, usage
from .jobs import pack, unpack
from .wire import SandboxWire

USUAL_MS = 2_000
"""How long a response takes whose model's name does not say."""

KEPT_MS = 3_600_000
"""How long one can be asked about."""

_PATH = re.compile(r"/responses/resp_([A-Za-z0-9_-]{1,250})(/cancel|/input_items)?")
_ASKED = {"background": True}
_OWNER = "sandbox"
_CANCELLED, _DELETED = "cancelled", "deleted"
_LOOK_MS = 200
"""Between two looks whether a response that is being streamed was cancelled."""

_SAID = " This was made in the background by the sandbox, which keeps no word of what it was asked."
"""Said over and over, as long as the answer would have been."""


class Work(NamedTuple):
    """One response. model: as the sandbox calls it · began: Unix ms · taken, said: tokens of the input and the answer ·
    whole: it ends by itself · mark: tells it from any other."""

    model: str
    began: int
    taken: int
    said: int
    whole: bool
    mark: str

    @property
    def took_ms(self) -> int:
        return int(self.model.removeprefix("slow-")) if self.model.startswith("slow-") else USUAL_MS

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1."""
        share = min(1.0, (now_ms() - self.began) / max(1, self.took_ms))
        return min(share, 0.5) if self.model == "hang" else share

    def reply(self, identity: str) -> ChatReply:
        text = "".join(islice(chain.from_iterable(map(pieces, repeat(_SAID))), self.said)).lstrip()
        one = Choice(parts=(Text(text=text),), finish=Finish(reason="stop" if self.whole else "length"))
        took = usage(self.taken, 0, (one,))
        return ChatReply(id=identity, model=self.model, created=self.began // 1000, choices=(one,), usage=took)


def begin(model: str, reply: ChatReply, streamed: bool) -> SandboxWire:
    """Begin a response that takes what a reply takes."""
    took, whole = reply.usage, reply.choices[0].finish.reason != "length"
    assert took is not None
    work = Work(model, now_ms(), took.input or 0, took.output or 0, whole, os.urandom(9).hex())
    identity = f"resp_{pack(work)}"
    return _told(identity, work, 0) if streamed else _whole(_shown(identity, work))


def ask(outbound: Outbound) -> SandboxWire | None:
    """What is answered about a response; None where there is none."""
    url = urlsplit(outbound.path)
    found = _PATH.fullmatch(unquote(url.path))
    work = unpack(found[1], Work) if found else None
    if (
        found is None
        or work is None
        or now_ms() - work.began > KEPT_MS
        or (found[2] == "/cancel") != (outbound.method == "POST")
        or (found[2] == "/input_items" and outbound.method != "GET")
    ):
        return None
    identity = f"resp_{found[1]}"
    if _marked(_DELETED, identity):
        return None
    if found[2] == "/input_items":  # no word of it is kept
        return _whole({"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False})
    if outbound.method == "DELETE":
        _mark(_DELETED, identity)
        return _whole({"id": identity, "object": "response", "deleted": True})
    if outbound.method == "POST" and work.share < 1:
        _mark(_CANCELLED, identity)
    if outbound.stream:
        after = parse_qs(url.query).get("starting_after", ["-1"])[0]
        return _told(identity, work, int(after) + 1)
    return _whole(_shown(identity, work))


def _shown(identity: str, work: Work) -> Mapping[str, Any]:
    """A response as it is now."""
    share = work.share
    values = begun(_ASKED, identity, work.model, work.began // 1000)
    if _marked(_CANCELLED, identity):
        return {**values, "status": "cancelled"}
    if work.model == "mid-stream-error" and share >= 0.5:
        return _failed(values)
    if share < 1:
        return {**values, "status": "queued" if share < 0.1 else "in_progress"}
    return openai_responses.render_reply(work.reply(identity), _ASKED)


def _failed(values: Mapping[str, Any]) -> Mapping[str, Any]:
    error = {"code": "server_error", "message": "The sandbox fails in the middle."}
    return {**values, "status": "failed", "error": error}


def _whole(values: Mapping[str, Any]) -> SandboxWire:
    return SandboxWire(200, {"content-type": "application/json"}, iter(((0.0, packed(values)),)))


def _told(identity: str, work: Work, start: int) -> SandboxWire:
    """The events from a number on, each when its time has come."""
    frames = _frames(identity, work)
    breaks = work.model == "cut" and start == 0  # what is read on comes to its end
    steps = _steps(identity, work, frames[: len(frames) // 2] if breaks else frames, len(frames), start)
    return SandboxWire(
        200, {"content-type": "text/event-stream; charset=utf-8"}, steps, "cut" if breaks else "end"
    )  # fmt: skip


def _frames(identity: str, work: Work) -> list[bytes]:
    out = openai_responses.writer(_ASKED)
    frames = Splitter().feed(b"".join(map(out.write, unfold(work.reply(identity), pieces))))
    if work.model == "hang":
        return frames[:2]
    if work.model == "mid-stream-error":
        frames = frames[: max(2, len(frames) // 2)]
        failed = _failed(begun(_ASKED, identity, work.model, work.began // 1000))
        values = {"type": "response.failed", "sequence_number": len(frames), "response": failed}
        frames.append(write(packed(values), "response.failed"))
    return frames


def _steps(identity: str, work: Work, frames: list[bytes], count: int, start: int) -> Iterator[tuple[float, bytes]]:
    looked = 0
    for number, frame in enumerate(frames[start:], start):
        now = now_ms()
        if now - looked > _LOOK_MS:
            looked = now
            if _marked(_CANCELLED, identity):
                return
        yield max(0, work.began + work.took_ms * number // max(1, count - 1) - now) / 1000, frame
    while work.model == "hang" and not _marked(_CANCELLED, identity):
        yield 1.0, PING


def _mark(word: str, identity: str) -> None:
    writer.write(tally.mark, _OWNER, _mark_of(word, identity), now_ms(), KEPT_MS, order=_OWNER)


def _marked(word: str, identity: str) -> bool:
    with session():
        return tally.marked(_OWNER, _mark_of(word, identity))


def _mark_of(word: str, identity: str) -> str:
    return f"{word} {hashlib.sha256(identity.encode()).hexdigest()}"
