"""The fault catalogue's short form: what must hold whatever happens, and nothing about how fast. `make faults` is the
long one, and `tests/live/test_crashes.py` kills."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import processes, providers
from tests.faults.lab import Lab, lab

SEED = 20


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    print(f"seed {SEED}")
    with lab(SEED, folder=Path(tmp_path_factory.mktemp("faults"))) as made:
        yield made


def test_a_provider_that_fails_is_left_and_found_again(here: Lab) -> None:
    assert providers.one_fails(here, "error", status=500, lasts=0.3, before_s=0.5).wrong == []


def test_answers_that_break_off_are_told_and_charged_for_what_came(here: Lab) -> None:
    assert providers.one_fails(here, "reset_mid", breaks=True, lasts=0.3, before_s=0.5).wrong == []


def test_clients_that_leave_pay_for_what_they_got(here: Lab) -> None:
    assert processes.leaving_clients(here, 24).wrong == []
