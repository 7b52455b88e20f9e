"""kill -9 at every point where money could be lost or doubled, and under load: the books and the clients agree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from gateway.crash import POINTS
from tests.faults import checker
from tests.faults.load import BROKEN, COMPLETE, LOST, Line, Outcome
from tests.gateway import Gateway

CASES = [(point, stream) for point in POINTS for stream in (False, True)]


class Crash(NamedTuple):
    """What a client saw of the call during which a worker died, what the same caller was answered to the same question
    afterwards, and the costs on the receipts of both."""

    seen: Outcome
    again: Outcome
    costs: list[int]
    cost_again: int


class Crashes(NamedTuple):
    gateway: Gateway
    by_case: dict[tuple[str, bool], Crash]
    wrong: list[str]  # what the checker says


@pytest.fixture(scope="module")
def crashes(kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashes]:
    """A gateway that was killed once at each point, in a whole call and in a stream; and then swept."""
    database = request.getfixturevalue("postgres").url() if kind == "postgres" else None
    folder = tmp_path_factory.mktemp("crashing")
    order, draft = folder / "order", folder / "draft"
    asked: dict[tuple[str, bool], tuple[Outcome, Outcome]] = {}
    with Gateway(folder, database=database, GATEWAY_TEST="1", CRASH_AT=str(order)) as gateway:
        _, key = gateway.account("1")
        for number, (point, stream) in enumerate(CASES):
            model = f"sandbox/tokens-{20 + number}"  # tells whose receipt it is
            draft.write_text(point)
            draft.rename(order)
            seen = _ask(gateway, key, model, stream)
            assert not order.exists(), f"nobody came to {point}"
            asked[point, stream] = seen, _ask(gateway, key, model, stream, until_answered=True)
        wrong = checker.check(gateway, [outcome for both in asked.values() for outcome in both])
        receipts = checker.receipts(gateway, {key})
        by_case = {}
        for case, (seen, again) in asked.items():
            costs = {receipt.id: receipt.cost for receipt in receipts.values() if receipt.model == seen.model}
            by_case[case] = Crash(seen, again, cost_again=costs.pop(again.id or ""), costs=list(costs.values()))
        yield Crashes(gateway, by_case, wrong)


def _ask(gateway: Gateway, key: str, model: str, stream: bool, until_answered: bool = False) -> Outcome:
    """until_answered: a connection may still fall to the dead worker, as clients that retry know."""
    while True:
        outcome = Line(gateway.url).ask(key, model, stream, "the same")
        if outcome.came_to != LOST or not until_answered:
            return outcome


@pytest.mark.parametrize(("point", "stream"), CASES)
def test_a_death_at_any_point_charges_what_was_settled_and_nothing_else(
    crashes: Crashes, point: str, stream: bool
) -> None:
    case = crashes.by_case[point, stream]
    assert case.seen.came_to == (BROKEN if case.seen.frames else LOST), "a client never takes it for an end"
    assert bool(case.seen.frames) == (stream and point not in ("after_hold", "after_dispatch"))
    settled = point in ("after_settle", "before_last_byte")
    assert case.costs == ([case.cost_again] if settled else []) and case.cost_again > 0
    assert case.again.came_to == COMPLETE, "the others go on"


def test_the_books_hold_after_all_these_deaths(crashes: Crashes) -> None:
    assert crashes.wrong == []
    outcomes = [outcome for case in crashes.by_case.values() for outcome in (case.seen, case.again)]
    assert checker.truncated(crashes.gateway, outcomes) == 4, "settled, and cut before the last byte"
