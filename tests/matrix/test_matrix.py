"""All of the matrix: nothing in it may be wrong."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from gateway.dialects import bridge

from . import __main__ as matrix
from . import recordings, schemas


@pytest.fixture(scope="module")
def book(shared: Path) -> schemas.Book:
    return schemas.Book(shared / "wire" / "spec")


def _check(what: str, cases: Iterable[tuple[str, str, list[str] | str]], least: int) -> None:
    found = [(name, wrong) for name, _, wrong in cases if not isinstance(wrong, str)]
    bad = [f"{name}: {'; '.join(wrong)}" for name, wrong in found if wrong]
    print(f"{what}: {len(found)} tried, {len(bad)} wrong")
    assert len(found) > least and not bad, "\n".join(bad[:40])


def test_recorded_answers_for_clients_of_every_dialect(shared: Path, book: schemas.Book) -> None:
    _check("recordings × client dialects", matrix.answers(shared, book), least=1200 * len(bridge.DIALECTS))


def test_recorded_requests_for_providers_of_every_dialect(shared: Path, book: schemas.Book) -> None:
    _check("requests", matrix.asked_for(shared, book), least=1000 * (len(bridge.DIALECTS) - 1))


def test_recorded_thoughts_and_seals_come_back_to_their_maker(shared: Path, book: schemas.Book) -> None:
    _check("next turns", matrix.next_turns(shared, book), least=100 * (len(bridge.DIALECTS) - 1))


def test_the_list_of_faulty_recordings_names_recordings(shared: Path) -> None:
    names = {one.name for one in recordings.recordings(shared)} | {one.name for one in recordings.requests(shared)}
    assert not (recordings.ANSWERS.keys() | recordings.REQUESTS.keys()) - names
