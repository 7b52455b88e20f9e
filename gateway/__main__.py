"""The command line: `python -m gateway …`. Every verb takes `--json`; docs/settings.md lists the environment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

from . import __version__
from .commands._say import Misuse, fail

VERBS = {
    "serve": "serving.serve",
    "migrate": "serving.migrate",
    "accounts": "accounts.accounts",
    "credits": "accounts.credits",
    "keys": "accounts.keys",
    "plans": "accounts.plans",
    "channels": "channels.channels",
    "routes": "channels.routes",
    "models": "prices.model_names",
    "prices": "prices.price_list",
    "tasks": "tasks.tasks",
    "doctor": "checks.doctor",
    "books": "checks.books",
}
"""Verb → where it lives below `gateway.commands`; imported only when it is asked for."""


@contextmanager
def _one_line() -> Iterator[None]:
    """Wrong usage is told in one line, as every failure is. A verb without its second word still gets its help."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        help_of = error.ctx.command_path if error.ctx else "python -m gateway"
        fail(f"{error.format_message().rstrip('.')}. See: {help_of} --help", Misuse.code)


class Verbs(click.Group):
    """A group whose verbs are loaded by name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with _one_line():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with _one_line():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module, name = VERBS[cmd_name].split(".")
        command: click.Command = getattr(import_module(f"gateway.commands.{module}"), name)
        return command


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gateway")
def main() -> None:
    """An AI gateway that a team runs for itself."""


if __name__ == "__main__":
    main(prog_name="python -m gateway")
