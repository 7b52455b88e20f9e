"""Who is measured: the provider itself, this gateway in several ways, others' gateways, and the least Flask can be.

All stand in front of the same provider. Others run without keys, limits or books of their own; this gateway with all
that it does for any call: key, schema, price, hold, settlement, receipt.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.gateway import ROOT, Gateway, free_port

from . import peers, proxy
from .programs import EVENTS, GAP_MS, WHOLE, Missing, Provider

_START_S = 180
_LOOK_S = 0.005


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One that can be called.

    roots: processes that are its own, with all below them · namespace: what stands before the provider's model names ·
    messages: whether Anthropic's Messages are translated · start_s: from its start to its first answer.
    """

    name: str
    port: int
    roots: tuple[int, ...]
    namespace: str = ""
    headers: tuple[str, ...] = ()
    messages: bool = False
    start_s: float | None = None

    def body(self, model: str = "bench", **more: Any) -> bytes:
        asked = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Name the primary colours."}]
        return json.dumps({"model": self.namespace + model, "messages": asked, **more}).encode()

    def message(self) -> bytes:
        """The same words as an Anthropic client says them."""
        asked = [{"role": "user", "content": "Name the primary colours."}]
        told: dict[str, Any] = {"model": f"{self.namespace}bench", "max_tokens": 256, "system": "Be brief."}
        return json.dumps({**told, "messages": asked}).encode()


@dataclass(frozen=True)
class Kind:
    """A row of the table: what it is, and how it is started; Missing says why it cannot be."""

    name: str
    title: str
    run: Callable[[Provider, Path], Any]


@contextmanager
def direct(to: Provider, at: Path) -> Iterator[Subject]:
    yield Subject(name="direct", port=to.port, roots=(to.pid,))


def first_answer(
    process: subprocess.Popen[bytes], subject: Subject, log: Path, model: str | None = None, holds: str = WHOLE
) -> float:
    """Ask until it answers a call; the time since now. Raises Missing when it ends, or takes too long."""
    body = json.loads(subject.body())
    asked = json.dumps(body if model is None else {**body, "model": model})
    began = time.monotonic()
    headers = {"Content-Type": "application/json", **dict(line.split(": ", 1) for line in subject.headers)}
    said = "nothing"
    while time.monotonic() < began + _START_S and process.poll() is None:
        client = http.client.HTTPConnection("127.0.0.1", subject.port, timeout=20)
        try:
            client.request("POST", "/v1/chat/completions", asked, headers)
            answer = client.getresponse()
            said = answer.read().decode(errors="replace")
            if answer.status == 200 and holds in said:
                return time.monotonic() - began
            time.sleep(0.2)
        except OSError:
            time.sleep(_LOOK_S)
        finally:
            client.close()
    raise Missing(f"{subject.name} does not answer. It says: {said[:300]}; its log ends: {log.read_text()[-600:]}")


@contextmanager
def running(
    words: list[str], at: Path, subject: Subject, environ: dict[str, str], cwd: Path | None = None
) -> Iterator[Subject]:
    """A program of others that listens on the subject's port, until the end. at: where its log goes."""
    log = at / f"{subject.name}.log"
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with log.open("wb") as file:
        process = subprocess.Popen(words, cwd=cwd or at, env={**inherited, **environ}, stdout=file, stderr=file)
    try:
        start_s = first_answer(process, subject, log)
        yield replace(subject, roots=(process.pid,), start_s=start_s)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def constant(to: Provider, at: Path) -> Iterator[Subject]:
    subject = Subject(name="constant", port=free_port(), roots=())
    words = [sys.executable, "-m", "gunicorn", "-k", "gevent", "-w", "1", "-b", f"127.0.0.1:{subject.port}"]
    words += ["--no-control-socket", "bench.constant:app"]
    with running(words, at, subject, {"PYTHONPATH": str(ROOT)}, cwd=ROOT) as made:
        yield made


