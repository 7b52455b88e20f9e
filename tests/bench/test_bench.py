"""The benches work: a short run of each has a figure in every row, and the clients see what is there to be seen."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import found, proxy
from bench.found import Found, Row
from bench.programs import EVENTS, GAP_MS, WHOLE, WORD, Provider, load, provider
from bench.scale import growth
from tests.gateway import ROOT, free_port

pytestmark = [
    pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler here: the benches' programs are not tried"),
    pytest.mark.skipif(sys.platform != "linux", reason="the benches read Linux's own figures of processes"),
]

CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def fake() -> Iterator[Provider]:
    with provider() as to:
        yield to


def _body(model: str = "bench", **more: Any) -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello!"}], **more}).encode()


def _run(module: str, *words: str) -> dict[str, Any]:
    command = [sys.executable, "-m", module, "--seconds", "0.3", "--rounds", "1", "--json", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=380)
    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _only(*names: str) -> list[str]:
    return [word for name in names for word in ("--only", name)]


@pytest.mark.timeout(400)  # a loaded machine starts gateways slowly
def test_a_short_run_beside_the_provider_has_a_figure_in_every_row() -> None:
    page = found.RESULTS.read_bytes() if found.RESULTS.exists() else None
    told = _run("bench", *_only("gateway", "whole", "translated", "streams", "calm", "start"))
    assert len(told["rows"]) == 8 and all(row["ours"] not in ("", "–") for row in told["rows"]), told["rows"]
    assert {row["figure"] for row in told["rows"] if row["reached"] is None}, "nothing to hold it against is no success"
    assert told["figures"]["whole"]["gateway"]["cpu_us"] > 0 and told["figures"]["memory"]["gateway"]["worker_mb"] > 0
    assert (found.RESULTS.read_bytes() if found.RESULTS.exists() else None) == page, "a part of a run is not written"


@pytest.mark.timeout(400)
def test_a_short_run_at_scale_has_a_figure_in_every_row() -> None:
    parts = _only("size", "history", "memory", "tasks")
    told = _run("bench.scale", "--calls", "500", "--receipts", "2000", "--tasks", "20", *parts)
    assert len(told["rows"]) == 13 and all(row["ours"] not in ("", "–") for row in told["rows"]), told["rows"]
    rows = told["figures"]["rows"]["full"]
    assert rows["receipt"] >= 2000 and rows["ledger"] >= 2000 and rows["price"] + rows["route"] >= 2000
    assert told["figures"]["models"]["full"]["p50_ms"] > 0 and told["figures"]["growth"]["gateway"]["calls"] == 500
    assert told["figures"]["list"]["many"]["tasks"] >= 2000 and told["figures"]["film"]["gateway"]["fetched_mb"] < 100


def test_a_stream_has_its_events_and_the_end_is_in_no_gap(fake: Provider) -> None:
    seen = load(fake.port, CHAT, body=_body(stream=True), connections=4, calls=8, mark=WORD, times=EVENTS)
    assert seen["good"] == 8 and seen["bad"] == {} and seen["gap_ms"]["n"] == 8 * (EVENTS - 1)
    assert seen["gap_ms"]["p50"] > GAP_MS / 2 and seen["total_ms"]["p50"] >= EVENTS * GAP_MS


def test_a_model_says_how_many_events_and_how_far_apart(fake: Provider) -> None:
    seen = load(fake.port, CHAT, body=_body("lab/bench-300-0", stream=True), calls=1, mark=WORD, times=300)
    assert seen["good"] == 1 and seen["gap_ms"]["n"] == 299


def test_clients_count_what_went_wrong_and_why(fake: Provider) -> None:
    short = load(fake.port, CHAT, body=_body(), calls=5, mark=WHOLE, times=2)
    nobody = load(free_port(), CHAT, body=_body(), calls=5)
    assert (short["good"], short["bad"]) == (0, {"short": 5})
    assert (nobody["good"], nobody["bad"]) == (0, {"refused": 5})


def test_calls_fall_due_at_their_rate(fake: Provider) -> None:
    seen = load(fake.port, CHAT, body=_body(), connections=8, seconds=0.5, rate=100, mark=WHOLE)
    assert seen["good"] == 50 and seen["bad"] == {}


def test_long_bodies_arrive(fake: Provider) -> None:
    seen = load(fake.port, CHAT, body=_body(text="x" * 3_000_000), connections=3, calls=9, mark=WHOLE)
    assert seen["good"] == 9


def test_a_row_falls_short_is_reached_or_was_not_measured() -> None:
    marks = [Row("x", "1 ms", "≤ 2 ms", reached).mark for reached in (True, False, None)]
    assert marks == [found.REACHED, found.SHORT, found.OPEN]


def test_the_median_of_rounds_counts_and_a_failed_round_spoils_it() -> None:
    results = Found()
    for value in (3.0, 9.0, 1.0):
        results.add("whole", "gateway", {"cpu_us": value})
    assert results.get("whole", "gateway", "cpu_us") == 3.0 and results.most("whole", "gateway", "cpu_us") == 9.0
    results.why["whole", "gateway"] = "9 of 9 calls failed (9 503)"
    assert results.get("whole", "gateway", "cpu_us") is None and "503" in results.reason("whole", "gateway")


def test_each_run_replaces_its_own_part_of_the_page(tmp_path: Path) -> None:
    page = tmp_path / "RESULTS.md"
    for title, text in (("Side by side", "first"), ("At scale", "long"), ("Side by side", "### a\n\nsecond")):
        found.write(title, text, page)
    assert page.read_text().count("## Side by side") == 1 and "first" not in page.read_text()
    assert page.read_text().index("second") < page.read_text().index("## At scale\n\nlong")


def test_memory_that_grows_is_seen_and_what_grows_at_first_is_not() -> None:
    still = [(n, 50.0 + max(0, 10 - n)) for n in range(50)]
    grows = [(1_000 * n, 60 + 0.01 * n) for n in range(50)]
    assert growth.slope(still) == (0.0, 50.0)
    assert growth.slope(grows)[0] == pytest.approx(1e-5)


def test_nginx_is_moved_to_free_ports() -> None:
    site = proxy._moved(
        "upstream gateway {\n    server 127.0.0.1:8080;\n}\nserver {\n    listen 80;\n    return 308 https://x;\n}\n"
        "server {\n    listen 443 ssl;\n    listen [::]:443 ssl;\n"
        "    ssl_certificate /x;\n    location / { proxy_pass http://gateway; }\n}\n", 81, 82,
    )  # fmt: skip
    assert "server 127.0.0.1:82;" in site and site.count("listen") == 1 and "listen 127.0.0.1:81;" in site
    assert "ssl" not in site and "return" not in site
