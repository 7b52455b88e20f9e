"""The back door: `send(outbound)` gives a `Wire`, or raises a `Fault`.

One adapter for the process, prepared requests, no environment proxies, no redirects, no cookies. Every wait is
bounded: connecting and the head of an answer here, the body by whoever reads it.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from typing import Any

import gevent
import requests
import urllib3
from requests.structures import CaseInsensitiveDict

from .. import __version__
from ..call import Channel, Fault, Outbound, Wire
from ..config import Settings
from . import auth, sandbox
from .registry import KINDS, beside, root
from .transport import Adapter

_log = logging.getLogger("gateway.providers")
_adapter: Adapter | None = None
_settings: Settings | None = None


def open(settings: Settings) -> None:
    """Make the process's adapter. Call once, before the first `send`."""
    global _adapter, _settings
    _settings = settings
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
    first_s = _settings.first_byte_s if outbound.stream else _settings.whole_s
    try:
        with gevent.Timeout(_settings.connect_s + first_s, TimeoutError("no answer in time")):
            if outbound.channel.provider == "sandbox":
                return sandbox.send(outbound)
            request = _prepare(outbound.method, outbound, _below(outbound))
            response = _adapter.send(request, stream=True, timeout=(_settings.connect_s, first_s))
    except Fault:
        raise
    except Exception as error:
        raise _fault(error, outbound.channel) from error
    if response.headers.get("content-encoding", "identity").lower() not in ("identity", ""):
        response.raw.close()
        raise Fault("malformed")
    return HttpWire(response)


def probe(channel: Channel, path: str, body: bytes | None = None) -> tuple[int, Mapping[str, str], bytes]:
    """A question of the operator's: GET what a row's `probe` names, or POST a body to the path of the channel's first
    dialect. Status, headers and up to 1 MB. Raises Fault."""
    assert _adapter is not None and _settings is not None
    outbound = Outbound(
        channel=channel,
        dialect=channel.dialects[0],
        model="",
        path=path,
        body=body or b"",
        headers={},
        stream=False,
        account_id="",
    )
    if body is not None:
        url = _below(outbound)
    else:
        url = _url(channel.base_url, path) if path.startswith("/") else beside(channel.base_url, path)
    try:
        request = _prepare("GET" if body is None else "POST", outbound, url)
        response = _adapter.send(request, stream=True, timeout=(_settings.connect_s, 15))
        wire = HttpWire(response)
        data = b""
        while len(data) < 1 << 20:
            piece = wire.read()
            if not piece:
                break
            data += piece
        wire.close()
    except Fault:
        raise
    except Exception as error:
        raise _fault(error, channel) from error
    return wire.status, wire.headers, data


def _prepare(method: str, outbound: Outbound, url: str) -> requests.PreparedRequest:
    channel = outbound.channel
    headers = CaseInsensitiveDict(
        {
            "Host": url.split("/", 3)[2],
            "User-Agent": f"gateway/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
    )
    if method == "POST":
        headers["Content-Type"] = "application/json"
        headers["Content-Length"] = str(len(outbound.body))
    headers.update(auth.headers(channel, outbound.dialect))
    headers.update(outbound.headers)
    request = requests.PreparedRequest()
    request.method = method
    request.url = url
    request.headers = headers
    request.body = outbound.body or None
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


def _fault(error: Exception, channel: Channel) -> Fault:
    """What went wrong below, without a word that could hold a secret."""
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) and len(causes) < 8:
        causes.append(cause)
    inner = getattr(getattr(error, "args", [None])[0] if error.args else None, "reason", None)
    kinds = (*causes, inner)
    _log.debug("channel %s: %s", channel.name, type(error).__name__)
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
    return Fault("malformed")