@contextmanager
def litellm(to: Provider, at: Path) -> Iterator[Subject]:
    program = peers.litellm()
    subject = Subject(name="litellm", port=free_port(), roots=(), messages=True)
    models = [
        {"model_name": name, "litellm_params": {"model": f"openai/{name}", "api_base": to.url, "api_key": "x"}}
        for name in ("bench", f"bench-{EVENTS}-{GAP_MS}")
    ]
    settings = {"telemetry": False, "use_chat_completions_url_for_anthropic_messages": True}
    told = {"model_list": models, "litellm_settings": settings}
    (at / "litellm.json").write_text(json.dumps(told))  # YAML takes JSON
    words = [str(program), "--config", "litellm.json", "--host", "127.0.0.1", "--port", str(subject.port)]
    environ = {"LITELLM_LOG": "ERROR", "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}
    with running([*words, "--num_workers", "1"], at, subject, environ) as made:
        yield made


@contextmanager
def portkey(to: Provider, at: Path) -> Iterator[Subject]:
    words = peers.portkey()
    headers = ("x-portkey-provider: openai", f"x-portkey-custom-host: {to.url}", "Authorization: Bearer x")
    subject = Subject(name="portkey", port=free_port(), roots=(), headers=headers)
    with running([*words, f"--port={subject.port}", "--headless"], at, subject, {}) as made:
        yield made


def of(live: Gateway, name: str, start_s: float | None = None) -> Subject:
    """A gateway of ours as a subject."""
    return Subject(
        name=name, port=live.port, roots=(live.process.pid,), namespace="lab/", messages=True, start_s=start_s,
        headers=(f"Authorization: Bearer {live.key}",),
    )  # fmt: skip


def gateway(at: Path, to: Provider, **settings: str) -> Gateway:
    """Ours with one worker, as a user would set it up: a channel `lab` whose models cost something."""
    at.mkdir(parents=True, exist_ok=True)
    live = Gateway(at, workers=1, **settings)
    live.start()
    live.cli(
        "channels", "add", "--provider", "openai-compatible", "--name", "lab", "--base-url", to.url, "--key", "-",
        "--models", "*", stdin="sk-of-the-provider",
    )  # fmt: skip
    live.cli("prices", "set", "lab/*", "--input-mtok", "0.15", "--output-mtok", "0.60")
    live.cli("credits", "add", "operator", "1000000")
    live.settle_in()
    return live


def started(live: Gateway) -> None:
    """Start it, and do not wait."""
    with live.log.open("ab") as log:
        live.process = subprocess.Popen(
            live.command, cwd=live.folder, env=live.environ, stdout=log, stderr=log, start_new_session=True
        )


def restart(live: Gateway, name: str) -> Subject:
    """Stop it, start it again, and see how long that takes to the first answer."""
    live.stop()
    started(live)
    return replace(of(live, name), start_s=first_answer(live.process, of(live, name), live.log))


@contextmanager
def ours(to: Provider, at: Path) -> Iterator[Subject]:
    live = gateway(at / "gateway", to)
    try:
        yield of(live, "gateway")
    finally:
        live.stop()


@contextmanager
def power(to: Provider, at: Path) -> Iterator[Subject]:
    live = gateway(at / "power", to, GATEWAY_DURABILITY="power")
    try:
        yield of(live, "power")
    finally:
        live.stop()


@contextmanager
def nginx(to: Provider, at: Path) -> Iterator[Subject]:
    program = shutil.which("nginx")
    if program is None:
        raise Missing("nginx is not installed here (sudo apt-get install nginx)")
    live = gateway(at / "behind", to)
    try:
        with proxy.nginx(program, at / "nginx", live.port) as (port, pid):
            yield replace(of(live, "nginx"), port=port, roots=(live.process.pid, pid))
    finally:
        live.stop()


KINDS = (
    Kind("direct", "the provider itself", direct),
    Kind("constant", "gunicorn + gevent + Flask, a constant answer", constant),
    Kind("litellm", "LiteLLM", litellm),
    Kind("portkey", "Portkey (Node)", portkey),
    Kind("gateway", "this gateway", ours),
    Kind("power", "this gateway, `GATEWAY_DURABILITY=power`", power),
    Kind("nginx", "this gateway behind nginx", nginx),
)
