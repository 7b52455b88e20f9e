"""Buckets of S3, and of the servers that speak it: put, get and remove one object; requests signed by AWS's signature,
version 4.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html. The bucket stands in the path, which
every such server knows.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qs, quote, unquote, urlsplit

from ..bodies import Body
from ..call import Fault
from . import pool

WAIT_S = 60.0
"""How long a server may take to answer."""

_EMPTY = hashlib.sha256(b"").hexdigest()


class Bucket:
    """One bucket, as the setting `media_url` names it. All raise Fault where the server does not do as it is asked."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._id, self._secret = unquote(parts.username or ""), unquote(parts.password or "")
        self._host = parts.netloc.rpartition("@")[2]
        self._origin = f"{parts.scheme}://{self._host}"
        self._path = parts.path.rstrip("/")
        self._region = parse_qs(parts.query).get("region", ["us-east-1"])[0]

    def put(self, name: str, body: Body, digest: str, media_type: str) -> None:
        """Write an object. digest: SHA-256 of the body in hexadecimal."""
        self._done(self._ask("PUT", name, digest, {"Content-Type": media_type}, body))

    def get(self, name: str, start: int, end: int) -> Iterator[bytes]:
        """The bytes of an object from `start` to before `end`, which must be there."""
        wire = self._ask("GET", name, _EMPTY, {"Range": f"bytes={start}-{end - 1}"}, None)
        left = end - start
        try:
            if wire.status != 206:
                raise Fault("server", status=wire.status)
            while left > 0:
                piece = wire.read()
                if not piece:
                    raise Fault("malformed")
                left -= len(piece)
                yield piece
            wire.read()
        finally:
            wire.close()

    def remove(self, name: str) -> None:
        """Remove an object, if it is there."""
        self._done(self._ask("DELETE", name, _EMPTY, {}, None), 404)

    def _done(self, wire: pool.HttpWire, *fine: int) -> None:
        try:
            if not 200 <= wire.status < 300 and wire.status not in fine:
                raise Fault("server", status=wire.status)
            while wire.read():  # so that the connection can be used again
                pass
        finally:
            wire.close()

    def _ask(self, method: str, name: str, digest: str, headers: dict[str, str], body: Body | None) -> pool.HttpWire:
        path = quote(f"{self._path}/{name}", safe="/-_.~%")
        signed = self.sign(method, path, digest, headers, datetime.now(UTC))
        return pool.ask(method, self._origin + path, signed, body, WAIT_S)

    def sign(self, method: str, path: str, digest: str, headers: dict[str, str], at: datetime) -> dict[str, str]:
        """The headers of a request, signed. path: as it is sent."""
        moment = at.strftime("%Y%m%dT%H%M%SZ")
        found = {"Host": self._host, **headers, "x-amz-content-sha256": digest, "x-amz-date": moment}
        lines = sorted((name.lower(), value) for name, value in found.items())
        names = ";".join(name for name, _ in lines)
        said = "".join(f"{name}:{value}\n" for name, value in lines)
        asked = hashlib.sha256(f"{method}\n{path}\n\n{said}\n{names}\n{digest}".encode()).hexdigest()
        scope = f"{moment[:8]}/{self._region}/s3/aws4_request"
        key = f"AWS4{self._secret}".encode()
        for part in (moment[:8], self._region, "s3", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.new(key, f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{asked}".encode(), "sha256").hexdigest()
        told = f"AWS4-HMAC-SHA256 Credential={self._id}/{scope},SignedHeaders={names},Signature={signature}"
        return {**found, "Authorization": told}
