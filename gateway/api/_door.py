"""The door: the one admission point (Law 5), how bodies are read, how replies and errors leave.

Every route needs a key but those in PUBLIC. `admit` runs before each request, whatever its route, and refuses by
default; `open_call` reads and checks a body and makes a `Call` of it; `deliver` turns a `Reply` into a response;
`dress` puts the headers on that every response has.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

import gevent
import orjson
from flask import g, request
from werkzeug.exceptions import HTTPException

from models.base import DatabaseError
from models.writer import Busy
from schemas.base import WireSchema

from .. import config, counts, ids, store
from ..access import idempotency, keys, limits
from ..bodies import BadForm, FormReader, boundary
from ..call import Call, Claim, Reply
from ..clock import monotonic
from ..dialects.base import Words
from ..errors import GatewayError
from ..modalities.words import NAMED
from ..providers.headers import TO_PROVIDER
from ..relay import admission
from ..relay.load import MOST, load
from ..relay.watch import ClientWatch
from ..routing.steering import HEADER as ROUTE
from ..splice import BadJson, Scan, guard
from . import _forms
from ._app import App, Response

PUBLIC = ("health.alive", "health.ready", "openapi.document")
"""Endpoints that need no key."""

LOCAL = ("metrics.show",)
"""Endpoints of who runs the gateway: they need no key on this machine itself, and from elsewhere one of OPERATOR's."""

OPERATOR = "operator"
"""The account that the first start makes."""

_FORWARDED = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Via", "X-Forwarded-Host", "X-Forwarded-Proto")
"""Headers by which a proxy says that somebody else asks."""

_SHARED = ("/v1", "/openapi.json")
"""Beginnings of paths that pages of any origin may read."""

_log = logging.getLogger("gateway.door")
_MB = 1 << 20
_PIECE = 1 << 16
_BREATH_S = 0.01


def install(app: App) -> None:
    """Hang the door into an app: admission before every request, one shape for every error after it."""
    app.before_request(admit)
    app.after_request(dress)
    app.register_error_handler(GatewayError, answer_error)
    app.register_error_handler(DatabaseError, _answer_no_database)
    app.register_error_handler(Busy, _answer_no_database)
    app.register_error_handler(MemoryError, _answer_no_memory)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(Exception, _answer_crash)


def admit() -> Response | None:
    """Is there room, who calls, and may they here? Public routes and unknown paths need no key and are answered by a
    full worker too; everybody else is not. Raises GatewayError 503 before anything of a body was read, 401, 403. Where
    a client is, is asked only for keys that are bound to addresses, and kept nowhere."""
    g.request_id = ids.new("req_")
    if request.method == "OPTIONS" and request.path.startswith(_SHARED):
        return _preflight()
    local = request.endpoint in LOCAL
    if request.endpoint is None or request.endpoint in PUBLIC or (local and _from_here()):
        return None
    caller = keys.identify(_key())
    if caller.addresses:
        forwarded, trusted = request.headers.get("X-Forwarded-For", ""), config.current().trusted_proxies
        keys.permit_address(caller, keys.client_address(request.remote_addr or "", forwarded, trusted))
    g.caller = caller
    keys.permit_endpoint(caller, request.blueprint, request.path)
    if local and caller.account != OPERATOR:
        raise GatewayError(403, f"This is for the gateway's operator. Use a key of the account {OPERATOR!r}.")
    return None


def _from_here() -> bool:
    """Whether a request comes from this machine itself. By its peer's address all do that a proxy on this machine
    passes on; so one that may have come through a proxy does not count: it has a header of theirs, or was sent to
    another name than this machine has for itself, or is HTTP/1.0, as a proxy speaks that was told nothing."""
    host = request.headers.get("Host", "")
    return (
        keys.loopback(request.remote_addr or "")
        and (keys.loopback(host) or host.partition(":")[0] == "localhost")
        and not any(name in request.headers for name in _FORWARDED)
        and request.environ.get("SERVER_PROTOCOL") != "HTTP/1.0"
    )


