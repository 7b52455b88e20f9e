"""What a channel's provider says when it is asked, in words for its operator."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from .. import book, ids
from ..billing import prices
from ..call import Call, Caller, Channel, Fault, Leg, Meter
from ..clock import monotonic, now_ms
from ..dialects import bridge
from ..errors import masked
from ..modalities import words
from ..providers import pool, profiles
from ..providers.registry import KINDS, spoken
from ..relay.attempts import outbound, raise_for_status, read, sensible
from ..routing import discovery
from ..splice import guard

_MOST_READ = 1 << 20
"""What a probe reads of an answer, at most."""


class Problem(NamedTuple):
    """what: is wrong · mend: what to do."""

    what: str
    mend: str


def problem(channel: Channel, secret_env: str | None) -> Problem | None:
    """What keeps a channel from working, or None."""
    if channel.provider == "sandbox":
        return None
    if secret_env and not os.environ.get(secret_env):
        return Problem(
            f"Its key's variable {secret_env} is not set in this shell.",
            f"Set {secret_env} where the gateway starts, and here to test it.",
        )
    refused = False
    try:
        status, _, body = pool.probe(channel, KINDS[channel.provider].probe)
        if status in (404, 405):  # some servers list nothing; an empty chat is refused, but only after the key
            status, _, body = pool.probe(channel, words.UPSTREAM[channel.dialects[0]].path("none", False), b"{}")
            refused = status in (400, 422)
    except Fault as fault:
        if fault.cause == "account":
            told = fault.message.rstrip(".") or "the provider refuses it"
            return Problem(
                f"Its key cannot be used: {told}.", "Give it the right one: channels remove, then channels add."
            )
        detail = fault.message or {"timeout": "it does not answer in time"}.get(fault.cause, "it speaks no HTTP")
        return Problem(
            f"Its provider at {channel.base_url} cannot be reached: {detail}.",
            "Check the address and the network, or GATEWAY_PROXY and GATEWAY_CA_FILE.",
        )
    if status in (401, 403):
        return _unwelcome(channel, secret_env)
    if status in (404, 405):
        return Problem(f"There is no API at {channel.base_url}.", "Check the base URL; it usually ends in /v1.")
    if status >= 400 and not refused:
        return Problem(f"Its provider answers HTTP {status}.", "Try again later; its status page may say why.")
    page = body.lstrip().startswith(b"<")  # some refuse in plain text, but none in HTML
    if page if refused else status >= 300 or not _is_json(body):
        return Problem(
            f"{channel.base_url} answers (HTTP {status}), but not as an API.", "Is the base URL right (with /v1)?"
        )
    return None


def _unwelcome(channel: Channel, secret_env: str | None) -> Problem:
    again = f"python -m gateway channels remove {channel.name}, then channels add with --key."
    if secret_env:
        return Problem(
            f"Its key is refused by the provider; it is what {secret_env} holds in this shell.",
            f"Set {secret_env} to the right key where the gateway starts.",
        )
    if channel.secret is None:
        return Problem("It wants a key and has none.", f"Give it one: {again}")
    return Problem("Its key is refused by the provider.", f"Give it the right one: {again}")


def _is_json(body: bytes) -> bool:
    """Whether an answer is a JSON object or list; of a long one only its beginning is here."""
    if len(body) >= _MOST_READ:
        return body.lstrip()[:1] in (b"{", b"[")
    try:
        return isinstance(json.loads(body), dict | list)
    except (ValueError, RecursionError):
        return False


class Trial(NamedTuple):
    """What came of asking a channel in one dialect. model: what was asked, None where none is known · streamed: that it
    was asked for pieces · counted: it said what it took · wrong: why there was no answer."""

    dialect: str
    model: str | None
    streamed: bool
    counted: bool
    ms: int
    wrong: str | None


_OPERATOR = Caller(account_id="", account="", key_id="", models=(), expires_at=None, limits=())
_MOST_OUTPUT = 16
_SAY = "Say: ok"
_ASKED: dict[str, dict[str, Any]] = {
    "chat": {"messages": [{"role": "user", "content": _SAY}]},
    "responses": {"input": _SAY, "max_output_tokens": _MOST_OUTPUT, "store": False},
    "messages": {"messages": [{"role": "user", "content": _SAY}], "max_tokens": _MOST_OUTPUT},
    "gemini": {
        "contents": [{"role": "user", "parts": [{"text": _SAY}]}],
        "generationConfig": {"maxOutputTokens": _MOST_OUTPUT},
    },
    "completions": {"prompt": _SAY, "max_tokens": _MOST_OUTPUT},
    "embeddings": {"input": _SAY},
}
"""The smallest question in each dialect."""

_MODES = {"completions": ("completion",), "embeddings": ("embedding",)}
_MOST_MODELS = 3
"""How many models are tried until one is there: not every account has every model of its vendor."""


def trials(channel: Channel) -> Iterator[Trial]:
    """Ask a channel's cheapest model in each dialect, whole and then streamed. It costs what so few tokens cost."""
    for dialect in channel.dialects:
        if dialect not in _ASKED and dialect not in bridge.NAMED:
            continue
        tried: list[Trial] = []
        for name in _cheapest(channel, dialect):
            tried.append(_trial(channel, dialect, name, streamed=False))
            if tried[-1].wrong is None or not tried[-1].wrong.startswith("HTTP 404"):
                break
        if not tried:
            yield Trial(dialect, None, False, False, 0, "no model of its kind is known by name")
            continue
        yield tried[-1]
        if tried[-1].wrong is None and dialect != "embeddings":
            yield _trial(channel, dialect, str(tried[-1].model), streamed=True)


