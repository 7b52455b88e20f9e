"""The back door: `send(outbound)` gives a `Wire`, or raises a `Fault`; a GatewayError where this process is to blame.

One adapter for the process, prepared requests, no environment proxies, no redirects, no cookies. Every wait is
bounded: connecting and the head of an answer here, the body by whoever reads it.
"""

from __future__ import annotations

import errno
import logging
import ssl
from collections.abc import Mapping
from typing import Any

import gevent
import requests
import urllib3
from gevent.monkey import is_module_patched
from requests.structures import CaseInsensitiveDict

from .. import __version__
from ..bodies import Body
from ..call import Channel, Fault, Outbound, Wire
from ..config import Settings
from ..errors import GatewayError
from . import auth, bedrock, names, sandbox, vertex
from .odd import Odd
from .registry import KINDS, beside, root
from .transport import Adapter

_log = logging.getLogger("gateway.providers")
_adapter: Adapter | None = None
_settings: Settings | None = None
_TOLD_S = 15
"""How long what the gateway itself asks may take."""

_ODD: dict[str, Odd] = {"bedrock": bedrock, "vertex": vertex}
"""The providers that a row alone does not describe."""


def flaw(provider: str, secret: str) -> str | None:
    """Why a key can be none of a provider's, as far as that can be seen, in words for the operator."""
    return _ODD[provider].flaw(secret) if provider in _ODD else None


def open(settings: Settings) -> None:
    """Make the process's adapter. Call once, before the first `send`."""
    global _adapter, _settings
    _settings = settings
    if is_module_patched("socket"):
        names.use(settings.connect_s)
    _adapter = Adapter(
        connect_s=settings.connect_s, ca_file=str(settings.ca_file) if settings.ca_file else None, proxy=settings.proxy
    )


class HttpWire:
    """A provider's HTTP answer. See `call.Wire`."""

    def __init__(self, response: requests.Response) -> None:
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self._raw: Any = response.raw

    def read(self) -> bytes:
        try:
            return bytes(self._raw.read1(65_536, decode_content=False))
        except TimeoutError as error:
            raise Fault("timeout") from error
        except (OSError, urllib3.exceptions.HTTPError, requests.RequestException) as error:
            raise Fault("malformed") from error

    def close(self) -> None:
        self._raw.close()


def send(outbound: Outbound) -> Wire:
    """Send a request; its answer as soon as status and headers are there. Raises Fault."""
    assert _adapter is not None and _settings is not None
    first_s = max(_settings.first_byte_s if outbound.stream else _settings.whole_s, outbound.slow_s)
    try:
        with gevent.Timeout(_settings.connect_s + first_s, TimeoutError("no answer in time")):
            if outbound.channel.provider == "sandbox":
                return sandbox.send(outbound)
            odd = _ODD.get(outbound.channel.provider)
            if odd is not None and outbound.method == "POST":
                outbound = odd.prepare(outbound)
            request = _prepare(outbound.method, outbound, _below(outbound))
            bounded = outbound.stream and is_module_patched("socket")  # by whoever reads it
            waits = (_settings.connect_s, None) if bounded else (_settings.connect_s, first_s)
            response = _adapter.send(request, stream=True, timeout=waits)
    except Fault:
        raise
    except Exception as error:
        raise _fault(error, outbound.channel.name) from error
    if response.headers.get("content-encoding", "identity").lower() not in ("identity", ""):
        response.raw.close()
        raise Fault("malformed")
    wire = HttpWire(response)
    return wire if odd is None else odd.unwrap(wire, outbound)


def probe(channel: Channel, path: str, body: bytes | None = None) -> tuple[int, Mapping[str, str], bytes]:
    """A question of the operator's: GET what a row's `probe` names, or POST a body to the path of the channel's first
    dialect. Status, headers and up to 1 MB. Raises Fault."""
    assert _adapter is not None and _settings is not None
    outbound = Outbound(
        channel=channel,
        dialect=channel.dialects[0],
        model="none",
        path=path,
        body=body or b"",
        headers={},
        stream=False,
        account_id="",
    )
    odd = _ODD.get(channel.provider)
    try:
        if body is not None:
            outbound = outbound if odd is None else odd.prepare(outbound)
            url = _below(outbound)
        else:
            url = _url(channel.base_url, path) if path.startswith("/") else beside(channel.base_url, path)
        return _exchanged(_prepare("GET" if body is None else "POST", outbound, url))
    except Fault:
        raise
    except Exception as error:
        raise _fault(error, channel.name) from error