def _key() -> str | None:
    """The key of a request: of `Authorization: Bearer`, `x-api-key` and `x-goog-api-key` the first that is there; on
    Gemini's paths `?key=` too."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip(" \t")
    if scheme.lower() == "bearer" and token:
        return token
    named = request.headers.get("x-api-key") or request.headers.get("x-goog-api-key")
    return named or (request.args.get("key") if _googles() else None)


def _googles() -> bool:
    return request.blueprint == "gemini" or request.path.startswith(("/v1beta/", "/v1alpha/"))


def open_call(
    dialect: Words, schema: WireSchema, surface: str, said: Mapping[str, Any] | None = None, *, forms: bool = False
) -> Call:
    """The call that a request makes: its body read whole, guarded and held against its gate, its model permitted.

    said: what the path says as if the body did (Gemini's `model` and `stream`) · forms: a form is taken as well as
    JSON; the call's body then has its fields as values, files as `bodies.Upload`, and no text. Raises GatewayError,
    which names the field.
    """
    started = monotonic()
    if forms and is_form():
        form = read_form()
        sent, body = form.fingerprint.digest(), Scan("", _forms.values(schema, form.parts), [])
    else:
        sent = read_body()
        try:
            body = guard(sent)
        except BadJson as error:
            raise GatewayError(400, f"The body is no JSON that can be read: {error}.") from None
    dry = _is_dry()
    claim = None if dry else claimed(sent)
    call = admission.admitted(
        g.caller, g.request_id, dialect, schema, surface, body, said=said, headers=passed_headers(),
        route=request.headers.get(ROUTE), strict=request.headers.get("x-gateway-strict") == "1", dry=dry,
        claim=claim,
    )  # fmt: skip
    call.started = started
    g.call = call
    return call


def _is_dry() -> bool:
    return request.headers.get(_DRY) == "1"


_DRY = "x-gateway-dry-run"


def refuse_dry(what: str) -> None:
    """For what cannot be told without doing it. Raises GatewayError 400 where only that is wanted."""
    if _is_dry():
        raise GatewayError(400, f"{what} has no dry run. Leave the header {_DRY} out.", param=_DRY)


def claimed(sent: bytes) -> Claim | None:
    """What a request claims by its Idempotency-Key. sent: its body, or a digest of it. Raises GatewayError 400."""
    once = request.headers.get(idempotency.HEADER)
    return None if once is None else idempotency.claim(_key() or "", once, request.method, request.path, sent)


def passed_headers() -> dict[str, str]:
    """The few of the client's headers that go to a provider."""
    return {name: value for name in TO_PROVIDER if (value := request.headers.get(name)) is not None}


def watch() -> ClientWatch:
    """A watch over the socket of the client that made this request."""
    return ClientWatch(request.environ.get("gunicorn.socket"))


def read_body() -> bytes:
    """The request's body. Raises GatewayError 408, 413, 415 before more is read than may be."""
    if request.mimetype.startswith("multipart/"):
        raise GatewayError(415, "This path takes JSON, not multipart. Send a JSON body.")
    body = bytearray()  # a client may send it byte by byte, and each piece would be an object
    _receive(body.extend)
    return bytes(body)


def is_form() -> bool:
    """Whether a form is sent, with the files that are in it, instead of JSON."""
    return request.mimetype.startswith("multipart/")


def read_form() -> FormReader:
    """The form that is sent, its files spooled. Raises GatewayError 400, 408, 413, 415."""
    mark = boundary(request.headers.get("Content-Type", ""))
    if mark is None:
        raise GatewayError(415, "This is no multipart/form-data with a boundary. Let your client set Content-Type.")
    form = FormReader(mark, store.Spool)

    def take(piece: bytes) -> None:
        try:
            form.feed(piece)
        except BadForm as problem:
            raise GatewayError(400, f"The form cannot be read: {problem}.") from None

    _receive(take)
    try:
        form.end()
    except BadForm as problem:
        raise GatewayError(400, f"The form cannot be read: {problem}.") from None
    return form


def _receive(take: Callable[[bytes], object]) -> None:
    """Hand the request's body over as it comes. Raises GatewayError 400, 408, 413, 415 before more is read than may
    be."""
    settings = config.current()
    if request.headers.get("Content-Encoding", "identity").lower() not in ("identity", ""):
        raise GatewayError(415, "A compressed body is not taken. Send it without Content-Encoding.")
    length = request.content_length
    if length is not None and length > settings.max_body:
        raise _too_large(settings.max_body)
    stream = request.environ["wsgi.input"]
    arrived = getattr(stream, "arrived", stream.read)  # a test client's body is all there
    if length is not None and getattr(stream, "held", 0) >= length:  # as nearly always: no clock is needed
        take(bytes(arrived()))
        return
    late = GatewayError(408, "The body did not arrive in time. Send it again, without long pauses.")
    whole_s = 2 * settings.body_s * (1 + (length or settings.max_body) // _MB)
    came = 0
    try:
        with gevent.Timeout(whole_s, late):
            breath = monotonic()
            while length is None or came < length:
                if monotonic() - breath > _BREATH_S:
                    gevent.sleep(1e-6)  # who sends faster than it can be read would keep all others waiting
                    breath = monotonic()
                with gevent.Timeout(settings.body_s, late):
                    piece = arrived()
                if not piece:
                    break
                came += len(piece)
                if came > settings.max_body:
                    raise _too_large(settings.max_body)
                take(piece)
    except (GatewayError, MemoryError):
        stream.failed = True  # gunicorn's mark that the connection cannot be used again
        raise
    except Exception as error:  # whatever gunicorn says of chunks that are none
        stream.failed = True
        raise GatewayError(400, "The body could not be read: it ends early, or its chunks are broken.") from error
    if length is not None and came < length:
        raise GatewayError(400, f"The body ended after {came} of {length} bytes. Send all of it.")


def _too_large(most: int) -> GatewayError:
    return GatewayError(413, f"The body is larger than {most} bytes, the most that this gateway takes. Send less.")


def deliver(reply: Reply) -> Response:
    """A reply as a response. Pieces go out as they come."""
    return Response(reply.body, reply.status, reply.content_type, reply.headers)


def answer(values: object) -> Response:
    """What the gateway itself has to tell, as JSON."""
    return Response(orjson.dumps(values))


def answer_error(error: GatewayError) -> Response:
    """An error in the shape of the surface that was called."""
    told = [*error.headers]
    if error.retry_after is not None:
        told.append(("Retry-After", str(max(1, math.ceil(error.retry_after)))))
    call = g.get("call")
    if call is not None and call.attempts:
        told += [("x-generation-id", call.id), ("x-gateway-attempts", str(len(call.attempts)))]
    else:
        counts.REFUSALS.add((request.blueprint or "none", str(error.status)))
    return Response(_shape().error(error, g.request_id), error.status, headers=told)


_SHAPES: dict[str, str] = {"gemini": "gemini", "messages": "messages"}
"""Blueprints whose errors are not OpenAI's, and the dialect that they speak."""

_PATHS = (("/v1/messages", "messages"), ("/v1beta/", "gemini"), ("/v1alpha/", "gemini"))
"""Beginnings of paths, and the dialect in which is told that there is nothing, or not by that method."""


def _shape() -> Words:
    blueprint = request.blueprint
    found = lister() if blueprint == "models" else _SHAPES.get(blueprint or "")
    if found is None and blueprint is None:
        found = next((dialect for path, dialect in _PATHS if request.path.startswith(path)), None)
        if found is None and request.path.startswith("/v1/"):
            found = lister()
    return NAMED[found or "chat"]


def lister() -> str:
    """Whose list of models is asked for: three vendors have theirs at `/v1/models`, and headers tell them apart.

    Anthropic's clients name a version, with any way to send a key; Google's send the key in a header of its own.
    """
    if not request.path.startswith("/v1/"):
        return "gemini"
    if "anthropic-version" in request.headers:
        return "messages"
    others = "Authorization" in request.headers or "x-api-key" in request.headers
    return "gemini" if "x-goog-api-key" in request.headers and not others else "chat"


def _answer_http(error: HTTPException) -> Response:
    """What Flask itself refuses: unknown paths and methods, malformed requests."""
    status = error.code or 500
    path = request.path[:200]
    if status == 404:
        message = f"There is nothing at {path!r}. The API lives under /v1."
    elif status == 405:
        message = f"{request.method} is not possible at {path!r}. See the Allow header."
    else:
        message = f"The request was refused: {error.name}. Check it against the documentation."
    allow = error.get_headers() if status == 405 else []
    return answer_error(
        GatewayError(status, message, headers=tuple((name, value) for name, value in allow if name == "Allow"))
    )


def _answer_no_database(error: Exception) -> Response:
    _log.warning("request %s: the database does not answer: %s", g.get("request_id"), type(error).__name__)
    return answer_error(
        GatewayError(503, "The gateway's database does not answer now. Retry in a moment.", retry_after=2)
    )


def _answer_no_memory(error: MemoryError) -> Response:
    _log.warning("request %s: this worker gets no more memory", g.get("request_id"))
    return answer_error(
        GatewayError(
            503, "The gateway has no memory for this request now. Retry in a moment, or send less.", retry_after=2
        )
    )


def _answer_crash(error: Exception) -> Response:
    """A bug of ours: told in the log, without a body; the caller gets the request id to quote."""
    _log.error("request %s crashed", g.get("request_id"), exc_info=error)
    return answer_error(
        GatewayError(500, f"The gateway failed. Retry; if it happens again, tell its operator {g.request_id}.")
    )


def _preflight() -> Response:
    asked = request.headers.get("Access-Control-Request-Headers", "authorization, content-type")
    return Response(
        status=204,
        content_type="text/plain",
        headers=[
            ("Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS"),
            ("Access-Control-Allow-Headers", asked), ("Access-Control-Max-Age", "86400"),
        ],
    )  # fmt: skip


def dress(response: Response) -> Response:
    """The headers that every response has."""
    path = request.path
    told = [("x-request-id", g.request_id), ("X-Content-Type-Options", "nosniff")]
    if path.startswith("/v1/messages"):
        told.append(("request-id", g.request_id))  # where Anthropic's SDKs look for it
    if path.startswith(_SHARED):
        told += [("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", "*")]
    caller = g.get("caller")
    if caller is not None:
        call: Any = g.get("call")
        uses = call.rates if call is not None and call.rates else limits.standing(caller)
        told += limits.headers(uses, MOST, load.running)
        own = _VENDORS.get(_shape().name) if uses else None
        if own is not None:
            told += own(uses)
    response.headers.extend(told)
    return response


_VENDORS = {"chat": limits.openai_headers, "messages": limits.anthropic_headers}
"""What a vendor's clients look for beside, by the dialect of the answer."""
