"""How a verb begins and what it says: text for people, `--json` for programs; one line on standard error when it fails.

Nothing of the database is imported before a verb runs: `serve` must leave that to its workers.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

import click
import orjson

from .. import config
from ..config import BadSetting, Settings


class Failure(Exception):
    """The verb cannot do it; the text is one line that says what to do next."""

    code = 1


class Misuse(Failure):
    """What was typed cannot be meant, whatever the database holds."""

    code = 2


def verb(function: Callable[..., Any]) -> Callable[..., Any]:
    """A command with `--json` whose failures are one line and an exit code: 1, or 2 for what was typed wrong."""

    @click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
    @functools.wraps(function)
    def run(*args: Any, as_json: bool, **kwargs: Any) -> None:
        from models import base
        from models.writer import Busy

        click.get_current_context().obj = as_json
        logging.getLogger().addHandler(logging.NullHandler())  # a verb says itself what went wrong, in one line
        try:
            function(*args, **kwargs)
        except Failure as error:
            fail(str(error), error.code)
        except BadSetting as error:
            fail(str(error))
        except (base.DatabaseError, Busy) as error:
            fail(f"The database cannot be used: {first_line(error)}. See: python -m gateway doctor")
        except (UnicodeEncodeError, orjson.JSONEncodeError):
            fail("What was typed holds bytes that are no UTF-8 text. Type it again without them.", Misuse.code)
        except BrokenPipeError:
            raise  # who read us has enough
        except OSError as error:
            what = ": ".join(str(part) for part in (error.filename, error.strerror or first_line(error)) if part)
            fail(f"The system refused: {what}. Look at the rights of GATEWAY_DATA, and its free space.")
        finally:
            base.disconnect()

    return run


def fail(line: str, code: int = Failure.code) -> NoReturn:
    click.echo(" ".join(line.split()), err=True)
    sys.exit(code)


def first_line(error: Exception) -> str:
    """What a library says is wrong, without its further explanations and its full stop."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


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
    """JSON text; amounts (`…_usd`) and rates (`…_mtok`) are numbers with all their digits."""
    return orjson.dumps(_numbered(values)).decode()


_MONEY = ("_usd", "_mtok")


def _numbered(values: Any) -> Any:
    if isinstance(values, Mapping):
        return {
            name: orjson.Fragment(value) if name.endswith(_MONEY) and isinstance(value, str) else _numbered(value)
            for name, value in values.items()
        }
    return [_numbered(value) for value in values] if isinstance(values, list | tuple) else values


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
