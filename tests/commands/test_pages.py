"""The pages for people: every line that calls a verb can be typed as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from gateway.__main__ import VERBS, main

ROOT = Path(__file__).resolve().parents[2]


def lines(page: str) -> list[list[str]]:
    """The words of all calls of `gateway` in a page's blocks."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", (ROOT / page).read_text(), re.M | re.S)
    calls = [call.strip() for line in "".join(blocks).splitlines() for call in line.split("&&")]
    return [shlex.split(call, comments=True)[1:] for call in calls if call.startswith("gateway ")]


@pytest.mark.parametrize("page", ["README.md", "docs/operating.md"])
def test_what_a_page_says_to_type_is_right_usage(page: str) -> None:
    found = lines(page)
    assert len(found) >= 5
    for words in found:
        command: click.Command = main
        rest = words
        context = click.Context(main)
        while isinstance(command, click.Group):
            inner = command.get_command(context, rest[0])
            assert inner is not None, words
            command, rest = inner, rest[1:]
        command.make_context(" ".join(words), list(rest))  # raises UsageError for what no option or argument is


def test_operating_names_every_verb() -> None:
    section = (ROOT / "docs" / "operating.md").read_text().partition("## Verbs")[2].partition("###")[0]
    table = [line for line in section.splitlines() if line.startswith("| `")]
    assert {name for line in table for name in re.findall(r"`([a-z]+)`", line.split("|")[1])} == set(VERBS)
