"""A server that speaks as much of S3 as the gateway asks of it, and checks signatures by botocore where that is there."""

from __future__ import annotations

import hashlib
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

_EMPTY = hashlib.sha256(b"").hexdigest()
ID, SECRET = "AKIDEXAMPLE0000", "secret/with+odd=letters"


class _Bucket(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    objects: dict[str, tuple[str, Any]]
    """Type and file, for what is large must not be in memory."""

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _signed(self, digest: str) -> bool:
        named = self.headers["Authorization"].startswith(f"AWS4-HMAC-SHA256 Credential={ID}/")
        return named and self.headers["x-amz-content-sha256"] == digest

    def do_PUT(self) -> None:
        left, digest = int(self.headers["Content-Length"]), hashlib.sha256()
        file = tempfile.TemporaryFile()  # noqa: SIM115
        while left:
            piece = self.rfile.read(min(left, 1 << 16))
            left -= len(piece)
            digest.update(piece)
            file.write(piece)
        if not self._signed(digest.hexdigest()):
            return self._answer(403)
        self.objects[self.path] = (self.headers["Content-Type"], file)
        return self._answer(200)

    def do_GET(self) -> None:
        if not self._signed(_EMPTY):
            return self._answer(403)
        if self.path not in self.objects:
            return self._answer(404)
        kind, file = self.objects[self.path]
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"])
        assert found
        left = int(found[2]) + 1 - int(found[1])
        self.send_response(206)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(left))
        self.end_headers()
        file.seek(int(found[1]))
        while left:
            piece = file.read(min(left, 1 << 16))
            left -= len(piece)
            self.wfile.write(piece)
        return None

    def do_DELETE(self) -> None:
        if not self._signed(_EMPTY):
            return self._answer(403)
        self.objects.pop(self.path, None)
        return self._answer(204)


@contextmanager
def bucket() -> Iterator[str]:
    """Its address, as GATEWAY_MEDIA_URL takes it."""
    handler = type("Bucket", (_Bucket,), {"objects": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{ID}:{quote(SECRET, safe='')}@127.0.0.1:{server.server_port}/media/in?region=us-east-1"
    finally:
        server.shutdown()
        server.server_close()
