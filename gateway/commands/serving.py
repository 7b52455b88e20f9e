"""`serve` and `migrate`, and what happens before the port opens.

Nothing here imports a database when it is loaded: `gunicorn.conf.py` patches for gevent first.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

import click

from .. import config, ids
from ..config import BadSetting, Settings
from ._say import Failure, fail, first_line, say, verb

FIRST_CREDITS = 100
"""Dollars of the first account."""

PORT_S = 3.0

ROOT = Path(__file__).resolve().parents[2]


@click.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65_535), help="Port to listen on.")
@click.option("--workers", type=click.IntRange(1, 64), help="Worker processes.")
@click.option("--json", "as_json", is_flag=True, help="Log as JSON lines.")
def serve(host: str | None, port: int | None, workers: int | None, as_json: bool) -> None:
    """Bring the database up to date and serve until SIGTERM or SIGINT."""
    for name, value in (("HOST", host), ("PORT", port), ("WORKERS", workers), ("LOG", "json" if as_json else None)):
        if value is not None:
            os.environ[f"GATEWAY_{name}"] = str(value)  # read again with the rest
    try:
        settings = config.load()
    except BadSetting as error:
        fail(str(error))
    _need_port(settings)
    sys.path.insert(0, str(ROOT))
    from ..server import Server

    Server(ROOT, _app).run()


def _app() -> Any:
    import wsgi

    return wsgi.app


def _need_port(settings: Settings) -> None:
    """Ends this process with one clear line where the port cannot be had. Waits a little first: the workers of a
    master that was killed notice within two seconds."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    patience = time.monotonic() + PORT_S
    while True:
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((settings.host, settings.port))
                return
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > patience:
                fail(
                    f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. Stop what uses it, or set"
                    " GATEWAY_HOST and GATEWAY_PORT."
                )
            time.sleep(0.1)


def prepared(settings: Settings) -> bool:
    """Prepare. False if that fails, and what is wrong was said."""
    try:
        prepare(settings)
    except Failure as error:
        click.echo(" ".join(str(error).split()), err=True)
        return False
    except Exception as error:  # one clear line instead of a trace: nothing runs yet
        click.echo(f"The gateway cannot start: {first_line(error)}. See: python -m gateway doctor", err=True)
        return False
    return True


def prepare(settings: Settings) -> None:
    """Migrate, keep the channels of the environment, and on an empty database make and print the first key."""
    from models import base, change, migrations

    from .channels import keep_channels, open_rooms, sealed_elsewhere

    config.use(settings)
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    base.connect(settings.database_url)
    with base.session():
        migrations.up()
        change.poll()
    open_rooms(settings)
    keep_channels(settings.sandbox)
    for name in sealed_elsewhere():
        click.echo(
            f"Channel {name}: its key was sealed under another GATEWAY_SECRET, so it cannot be called. Machines that"
            " share a database must share the secret.",
            err=True,
        )
    _first_account(settings)
    base.disconnect()


def _first_account(settings: Settings) -> None:
    import models.account
    from models.base import session

    from .. import money
    from ..billing import ledger
    from .accounts import create_account, create_key, find_account

    with session():
        if models.account.everyone():
            return
    create_account("operator", "unlimited")
    account = find_account("operator")
    ledger.grant(account.id, FIRST_CREDITS * money.NANOS, "first start")
    key = settings.bootstrap_key or ids.new_key(settings.key_prefix)
    create_key(account, "first", key)
    if settings.bootstrap_key:
        return
    click.echo(
        f"The first key, of the account `operator` with ${FIRST_CREDITS} of credit. It is shown only now:\n\n"
        f"  export KEY={key}\n\n"
        "Try it:\n\n"
        f'  curl {settings.public_url}/v1/chat/completions -H "Authorization: Bearer $KEY" \\\n'
        """    -d '{"model": "sandbox/echo", "messages": [{"role": "user", "content": "Hello!"}]}'\n"""
    )


@click.command()
@click.option("--down", metavar="NAME", help="Undo migrations down to and including this one; their tables are lost.")
@verb
def migrate(down: str | None) -> None:
    """Bring the database up to date."""
    from models import base, migrations

    settings = config.load()
    base.connect(settings.database_url)
    if down is not None and sys.stdin.isatty():
        click.confirm(f"Undo down to {down}? What its tables hold is lost.", abort=True)
    with base.session():
        if down is None:
            done, undone = migrations.up(), []
        else:
            try:
                done, undone = [], migrations.down(down)
            except migrations.UnknownMigration:
                names = ", ".join(migrations.applied()) or "none"
                raise Failure(f"No migration {down!r} is applied. Applied: {names}.") from None
    say(
        {"applied": done, "undone": undone},
        "\n".join([*done, *(f"undone: {name}" for name in undone)]) or "Nothing to do.",
    )
