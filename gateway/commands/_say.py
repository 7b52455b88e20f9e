"""How a verb begins and what it says: text for people, `--json` for programs; one line on standard error when it fails.

Nothing of the database is imported before a verb runs: `serve` must leave that to its workers.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

import click
import orjson

from .. import config
from ..config import BadSetting, Settings


class Failure(Exception):
    """The verb cannot do it; the text is one line that says what to do next."""


def verb(function: Callable[..., Any]) -> Callable[..., Any]:
    """A command with `--json` whose failures are one line and exit code 1."""

    @click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
    @functools.wraps(function)
    def run(*args: Any, as_json: bool, **kwargs: Any) -> None:
        from models import base
        from models.writer import Busy

        click.get_current_context().obj = as_json
        try:
            function(*args, **kwargs)
        except (Failure, BadSetting, Busy) as error:
            fail(str(error))
        except (base.DatabaseError, OSError) as error:
            fail(f"The database cannot be used: {str(error).strip().splitlines()[0]}. See: python -m gateway doctor")
        finally:
            base.disconnect()

    return run


def fail(line: str) -> NoReturn:
    click.echo(" ".join(line.split()), err=True)
    sys.exit(1)


def wants_json() -> bool:
    return bool(click.get_current_context().obj)


def house() -> Settings:
    """The settings, and a connected database that is up to date. Raises BadSetting, Failure."""
    from models import base, migrations

    settings = config.load()
    config.use(settings)
    base.connect(settings.database_url)
    with base.session():
        applied = migrations.applied()
    if not applied:
        with base.session():
            migrations.up()
    elif len(applied) < len(migrations.MIGRATIONS):
        raise Failure("The database is older than this gateway. Bring it up to date: python -m gateway migrate")
    return settings


def say(values: Mapping[str, Any], text: str) -> None:
    """One result: an object for programs, a text for people."""
    click.echo(_json(values) if wants_json() else text)


def table(rows: Iterable[Mapping[str, Any]], columns: tuple[str, ...], empty: str) -> None:
    """Several results: a list for programs, aligned columns for people."""
    found = list(rows)
    if wants_json():
        click.echo(_json(found))
        return
    if not found:
        click.echo(empty)
        return
    lines = [columns, *(tuple(_cell(row[column]) for column in columns) for row in found)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _json(values: Any) -> str:
    """JSON text; amounts (`…_usd`) are numbers with all their digits."""
    return orjson.dumps(_numbered(values)).decode()


def _numbered(values: Any) -> Any:
    if isinstance(values, Mapping):
        return {
            name: orjson.Fragment(value) if name.endswith("_usd") and isinstance(value, str) else _numbered(value)
            for name, value in values.items()
        }
    return [_numbered(value) for value in values] if isinstance(values, list | tuple) else values


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