def ask(method: str, url: str, headers: Mapping[str, str], body: Body | None, wait_s: float) -> HttpWire:
    """A request of the gateway's own to a server of the operator's: its answer as soon as status and headers are there.
    Raises Fault."""
    assert _adapter is not None and _settings is not None
    try:
        with gevent.Timeout(_settings.connect_s + wait_s, TimeoutError("no answer in time")):
            request = _request(method, url, headers, body)
            return HttpWire(_adapter.send(request, stream=True, timeout=(_settings.connect_s, wait_s)))
    except Exception as error:
        raise _fault(error, url.split("/", 3)[2]) from error


def _exchanged(request: requests.PreparedRequest) -> tuple[int, Mapping[str, str], bytes]:
    """Status, headers and up to 1 MB of the answer to a request of the gateway's own."""
    assert _adapter is not None and _settings is not None
    with gevent.Timeout(_settings.connect_s + _TOLD_S, TimeoutError("no whole answer in time")):
        wire = HttpWire(_adapter.send(request, stream=True, timeout=(_settings.connect_s, _TOLD_S)))
        try:
            data = b""
            while len(data) < 1 << 20:
                piece = wire.read()
                if not piece:
                    break
                data += piece
        finally:
            wire.close()
    return wire.status, wire.headers, data


def _exchange(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None
) -> tuple[int, Mapping[str, str], bytes]:
    """See `odd.Exchange`."""
    return _exchanged(_request(method, url, headers, body))


def _prepare(method: str, outbound: Outbound, url: str) -> requests.PreparedRequest:
    channel = outbound.channel
    named = {"Accept": "application/json"}
    if method == "POST":
        named["Content-Type"] = outbound.content_type
    named |= auth.headers(channel, outbound.dialect)
    request = _request(method, url, named, outbound.body if method == "POST" else None)
    if outbound.headers:
        request.headers.update(outbound.headers)
    odd = _ODD.get(channel.provider)
    if odd is not None:
        odd.sign(request, channel, _exchange)
    return request


def _request(method: str, url: str, headers: Mapping[str, str], body: Body | None) -> requests.PreparedRequest:
    request = requests.PreparedRequest()
    request.method = method
    request.url = url
    named = {
        "Host": url.split("/", 3)[2], "User-Agent": f"gateway/{__version__}", "Accept-Encoding": "identity", **headers
    }  # fmt: skip
    if body is not None:
        named["Content-Length"] = str(len(body))
    request.headers = CaseInsensitiveDict(named)
    request.body = body or None  # type: ignore[assignment]  # the transport takes pieces, too
    request.hooks = {}
    return request


def _below(outbound: Outbound) -> str:
    """Where a request goes: its path below the base of its dialect."""
    channel = outbound.channel
    return _url(root(KINDS[channel.provider], channel.base_url, outbound.dialect), outbound.path)


def _url(base: str, path: str) -> str:
    """A path below a base URL. Vendors disagree on whether the base ends in the version; it is not said twice."""
    version = path[: path.index("/", 1)] if path.count("/") > 1 else ""
    return base.removesuffix(version) + path if version.startswith("/v1") else base + path


_OUR_ERRNOS = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}


def _fault(error: Exception, name: str) -> Fault | GatewayError:
    """What went wrong below, without a word that could hold a secret: a provider is not to blame for what this process
    has not."""
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) and len(causes) < 8:
        causes.append(cause)
    inner = getattr(getattr(error, "args", [None])[0] if error.args else None, "reason", None)
    kinds = (*causes, inner)
    if any(isinstance(kind, MemoryError) or getattr(kind, "errno", None) in _OUR_ERRNOS for kind in kinds):
        return GatewayError(
            503, "The gateway has no memory or no connections left for this call. Retry in a moment.", retry_after=1
        )
    _log.debug("%s: %s", name, type(error).__name__)
    if any(isinstance(kind, urllib3.exceptions.NameResolutionError) for kind in kinds):
        return Fault("unreachable", message="its name is not known here")
    if any(isinstance(kind, urllib3.exceptions.NewConnectionError) for kind in kinds):
        return Fault("unreachable", message="it could not be connected to")
    if any(isinstance(kind, urllib3.exceptions.ConnectTimeoutError) for kind in kinds):  # the two above are such, too
        return Fault("unreachable", message="it did not accept a connection in time")
    insecure = (ssl.SSLError, urllib3.exceptions.SSLError, urllib3.exceptions.ProxyError)
    if any(isinstance(kind, insecure) for kind in kinds):
        return Fault("unreachable", message="TLS or the proxy failed")
    if any(isinstance(kind, TimeoutError) for kind in kinds):
        return Fault("timeout")
    return Fault("malformed", silent=True)
