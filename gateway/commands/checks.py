"""`doctor` says what is wrong and how to mend it; `books` whether the money adds up."""

from __future__ import annotations

import contextlib
import difflib
import http.client
import os
import shlex
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import click

import models.account
import models.channel
import models.health
import models.route
from models import base, change, migrations
from models.base import session

from .. import book, config
from ..billing import books as money_books
from ..billing import prices
from ..call import Leg
from ..config import Settings
from ..providers.registry import KINDS
from ..routing import catalogue
from ..routing import channels as live
from ..vault import NoSecret, installation_secret
from . import _probe
from ._say import Failure, first_line, house, say, verb, wants_json
from .channels import open_rooms

SOUND_SQLITE = (3, 51, 3)


class Finding(NamedTuple):
    """level: error, warning or note · what: is wrong · mend: what to do."""

    level: str
    what: str
    mend: str


@click.command()
@click.option("--url", help="Also ask the running gateway at this address.")
@verb
def doctor(url: str | None) -> None:
    """Look for what is wrong, and say how to mend it."""
    findings = list(_look(url))
    ok = not any(finding.level == "error" for finding in findings)
    if wants_json():
        say({"ok": ok, "findings": [finding._asdict() for finding in findings]}, "")
    else:
        for finding in findings:
            click.echo(f"{finding.level.upper():8} {finding.what}\n         {finding.mend}")
        if all(finding.level == "note" for finding in findings):
            click.echo("All is well.")
        elif not ok:
            click.echo("Mend the errors, then ask again.")
    if not ok:
        count = sum(finding.level == "error" for finding in findings)
        raise Failure(f"The doctor found {count} error{'s' if count > 1 else ''}.")


def _look(url: str | None) -> Iterator[Finding]:
    settings, wrong = config.read()
    config.use(settings)
    for line in wrong:
        yield Finding("error", line, "Set it right in the environment or in .env; docs/settings.md lists all.")
    yield from _unknown_settings()
    problem = _folder(settings)
    if problem is not None:
        yield problem
        return
    no_secret = _secret(settings)
    if no_secret is not None:
        yield no_secret
    ready: list[bool] = []
    yield from _database(settings, ready)
    if ready:
        if no_secret is None:
            open_rooms(settings)
            yield from _channels()
            yield from _models()
            yield from _resting()
        yield from _money()
    if url:
        yield from _running(url)


def _unknown_settings() -> Iterator[Finding]:
    fields = [row.field for row in config.ROWS]
    for name in sorted(os.environ):
        field = name.removeprefix("GATEWAY_").lower()
        if name.startswith("GATEWAY_") and field not in fields:
            meant = difflib.get_close_matches(field, fields, 1)
            hint = f"Did you mean GATEWAY_{meant[0].upper()}?" if meant else "Remove it."
            yield Finding("warning", f"{name} is no setting and has no effect.", f"{hint} docs/settings.md lists all.")


def _secret(settings: Settings) -> Finding | None:
    """Whether the installation secret can be read; one that is not there yet is made by whoever needs it."""
    if not os.path.lexists(settings.data / "secret.key"):
        return None
    try:
        installation_secret(settings.secret, settings.data)
    except NoSecret as error:
        return Finding("error", error.what, error.mend)
    return None


