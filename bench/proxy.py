"""nginx in front of a gateway: by deploy/nginx.conf where the checkout has it, moved to a free port and without TLS."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.gateway import ROOT, free_port

SITE = ROOT / "deploy" / "nginx.conf"

_LEAST = """
upstream gateway { server 127.0.0.1:8080; keepalive 64; }
server {
    listen 80;
    client_max_body_size 64m;
    location / {
        proxy_pass http://gateway;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
        proxy_buffering off;
        proxy_request_buffering off;
        proxy_read_timeout 1800s;
    }
}
"""
"""What is used where the checkout has no file of its own."""


@contextmanager
def nginx(program: str, at: Path, behind: int) -> Iterator[tuple[int, int]]:
    """nginx with one worker before the gateway at the port `behind`: its own port and process."""
    at.mkdir(parents=True, exist_ok=True)
    port = free_port()
    site = _moved(SITE.read_text() if SITE.exists() else _LEAST, port, behind)
    temporary = "".join(
        f"{kind}_temp_path {at / kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (at / "nginx.conf").write_text(
        f"daemon off;\nworker_processes 1;\npid {at / 'pid'};\nerror_log {at / 'error.log'} warn;\n"
        f"events {{ worker_connections 4096; }}\nhttp {{\naccess_log off;\n{temporary}{site}\n}}\n"
    )
    process = subprocess.Popen([program, "-p", str(at), "-c", "nginx.conf"])
    try:
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(10)


def _moved(site: str, port: int, behind: int) -> str:
    """The site's file with our ports: it listens once, in plain HTTP, and needs no certificate. A server that only
    leads to HTTPS is left out."""
    site = re.sub(r"(?ms)^server \{\n(?:(?!^\}).)*?\breturn 30\d (?:(?!^\}).)*^\}\n", "", site)
    site = re.sub(r"^\s*(listen|ssl_\w+)\s[^;]*;[^\n]*\n", "", site, flags=re.MULTILINE)
    site = re.sub(r"(\bserver\s*\{)", rf"\1\n    listen 127.0.0.1:{port};", site, count=1)
    return re.sub(r"((?:server\s+|http://)(?:127\.0\.0\.1|localhost)):\d+", rf"\1:{behind}", site)