def _cheapest(channel: Channel, dialect: str) -> list[str]:
    """The upstream names to try, the cheapest first."""
    if channel.provider == "sandbox":
        return ["embed" if dialect == "embeddings" else "echo"]
    here, modes = book.current(), _MODES.get(dialect, ("chat",))
    known: list[tuple[Any, str]] = []
    for model in here.models.values():
        offer = model.at(channel.provider)
        if offer is None or model.mode not in modes or offer.retires or model.retires:
            continue
        names = offer.names if channel.models is None else [name for name in offer.names if name in channel.models]
        listed = [name for name in names if dialect in spoken(channel, name)]
        rates = prices.from_book(model, offer).rates
        if rates:
            known += [(sum(rates.values()), name) for name in listed[:1]]
    unknown = [name for name in channel.models or () if here.offer(channel.provider, name) is None]
    if not known and not unknown and discovery.discoverable(channel):
        unknown = discovery.ask(channel) or []
    fitting = [name for name in unknown if ("embed" in name) == (dialect == "embeddings")]
    return [*(name for _, name in sorted(known)), *fitting][:_MOST_MODELS]


def _trial(channel: Channel, dialect: str, model: str, *, streamed: bool) -> Trial:
    leg = Leg(channel=channel, model=model, dialect=dialect, profile=profiles.of(channel.provider, model, dialect))
    dialect = dialect if dialect in _ASKED else "chat"  # which is translated to what only providers speak
    asked = {**_ASKED[dialect], **({leg.profile.limit_name: _MOST_OUTPUT} if dialect == "chat" else {})}
    said = {} if dialect == "gemini" else {"model": model, **({"stream": True} if streamed else {})}
    body = guard(json.dumps({**asked, **said}).encode())
    surface = words.NAMED[dialect]
    began = monotonic()
    call = Call(
        id=ids.new(surface.id_prefix),
        request_id="",
        caller=_OPERATOR,
        surface=dialect,
        dialect=dialect,
        body=body,
        ask=surface.ask({**body.values, "model": model, "stream": streamed}),
        created_ms=now_ms(),
        started=began,
        headers={},
    )
    try:
        meter, wrong = _answered(call, leg), None
    except Fault as fault:
        meter, wrong = Meter(), _in_words(fault, channel)
    return Trial(leg.dialect, model, streamed, meter.usage is not None, int((monotonic() - began) * 1000), wrong)


def _answered(call: Call, leg: Leg) -> Meter:
    """The meter of one answer, which is read as any caller's is. Raises Fault."""
    wire = pool.send(outbound(call, leg))
    try:
        raise_for_status(wire, leg)
        with sensible():
            if not call.ask.stream:
                meter = Meter()
                words.carrier(call).whole(call, leg, read(wire, _MOST_READ), meter)
                return meter
            feed = words.carrier(call).feed(call, leg, wire.headers)
            while feed.tail is None:
                chunk = wire.read()
                feed.push(chunk) if chunk else feed.end()
                if feed.fault is not None:
                    raise feed.fault
            return feed.meter
    finally:
        wire.close()


def _in_words(fault: Fault, channel: Channel) -> str:
    said = (masked(fault.message, channel.secret) or "")[:200]
    if fault.status:
        return f"HTTP {fault.status}{f': {said}' if said else ''}"
    causes = {"timeout": "no answer in time", "malformed": "an answer that makes no sense"}
    return said or causes.get(fault.cause, fault.cause)
