"""Waiting for a task: who waits is woken by a change, and by nothing that he knows already."""

from __future__ import annotations

import gevent

import models.account
import models.key
from gateway.tasks import news
from models import ledger, task
from models.base import session
from models.writer import write
from tests.models.test_task import values


def stamp(task_id: str) -> news.Stamp:
    with session():
        return task.stamps([task_id])[task_id]


def test_a_second_who_waits_is_not_told_what_he_knows(db: str) -> None:
    """The first waits since before a change, the second since after it, and the look that tells the first has not come:
    taking what the first knows for news, the second would ask again and again without ever letting the look come."""
    write(models.account.create, "acc_1", "one", "unlimited", 1)
    write(lambda: models.key.create(id="key_1", account_id="acc_1", name="k", hash="h", tail="", created_at=1))
    hold = ("vid_1", "acc_1", "key_1", "wk_other", 1, 0, 0, 0, 0, ())
    assert isinstance(write(task.place, values("vid_1"), *hold), ledger.Held)
    before = stamp("vid_1")
    first = gevent.spawn(news.wait, "vid_1", before, 20)
    while news._stamps.get("vid_1") != before:
        gevent.sleep(0.01)
    assert write(task.submitted, "vid_1", "ch_1", "videos", "m", "up_1", "{}", "{}", 5, 2)
    after = stamp("vid_1")
    assert after != before and not news.wait("vid_1", after, 2 * news.LOOK_S)
    assert first.get(timeout=10) is True
