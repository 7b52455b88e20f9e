"""Settings: one table of name, type, default and help; read from the environment and `.env`.

`docs/settings.md` is printed from the same table. A wrong value stops the start with one clear line (`BadSetting`).
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from dotenv.parser import parse_stream

CONNECTIONS = 5_000
"""Connections that one worker takes at once."""

_UNITS = {"": 1, "b": 1, "kib": 1 << 10, "kb": 1 << 10, "mib": 1 << 20, "mb": 1 << 20, "gib": 1 << 30, "gb": 1 << 30}


class BadSetting(Exception):
    """A setting has a value that cannot be used; the text is one line for the operator."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the table below says, parsed. Times are seconds, sizes bytes."""

    host: str
    port: int
    data: Path
    database_url: str
    workers: int
    public_url: str
    key_prefix: str
    secret: str | None
    durability: str
    log: str
    ca_file: Path | None
    proxy: str | None
    bootstrap_key: str | None
    max_body: int
    sandbox: bool
    hold_output_tokens: int
    connect_s: float
    first_byte_s: float
    idle_s: float
    whole_s: float
    deadline_s: float
    task_s: float
    body_s: float
    rest_max_s: float
    fetch_allow: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    trusted_proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    timezone: ZoneInfo
    media_url: str | None
    file_gb_day_usd: Decimal

    def __repr__(self) -> str:
        """Without the secrets: a settings object may end up in a traceback."""
        shown = (f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.name not in SECRET)
        return f"Settings({', '.join(shown)})"


SECRET = frozenset({"secret", "bootstrap_key", "database_url", "proxy", "media_url"})


@dataclass(frozen=True, slots=True)
class Row:
    """One setting: the field of Settings, what a value must be (in words), how it is read, default and help."""

    field: str
    words: str
    read: Callable[[str], Any]
    default: str | None
    help: str

    @property
    def name(self) -> str:
        return "GATEWAY_" + self.field.upper()


def _text(value: str) -> str:
    return value


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        number = int(value)
        if not low <= number <= high:
            raise ValueError
        return number

    return read


def _seconds(value: str) -> float:
    number = float(value)
    if not 0 < number <= 86_400:
        raise ValueError
    return number


def _size(value: str) -> int:
    match = re.fullmatch(r"(\d{1,12})\s*([a-z]*)", value.strip().lower())
    if not match or match[2] not in _UNITS or int(match[1]) == 0:
        raise ValueError
    return int(match[1]) * _UNITS[match[2]]


def _dollars(value: str) -> Decimal:
    if not re.fullmatch(r"\d{1,4}(?:\.\d{1,9})?", value) or Decimal(value) > 1_000:
        raise ValueError
    return Decimal(value)


def _switch(value: str) -> bool:
    return {"on": True, "1": True, "true": True, "yes": True, "off": False, "0": False, "false": False, "no": False}[
        value.lower()
    ]


