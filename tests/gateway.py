"""A live gateway for tests: started as a user would, talked to over HTTP and by its command line."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import requests

from tests.verbs import verb

ROOT = Path(__file__).resolve().parents[1]
KEY = "sk-getgpt-first-key-of-the-tests"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Gateway:
    """`python -m gateway serve` in a folder of its own. Use as a context manager."""

    def __init__(self, folder: Path, *, database: str | None = None, workers: int = 2, **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.base_url = f"{self.url}/v1"
        self.key = KEY
        self.log = folder / "log.txt"
        self.workers = workers
        self.command = [sys.executable, "-m", "gateway", "serve"]
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")},
            "GATEWAY_DATA": str(folder / "data"),
            "GATEWAY_PORT": str(self.port),
            "GATEWAY_WORKERS": str(workers),
            "GATEWAY_BOOTSTRAP_KEY": KEY,
            "PYTHONPATH": str(ROOT),
            **({"GATEWAY_DATABASE_URL": database} if database else {}),
            **settings,
        }
        self._made = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Gateway:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, env=self.environ, stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + 60
        while True:
            try:
                if requests.get(f"{self.url}/readyz", timeout=2).status_code == 200:
                    return
            except requests.RequestException:
                pass
            assert self.process.poll() is None and time.monotonic() < end, self.log.read_text()[-4000:]
            time.sleep(0.05)

    def stop(self) -> None:
        """End it politely; by force after a while."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def worker_pids(self) -> list[int]:
        return sorted(child.pid for child in psutil.Process(self.process.pid).children())

    def cli(self, *words: str, ok: bool = True, stdin: str | None = None) -> Any:
        """Run a verb with `--json`; what it printed, parsed. With ok=False the finished process, whatever came."""
        done = verb(*words, "--json", cwd=self.folder, environ=self.environ, stdin=stdin)
        if not ok:
            return done
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def account(self, usd: str | None = "10", **key: str) -> tuple[str, str]:
        """A new account with credit, and a key of it: (name, key). key: further options of `keys create`."""
        with self._lock:
            self._made += 1
            name = f"team-{os.getpid()}-{self._made}"
        self.cli("accounts", "create", name)
        if usd is not None:
            self.cli("credits", "add", name, usd)
        options = [word for option, value in key.items() for word in (f"--{option.replace('_', '-')}", value)]
        made = self.cli("keys", "create", "--account", name, "--name", "test", *options)
        return name, made["key"]

    def settle_in(self, seconds: float = 1.0) -> None:
        """Wait until a change by the command line holds in all workers."""
        time.sleep(seconds)

    def post(self, path: str, body: Any, key: str | None = None, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {key or self.key}", **options.pop("headers", {})}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        options.setdefault("timeout", 60)
        return requests.post(f"{self.url}{path}", data=data, headers=headers, **options)

    def get(self, path: str, key: str | None = None, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {key or self.key}", **options.pop("headers", {})}
        return requests.get(f"{self.url}{path}", headers=headers, timeout=30, **options)

    def chat(self, model: str, text: str = "Hello!", key: str | None = None, **more: Any) -> requests.Response:
        body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
        return self.post("/v1/chat/completions", body, key, stream=bool(more.get("stream")))

    def credits(self, key: str | None = None) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            self.get("/v1/credits", key).text, parse_float=lambda text: __import__("decimal").Decimal(text)
        )["data"]
        return found

    def books(self) -> dict[str, Any]:
        done = self.cli("books", ok=False)
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def frames(response: requests.Response) -> list[str]:
    """The data of a streamed response's frames, to its end."""
    text = response.content.decode()
    return [part[6:] for part in text.split("\n\n") if part.startswith("data: ")]
