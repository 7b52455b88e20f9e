"""Fetches what callers' URLs point to: the one way out that a caller can aim, so it is narrow.

`check` says whether an address may be named at all; `safe_fetch` gets what is behind it. Only http and https, no
user, no odd spelling of a number; every address that a name has must be public, or in a network that the operator
allows, and the connection is made to an address that was checked, so that a name cannot change its mind in between.
Each redirect is checked like the first address; what is sent to one (`safe_post`) follows none. Nothing of ours goes
along: no cookie, no key, no proxy of the environment. What went wrong behind an address is not told, else this would be
a port scanner.

Special addresses: https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

import certifi
import gevent
import idna
from urllib3 import PoolManager, ProxyManager
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout, make_headers

from .. import __version__, config
from .transport import KEEPALIVE, Answer, Line

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MOST_REDIRECTS = 3
MOST_URL = 8_192
RESOLVE_S = 3.0
"""How long a name may take to be looked up; one that takes longer has no address."""

_MOST_TRIED = 3  # addresses of one name
_PORTS_FROM = 1_024  # of the lower ports only those of the web
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LOCAL = ("localhost", "local", "internal", "home.arpa", "lan", "intranet", "corp", "home")
"""Names that never stand for a public host."""

_PRIVATE_4 = tuple(
    ipaddress.IPv4Network(net)
    for net in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # Azure's own service for its machines, at a public address
    )
)  # fmt: skip
_GLOBAL_6 = ipaddress.IPv6Network("2000::/3")
_PRIVATE_6 = tuple(
    ipaddress.IPv6Network(net)
    for net in (
        "2001::/23",  # protocol assignments, Teredo among them: it hides any IPv4 address
        "2001:db8::/32", "2002::/16", "3fff::/20",
    )
)  # fmt: skip
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_BRACKETS = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]*)?")
_BROKEN = (OSError, HTTPError, HTTPException, ValueError)


class Forbidden(ValueError):
    """A URL may not be named. The text says why, as the end of a sentence about the field."""


class Failed(Exception):
    """What is behind a URL could not be fetched. The text says what can be told, as the end of such a sentence."""


class Target(NamedTuple):
    """Where a URL leads. addresses: all that its name has, checked; none where the name is not known here."""

    scheme: str
    host: str
    port: int
    path: str
    addresses: tuple[Address, ...]


def check(url: str, *, allow: Sequence[Network] = ()) -> Target:
    """Where a URL leads. allow: private networks that it may lead into. Raises Forbidden.

    A name that has no address here is no error: a provider that fetches by itself may know it.
    """
    if len(url) > MOST_URL:
        raise Forbidden(f"is longer than {MOST_URL} characters")
    if any(character <= " " or character in "\\\x7f" for character in url):
        raise Forbidden("holds a space, control character or backslash")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Forbidden("is no URL") from None
    if parts.scheme not in ("http", "https"):
        raise Forbidden("must be an http or https URL, or a data URL")
    if "@" in parts.netloc:
        raise Forbidden("must name no user")
    port = port if port is not None else 443 if parts.scheme == "https" else 80
    if not (port >= _PORTS_FROM or port in (80, 443)):
        raise Forbidden("must name port 80, 443 or one from 1024 on")
    path = quote(parts.path or "/", safe="%/:@!$&'()*+,;=~-._")
    if parts.query:
        path += "?" + quote(parts.query, safe="%/:@!$&'()*+,;=~-._?")
    if "[" in parts.netloc:
        host, addresses = _literal_6(parts.netloc)
    else:
        host, addresses = _named(parts.hostname or "")
    if not addresses and _local(host):
        raise Forbidden("must name a public host")
    if any(not _admitted(address, allow) for address in addresses):
        raise Forbidden("must not lead into a private network")
    return Target(parts.scheme, host, port, path, addresses)


def _literal_6(netloc: str) -> tuple[str, tuple[Address, ...]]:
    """The address in brackets. One with a scope (`%eth0`) means something on one machine only."""
    found = _BRACKETS.fullmatch(netloc)
    try:
        address = ipaddress.IPv6Address(found[1] if found else "")
    except ValueError:
        raise Forbidden("names no address that can be read") from None
    return f"[{address}]", (address,)


def _named(host: str) -> tuple[str, tuple[Address, ...]]:
    """A host in the spelling that goes onto the wire, and its addresses."""
    host = _ascii(host).removesuffix(".")
    labels = host.split(".")
    if len(host) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise Forbidden("names no host that can be read")
    if not _NUMBER.fullmatch(labels[-1]):
        return host, _addresses(host)
    try:  # octal, hexadecimal, short and single numbers mean different hosts to different readers
        address = ipaddress.IPv4Address(host)
    except ValueError:
        raise Forbidden("must spell an address as four decimal numbers") from None
    return str(address), (address,)


def _ascii(host: str) -> str:
    if host.isascii():
        return host.lower()
    try:
        return idna.encode(host, uts46=True, std3_rules=False).decode().lower()
    except (idna.IDNAError, UnicodeError):
        raise Forbidden("names no host that can be read") from None


def _local(host: str) -> bool:
    return "." not in host or any(host == name or host.endswith("." + name) for name in _LOCAL)


def _addresses(host: str) -> tuple[Address, ...]:
    """All addresses of a name; () where it has none here."""
    try:
        with gevent.Timeout(RESOLVE_S, TimeoutError()):
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))


def _admitted(address: Address, allow: Sequence[Network]) -> bool:
    """Whether an address may be connected to: it is public, or the operator allows its network."""
    address = _plain(address)
    if any(address.version == network.version and address in network for network in allow):
        return True
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _PRIVATE_4)
    return address in _GLOBAL_6 and not any(address in network for network in _PRIVATE_6)


def _plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for (mapped, or translated by NAT64), if it does for one."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def safe_fetch(url: str, *, most_bytes: int, allow: Sequence[Network], timeout_s: float) -> tuple[str, bytes]:
    """What is behind a URL: its content type as it was told, "" if it was not, and its bytes.

    Raises Forbidden for an address that may not be fetched, here or behind a redirect, and Failed.
    """
    with gevent.Timeout(timeout_s, Failed("could not be fetched in time")):
        answer, line = _found(url, allow, timeout_s)
        try:
            return _read(answer, most_bytes)
        finally:
            answer.close()
            line.close()


def safe_stream(
    url: str, *, allow: Sequence[Network], idle_s: float, redirects: bool = True
) -> Iterator[bytes]:  # fmt: skip
    """What is behind a URL, in pieces as it comes. idle_s: how long the next may take. Raises Forbidden, Failed."""
    late = Failed("could not be fetched in time")
    with gevent.Timeout(idle_s, late):
        answer, line = _found(url, allow, idle_s, MOST_REDIRECTS if redirects else 0)
    try:
        _refuse_odd(answer)
        while True:
            try:
                with gevent.Timeout(idle_s, late):
                    piece = answer.read1()
            except _BROKEN:
                raise Failed("could not be fetched") from None
            if not piece:
                return
            yield piece
    finally:
        answer.close()
        line.close()


def safe_post(
    url: str, body: bytes, headers: Mapping[str, str], *, allow: Sequence[Network], timeout_s: float
) -> tuple[int, str | None]:
    """Send something to a URL; the status that came back, and its Retry-After. Redirects are not followed: who is told
    something says where. Raises Forbidden, Failed."""
    with gevent.Timeout(timeout_s, Failed("did not answer in time")):
        target = check(url, allow=allow)
        if not target.addresses:
            raise Failed("could not be reached")
        answer, line = _ask(target, timeout_s, "POST", body, headers)
        answer.close()
        line.close()
        return answer.status, answer.headers.get("retry-after")


def _found(
    url: str, allow: Sequence[Network], timeout_s: float, redirects: int = MOST_REDIRECTS
) -> tuple[Answer, Line]:
    """The answer behind a URL and its redirects, at most so many. Raises Forbidden, Failed."""
    for _ in range(redirects + 1):
        target = check(url, allow=allow)
        if not target.addresses:
            raise Failed("could not be fetched")
        answer, line = _ask(target, timeout_s)
        if answer.status not in _REDIRECTS or not answer.headers.get("location"):
            return answer, line
        answer.close()
        line.close()
        url = urljoin(url, answer.headers["location"])
    raise Failed("redirects too often")


def _ask(
    target: Target,
    timeout_s: float,
    method: str = "GET",
    body: bytes | None = None,
    further: Mapping[str, str] | None = None,
) -> tuple[Answer, Line]:
    """Send the request to the first of the checked addresses that takes it; its answer, with status and headers."""
    default = 443 if target.scheme == "https" else 80
    headers = {
        "Host": target.host if target.port == default else f"{target.host}:{target.port}",
        "User-Agent": f"gateway/{__version__}",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
        **(further or {}),
    }
    if body is not None:
        headers["Content-Length"] = str(len(body))
    connect_s = config.current().connect_s
    for address in target.addresses[:_MOST_TRIED]:
        line, origin = _line(target, address, connect_s)
        try:
            return line.urlopen(method, origin + target.path, body, headers, Timeout(read=timeout_s)), line
        except _BROKEN:
            line.close()
    raise Failed("could not be fetched")


def _line(target: Target, address: Address, connect_s: float) -> tuple[Line, str]:
    """A line to one address, and what stands before the path. TLS is held against the name, not the address."""
    proxy = config.current().proxy
    options: dict[str, Any] = {"maxsize": 1, "socket_options": KEEPALIVE}
    if target.scheme == "https":
        name = target.host.strip("[]")
        options |= {"ssl_context": _tls(), "server_hostname": name, "assert_hostname": name}
    place = f"[{address}]" if address.version == 6 else str(address)
    if proxy is None:
        manager = PoolManager(**options)
        return Line(manager.connection_from_host(place, target.port, target.scheme), connect_s, {}), ""
    user, _, server = proxy.partition("://")[2].rpartition("@")
    secret = dict(make_headers(proxy_basic_auth=user)) if user else {}
    scheme = proxy.partition("://")[0]
    through = ProxyManager(f"{scheme}://{server}", proxy_headers=secret, **options)
    pool = through.connection_from_host(place, target.port, target.scheme)
    plain = target.scheme == "http"
    return Line(pool, connect_s, secret if plain else {}), f"http://{place}:{target.port}" if plain else ""


@cache
def _tls() -> ssl.SSLContext:
    ca_file = config.current().ca_file
    return ssl.create_default_context(cafile=str(ca_file) if ca_file else certifi.where())


def _refuse_odd(answer: Answer) -> None:
    if answer.status != 200 or answer.headers.get("content-encoding", "identity").lower() not in ("identity", ""):
        raise Failed("could not be fetched")


def _read(answer: Answer, most_bytes: int) -> tuple[str, bytes]:
    _refuse_odd(answer)
    too_large = Failed(f"is larger than {most_bytes} bytes")
    length = answer.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > most_bytes:
        raise too_large
    pieces: list[bytes] = []
    total = 0
    try:
        while piece := answer.read1():
            total += len(piece)
            if total > most_bytes:
                raise too_large
            pieces.append(piece)
    except _BROKEN:
        raise Failed("could not be fetched") from None
    return answer.headers.get("content-type", ""), b"".join(pieces)
