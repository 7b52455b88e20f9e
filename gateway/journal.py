"""One log line a call, and no word of what was said in it.

A line names request, account, key, model, channel, status, tokens, cost and time: no body, no client address, no
value of `user` or `metadata`. `masked` takes secrets out of any text that goes further.
"""

from __future__ import annotations

import logging
import re
import sys
import time

import orjson

from .call import Call
from .clock import iso, now_ms
from .money import usd

_calls = logging.getLogger("gateway.calls")
_SECRETS = re.compile(
    r"\b(?:sk|gsk|xai|hf|r8|nvapi|pplx)[-_][A-Za-z0-9_\-*.]{8,}|\bAIza[A-Za-z0-9_\-]{8,}"
    r"|\b(?:org|proj|acct)[-_][A-Za-z0-9]{12,}"  # ours at the provider, as OpenAI and Stripe write them
    r"|(?i:(?<=bearer ))[A-Za-z0-9._\-]{8,}|(?<=[?&]key=)[^&\s\"']+"
)


def masked(text: str, *secrets: str | None) -> str:
    """A text without anything that looks like a key, and without the given secrets."""
    for secret in secrets:
        if secret and len(secret) >= 6:
            text = text.replace(secret, "[masked]")
    return _SECRETS.sub("[masked]", text)


def write(call: Call, *, status: int, channel: str | None, tokens: tuple[int, int], cost: int, note: str = "") -> None:
    """The line of one call."""
    if not _calls.isEnabledFor(logging.INFO):
        return
    ms = int((time.monotonic() - call.started) * 1000)
    facts = {
        "request": call.request_id, "generation": call.id, "account": call.caller.account_id,
        "key": call.caller.key_id, "surface": call.surface, "model": call.model[:200], "channel": channel,
        "status": status, "stream": call.ask.stream, "attempts": len(call.attempts), "input_tokens": tokens[0],
        "output_tokens": tokens[1], "cost_usd": usd(cost), "ms": ms,
    }  # fmt: skip
    if note:
        facts["note"] = note
    _calls.handle(_calls.makeRecord(
        _calls.name, logging.INFO, "", 0, "%s %s", (status, call.surface), None, extra={"facts": facts}
    ))  # fmt: skip  # without a walk up the stack to say who calls


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
