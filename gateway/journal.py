"""One log line a call, and no word of what was said in it; and what is counted of it.

A line names request, account, key, model, channel, status, tokens, cost and time: no body, no client address, no
value of `user` or `metadata`.
"""

from __future__ import annotations

import logging
import sys
import time

import orjson

from . import counts
from .call import Call
from .clock import iso, now_ms
from .errors import masked
from .money import usd

_calls = logging.getLogger("gateway.calls")


def write(
    call: Call, *, status: int, tokens: tuple[int, int], cost: int, note: str = "", first_ms: int | None = None
) -> None:
    """The line of one call that has ended. first_ms: when its first frame came."""
    took_s = time.monotonic() - call.started
    _count(call, status, tokens, cost, took_s, first_ms)
    if not _calls.isEnabledFor(logging.INFO):
        return
    facts = {
        "request": call.request_id, "generation": call.id, "account": call.caller.account_id,
        "key": call.caller.key_id, "surface": call.surface, "model": call.model[:200],
        "channel": call.leg.channel.name if call.leg is not None else None,
        "status": status, "stream": call.ask.stream, "attempts": len(call.attempts), "input_tokens": tokens[0],
        "output_tokens": tokens[1], "cost_usd": usd(cost),
        "ms": int(took_s * 1000),
    }  # fmt: skip
    if note:
        facts["note"] = note
    _calls.handle(_calls.makeRecord(
        _calls.name, logging.INFO, "", 0, "%s %s", (status, call.surface), None, extra={"facts": facts}
    ))  # fmt: skip  # without a walk up the stack to say who calls


_GONE = 499


def _count(call: Call, status: int, tokens: tuple[int, int], cost: int, took_s: float, first_ms: int | None) -> None:
    """Add one call to what is counted. A call has a leg only if somebody serves its model: so its author is one that
    the book knows, or a namespace or route of the operator's."""
    provider = channel = author = ""
    if call.leg is not None:
        provider, channel = call.leg.channel.provider, call.leg.channel.name
        author = dict(zip(call.names[::2], call.names[1::2], strict=True)).get(call.model, call.model)
        author = author.partition("/")[0] if "/" in author else "route"
    kind = "gone" if status == _GONE else f"{status // 100}xx"
    counts.CALLS.add((call.surface, author, provider, channel, kind))
    for direction, n in zip(("input", "output"), tokens, strict=True):
        if n:
            counts.TOKENS.add((author, provider, channel, direction), n)
    if cost:
        counts.COST.add((author, provider, channel), cost)
    if status == 200:
        counts.CALL_S.observe((provider, channel, "yes" if call.ask.stream else "no"), took_s)
    if first_ms is not None:
        counts.FIRST_S.observe((provider, channel), first_ms / 1000)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"at": iso(now_ms()), "level": record.levelname.lower(), "logger": record.name}
        facts = getattr(record, "facts", None)
        line |= facts if facts else {"message": masked(record.getMessage())}
        if record.exc_info:
            line["trace"] = masked(self.formatException(record.exc_info))
        return orjson.dumps(line, default=str).decode()


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = getattr(record, "facts", None)
        if facts:
            text = " ".join(f"{name}={value}" for name, value in facts.items() if value is not None)
        else:
            text = masked(record.getMessage())
        if record.exc_info:
            text += "\n" + masked(self.formatException(record.exc_info))
        return f"{iso(now_ms())} {record.levelname.lower():7} {record.name.removeprefix('gateway.')}: {text}"


def open(form: str) -> None:
    """Send the log to standard error, as text or JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # no line says so
    for noisy in ("urllib3", "requests", "werkzeug"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