def _folder(settings: Settings) -> Finding | None:
    made = [folder for folder in (settings.data, *settings.data.parents) if not folder.exists()]
    try:
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=settings.data):
            pass
        if not os.access(settings.data, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        return Finding(
            "error",
            f"The data folder {settings.data} cannot be written: {error.strerror}.",
            "Give this user the right to write there, or set GATEWAY_DATA to another folder.",
        )
    finally:
        for folder in made:  # the doctor leaves nothing behind
            with contextlib.suppress(OSError):
                folder.rmdir()
    return None


def _database(settings: Settings, ready: list[bool]) -> Iterator[Finding]:
    """Looks at the database without changing it; `ready` gets an entry when it can be asked further."""
    path = unquote(urlsplit(settings.database_url).path)[1:]
    in_file = settings.database_url.startswith("sqlite:")
    if in_file and not Path(path).exists():
        yield Finding("warning", f"There is no database at {path} yet.", "Start the gateway: it makes one.")
        return
    try:
        base.connect(settings.database_url)
        with session():
            applied = migrations.applied()
    except migrations.Newer as error:
        yield Finding(
            "error",
            f"The database cannot be used: {error}.",
            "Run that gateway, or let it undo what is its own: python -m gateway migrate --down NAME",
        )
        return
    except (base.DatabaseError, OSError) as error:
        yield Finding(
            "error",
            f"The database cannot be used: {first_line(error)}.",
            f"Check that {path} is the gateway's, or put it back from a backup."
            if in_file
            else "Check GATEWAY_DATABASE_URL, and that the server runs.",
        )
        return
    if len(applied) < len(migrations.MIGRATIONS):
        yield Finding("error", "The database is not up to date.", "Run: python -m gateway migrate")
    else:
        ready.append(True)
        yield from _writing(path if in_file else None)
    version = base.sqlite_version()
    if version is not None and version < SOUND_SQLITE:
        yield Finding(
            "warning",
            f"SQLite {'.'.join(map(str, version))} has a rare bug that can damage a database under several writers.",
            "The gateway works around it (one checkpointing process). SQLite 3.51.3 or Postgres are free of it.",
        )


def _writing(path: str | None) -> Iterator[Finding]:
    """Whether the database, at this path if it is SQLite's, takes writes."""
    try:
        with session():
            change.rehearse()
    except base.DatabaseError as error:
        yield Finding(
            "error",
            f"The database takes no writes: {first_line(error)}.",
            "Give the database's user the right to write."
            if path is None
            else f"Give this user the right to write {path} and the files beside it; look for what else holds it.",
        )


def _channels() -> Iterator[Finding]:
    with session():
        rows = [row for row in models.channel.everyone() if row.enabled]
        routes = models.route.everyone()
    by_shell = [row.name for row in rows if row.secret_env]
    if by_shell:
        yield Finding(
            "note",
            f"Keys of the environment are checked as this shell and .env have them: {', '.join(by_shell)}.",
            "Ask the doctor with the environment that the gateway starts with.",
        )
    for row in rows:
        channel = live.thaw(row) if row.provider in KINDS else None
        if channel is None:
            yield Finding("error", f"Channel {row.name}: no provider {row.provider!r}.", f"channels remove {row.name}")
            continue
        if row.secret and channel.secret is None:
            yield Finding(
                "error",
                f"Channel {row.name}: its key was sealed under another GATEWAY_SECRET.",
                "Set the old secret again, or remove the channel and add it with its key.",
            )
            continue
        problem = _probe.problem(channel, row.secret_env)
        if problem is not None:
            yield Finding("error", f"Channel {row.name}: {problem.what}", problem.mend)
    alive = {row.id for row in rows}
    for model, legs in routes.items():
        if not any(channel_id in alive for channel_id, _ in legs):
            yield Finding(
                "error",
                f"The route {model} has no enabled channel.",
                f"Enable one, or: python -m gateway routes remove {model}",
            )


def _models() -> Iterator[Finding]:
    snapshot = live.current()
    for model in catalogue.listed(snapshot):
        for channel, upstream in catalogue.legs(snapshot, model):
            leg = Leg(channel=channel, model=upstream, dialect="chat")
            if prices.of_leg(leg, model) is None:
                yield Finding(
                    "error",
                    f"The model {model} has no price on channel {channel.name}, so it is refused there.",
                    f"python -m gateway prices set {leg.name} --input-mtok USD --output-mtok USD",
                )
    for channel in snapshot.by_id.values():
        named = any(name.startswith(f"{channel.namespace}/") for name in prices.known())
        booked = channel.provider == "sandbox" or channel.provider in book.current().providers
        if channel.models is None and not channel.free and not named and not booked:
            yield Finding(
                "error",
                f"No model of {channel.namespace}/… has a price, so channel {channel.name} is refused.",
                f"python -m gateway prices set '{channel.namespace}/*' --input-mtok USD --output-mtok USD",
            )


def _resting() -> Iterator[Finding]:
    with session():
        names = {row.id: row.name for row in models.channel.everyone() if row.enabled}
        rows = models.health.everyone()
    for row in rows:
        name = names.get(row.channel)
        if name is None:
            continue
        what = f"Channel {name}: {row.model or 'every model'} was last found {_FOUND[row.cause]}."
        if row.cause == "account":
            yield Finding("warning", what, f"Mend the key or the account there: python -m gateway channels test {name}")
        else:
            yield Finding("note", what, "Calls go to other channels first, and one at a time finds out if it is back.")


_FOUND = {
    "account": "to refuse our account", "limited": "at its rate limit", "timeout": "not to answer in time",
    "server": "to fail", "malformed": "to answer what makes no sense", "unreachable": "to be out of reach",
}  # fmt: skip
"""Why a leg rests, in words."""


def _money() -> Iterator[Finding]:
    with session():
        accounts = models.account.everyone()
    if not accounts:
        yield Finding("warning", "There is no account, so nobody can call.", "Start the gateway: it makes the first.")
    for account in accounts:
        if account.granted_nanos - account.spent_nanos <= 0:
            mend = f"python -m gateway credits add {shlex.quote(account.name)} 10"
            yield Finding("warning", f"The account {account.name} has no credits.", mend)


def _running(url: str) -> Iterator[Finding]:
    for path in ("/healthz", "/readyz"):
        try:
            if not url.startswith(("http://", "https://")):
                raise ValueError("it must begin with http:// or https://")
            with urllib.request.urlopen(url.rstrip("/") + path, timeout=5) as answer:  # noqa: S310  # checked above
                if answer.status == 200:
                    continue
            problem = f"answers HTTP {answer.status}"
        except urllib.error.HTTPError as error:
            problem = f"answers HTTP {error.code}"
        except (OSError, ValueError, http.client.HTTPException) as error:
            problem = f"does not answer ({getattr(error, 'reason', error)})"
        yield Finding("error", f"{url.rstrip('/')}{path} {problem}.", "Look at the gateway's log, and that it runs.")
        return


@click.command()
@verb
def books() -> None:
    """Check that all money adds up, on the live database."""
    settings = house()
    count, wrong = money_books.check(settings.deadline_s)
    text = "\n".join(wrong) if wrong else f"The books of {count} account{'s' if count != 1 else ''} are right."
    say({"ok": not wrong, "accounts": count, "wrong": wrong}, text)
    if wrong:
        raise Failure(f"{len(wrong)} thing{'s are' if len(wrong) > 1 else ' is'} wrong in the books.")


__all__ = ["books", "doctor"]
