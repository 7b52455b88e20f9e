"""Names whose servers are silent: who asks for them is told soon, and nobody else waits."""

from __future__ import annotations

import socket
import threading
from typing import Any

import gevent
import pytest

from gateway.providers import names


def test_a_name_that_cannot_be_looked_up_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    told, asked = threading.Event(), []

    def look_up(host: str, port: int, family: int, kind: int, proto: int, flags: int) -> list[tuple[Any, ...]]:
        if flags & socket.AI_NUMERICHOST and not host[0].isdigit():
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        asked.append(host)
        if host == "silent.example":
            told.wait()
        return [(host, port)]

    monkeypatch.setattr(names, "_look_up", look_up)
    one = names.Names(0.2)
    waiting = [gevent.spawn(one.getaddrinfo, "silent.example", 443) for _ in range(2 * names.MOST_AT_ONCE)]
    gevent.sleep(0)
    assert one.getaddrinfo("well.example", 443) == [("well.example", 443)]
    assert one.getaddrinfo("127.0.0.1", 443) == [("127.0.0.1", 443)]
    gevent.joinall(waiting)
    assert {type(each.exception) for each in waiting} == {socket.gaierror}
    assert asked.count("silent.example") == 1, "one thread for all who ask"
    told.set()
    assert names.Names(5).getaddrinfo("silent.example", 443) == [("silent.example", 443)]
