"""What becomes of an answer whose settlement the database does not take."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.billing import ledger
from gateway.call import Ask, Attempt, Meter
from gateway.errors import GatewayError
from gateway.relay import exchange
from models.writer import Ticket
from tests.made import call, leg


@pytest.mark.parametrize("doubtful", [False, True])
def test_who_may_have_paid_is_given_his_answer(monkeypatch: pytest.MonkeyPatch, doubtful: bool) -> None:
    """One whose commit may have arrived is not given up; any other is, and costs nothing."""
    ticket = Ticket(lambda: None, (), "", True, None)
    ticket.doubtful = doubtful
    released: list[str] = []
    monkeypatch.setattr(exchange, "SETTLE_S", 0.01)
    monkeypatch.setattr(ledger, "settle", lambda *_: ticket)
    monkeypatch.setattr(ledger, "release", lambda asked: released.append(asked.id))
    made: Any = call("chat", "gen_1", b"{}", Ask(model="m"), attempts=[Attempt("lab", 200, 5)])
    if doubtful:
        reply = exchange._settled(made, leg(), Meter(), b"the answer", {})
        assert (reply.status, reply.body) == (200, b"the answer") and not ticket.abandoned and not released
        return
    with pytest.raises(GatewayError) as refused:
        exchange._settled(made, leg(), Meter(), b"the answer", {})
    assert (refused.value.status, refused.value.retry_after) == (503, 30)
    assert ticket.abandoned and released == ["gen_1"]
