"""When a worker takes no more calls."""

from __future__ import annotations

import time

import gevent

from gateway.relay.load import MOST, Load


def long_turn(load: Load) -> None:
    def compute() -> None:
        end = time.thread_time() + 0.15
        while time.thread_time() < end:
            pass

    gevent.spawn(compute)
    load.look()


def test_long_turns_bound_the_calls_and_short_ones_free_them() -> None:
    load = Load()
    load.running = 300
    long_turn(load)
    assert not load.full, "a burst is no overload"
    long_turn(load)
    assert load.full and load.most < 300
    bound = load.most
    while load.most < MOST:
        load.look()
    assert bound < load.most and not load.full


def test_many_that_each_compute_little_are_no_overload() -> None:
    load = Load()
    load.running = 1_000
    for _ in range(4):
        long_turn(load)
    assert not load.full, "a thousand streams share a turn"


def test_a_pause_is_no_overload() -> None:
    load = Load()
    load.running = 500
    for _ in range(3):
        gevent.spawn(time.sleep, 0.5)
        load.look()
    assert not load.full


def test_few_calls_are_never_too_many() -> None:
    load = Load()
    load.running = 100
    for _ in range(3):
        long_turn(load)
    assert not load.full