def _one_of(*words: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in words:
            raise ValueError
        return value

    return read


def _pem(value: str) -> Path:
    path = Path(value)
    try:
        if b"-----BEGIN " not in path.read_bytes():
            raise ValueError
    except OSError as error:
        raise ValueError from error
    return path


def _url(*schemes: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in schemes or not parts.hostname or parts.port == 0:  # what is no port raises by itself
            raise ValueError
        return value.rstrip("/")

    return read


def _database(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme == "sqlite":
        file = re.fullmatch(r"sqlite:///([^?#]+)", value)
        if file is None or file[1] == ":memory:":
            raise ValueError
    elif parts.scheme not in ("postgresql", "postgres"):
        raise ValueError
    return value


def _bucket(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not (parts.hostname and parts.username and parts.password):
        raise ValueError
    if parts.port == 0:
        raise ValueError
    if not parts.path.strip("/") or parts.fragment or (parts.query and not parts.query.startswith("region=")):
        raise ValueError
    return value


def _prefix(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", value):
        raise ValueError
    return value


def _secret(value: str) -> str:
    if len(value) < 16 or not value.isprintable():
        raise ValueError
    return value


def _networks(value: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(part.strip()) for part in value.split(",") if part.strip())


def _zone(value: str) -> ZoneInfo:
    try:
        return ZoneInfo(value)
    except OSError as error:  # a folder of zones
        raise ValueError from error


_SECONDS = "a number of seconds above 0, at most 86400"
_SIZE = "a size such as 64 MiB"

ROWS = (
    Row("host", "an address to listen on", _text, "127.0.0.1", "Address to listen on. Put nginx in front for others."),
    Row("port", "a port from 1 to 65535", _whole(1, 65_535), "8080", "Port to listen on."),
    Row("data", "a folder", Path, "./data", "Folder of the SQLite file, the installation secret and stored media."),
    Row(
        "database_url",
        "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME",
        _database,
        None,
        "Database. Default: the SQLite file `gateway.db` in GATEWAY_DATA.",
    ),
    Row(
        "workers",
        "a whole number from 1 to 64",
        _whole(1, 64),
        None,
        "Worker processes. Default: one a processor, at least 2 and at most 8.",
    ),
    Row(
        "public_url",
        "an http or https address",
        _url("http", "https"),
        None,
        "Address that clients use, for links. Default: http://HOST:PORT.",
    ),
    Row("key_prefix", "1 to 32 of A-Z a-z 0-9 _ -", _prefix, "sk-getgpt-", "What new API keys begin with."),
    Row(
        "secret",
        "at least 16 printable characters",
        _secret,
        None,
        "Secret that seals provider keys in the database; machines that share a database must share it. Default: the"
        " file `secret.key` in GATEWAY_DATA, made once.",
    ),
    Row(
        "durability",
        "process or power",
        _one_of("process", "power"),
        "process",
        "`process`: receipts reach the disk within 20 ms. `power`: before the last byte of an answer.",
    ),
    Row("log", "text or json", _one_of("text", "json"), "text", "Form of the log on standard error."),
    Row("ca_file", "a PEM file that can be read", _pem, None, "Certificate authorities to trust towards providers."),
    Row("proxy", "an http or https address", _url("http", "https"), None, "Proxy for all outgoing calls."),
    Row(
        "bootstrap_key",
        "at least 16 printable characters",
        _secret,
        None,
        "The first key, on an empty database; used, not printed.",
    ),
    Row("max_body", _SIZE, _size, "64 MiB", "Largest request body."),
    Row("sandbox", "on or off", _switch, "on", "The embedded provider `sandbox`, which needs no key."),
    Row(
        "hold_output_tokens",
        "a whole number from 1 to 10000000",
        _whole(1, 10_000_000),
        "16384",
        "Output tokens that a call without a limit of its own holds credit for.",
    ),
    Row("connect_s", _SECONDS, _seconds, "3", "One attempt: to connect."),
    Row("first_byte_s", _SECONDS, _seconds, "60", "One attempt: to the first byte of a stream."),
    Row("idle_s", _SECONDS, _seconds, "60", "One attempt: between two bytes of a stream."),
    Row("whole_s", _SECONDS, _seconds, "600", "One attempt: to the last byte of a whole answer."),
    Row("deadline_s", _SECONDS, _seconds, "1800", "One call, over all its attempts."),
    Row("task_s", _SECONDS, _seconds, "3600", "One task, from when it is asked for to its results."),
    Row(
        "body_s",
        _SECONDS,
        _seconds,
        "30",
        "Reading a request: its head whole; of its body without a byte, twice that for each started MB.",
    ),
    Row("rest_max_s", _SECONDS, _seconds, "60", "Longest rest of a failing channel before it is tried again."),
    Row(
        "fetch_allow",
        "networks such as 10.0.0.0/8, separated by commas",
        _networks,
        "",
        "Private networks that URLs in calls may point to.",
    ),
    Row(
        "trusted_proxies",
        "networks such as 10.0.0.0/8, separated by commas",
        _networks,
        "127.0.0.0/8,::1",
        "Proxies whose `X-Forwarded-For` is believed, for keys that are bound to addresses.",
    ),
    Row("timezone", "a name such as Europe/Zurich", _zone, "UTC", "Where days, weeks and months of budgets begin."),
    Row(
        "media_url",
        "https://ID:SECRET@HOST/BUCKET?region=REGION, what is odd in ID and SECRET as %2F",
        _bucket,
        None,
        "A bucket of S3, or of a server that speaks it, for media; a folder may stand behind its name. Default: the"
        " folder `media` in GATEWAY_DATA, which several machines must share.",
    ),
    Row(
        "file_gb_day_usd",
        "dollars from 0 to 1000",
        _dollars,
        "0",
        "What callers pay for keeping files: for each gigabyte and day, all at once as they send them.",
    ),
)


def read(environ: dict[str, str] | None = None) -> tuple[Settings, list[str]]:
    """The settings of this process and one line for each wrong value (its default is taken then)."""
    wrong = []
    if environ is None:
        wrong = _take_env_file(Path.cwd() / ".env")
        environ = dict(os.environ)
    values: dict[str, Any] = {}
    for row in ROWS:
        given = environ.get(row.name)
        if given is not None and (given.strip() or row.default == ""):
            try:
                values[row.field] = row.read(given.strip())
                continue
            except (ValueError, KeyError):
                shown = "" if row.field in SECRET else f" is {given!r} but"
                wrong.append(f"{row.name}{shown} must be {row.words}.")
        values[row.field] = None if row.default is None else row.read(row.default)
    values["data"] = values["data"].absolute()
    values["database_url"] = values["database_url"] or f"sqlite:///{quote(str(values['data'] / 'gateway.db'))}"
    values["workers"] = values["workers"] or min(8, max(2, os.cpu_count() or 2))
    host = f"[{values['host']}]" if ":" in values["host"] else values["host"]
    values["public_url"] = values["public_url"] or f"http://{host}:{values['port']}"
    return Settings(**values), wrong


_from_file: dict[str, str] = {}
"""What the environment has from `.env`."""


def _take_env_file(path: Path) -> list[str]:
    """Put what a `.env` file says into the environment, where nothing but the file itself, read before, has set it; one
    line for each wrong line."""
    try:
        with path.open(encoding="utf-8") as file:
            bindings = list(parse_stream(file))
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        return [f"The file {path} cannot be read ({type(error).__name__}). Mend or remove it."]
    for name, value in _from_file.items():
        if os.environ.get(name) == value:
            del os.environ[name]
    _from_file.clear()
    for binding in bindings:
        if not binding.error and binding.key and binding.value is not None and binding.key not in os.environ:
            os.environ[binding.key] = _from_file[binding.key] = binding.value
    return [
        f"Line {binding.original.line} of {path} says nothing. Write it as NAME=value."
        for binding in bindings
        if binding.error or (binding.key and binding.value is None)
    ]


def load(environ: dict[str, str] | None = None) -> Settings:
    """The settings of this process. Raises BadSetting with one line when a value is wrong."""
    settings, wrong = read(environ)
    if wrong:
        raise BadSetting(" ".join(wrong))
    return settings


def as_markdown() -> str:
    """The page `docs/settings.md`."""
    lines = [
        "# Settings",
        "",
        "Read from the environment and from a file `.env` in the folder that the gateway is started in. Printed from"
        " the table in `gateway/config.py` by `make docs`.",
        "",
        "| name | must be | default | what it does |",
        "|---|---|---|---|",
    ]
    for row in ROWS:
        default = "" if not row.default else f"`{row.default}`"
        lines.append(f"| `{row.name}` | {row.words} | {default} | {row.help} |")
    lines += [
        "",
        "Provider keys are read by their usual names, such as `OPENAI_API_KEY`: each makes a channel named after its"
        " provider, which is disabled when the variable is gone. The key itself is not stored.",
        "",
    ]
    return "\n".join(lines)


_current: Settings | None = None


def use(settings: Settings) -> None:
    """Make these the settings of this process."""
    global _current
    _current = settings


def current() -> Settings:
    """The settings of this process."""
    assert _current is not None, "config.use() comes first"
    return _current
