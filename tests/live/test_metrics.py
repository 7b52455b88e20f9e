"""`/metrics` on a live gateway: all workers' counts, which outlive them, of few series, and for the operator alone."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import scripted
from tests.gateway import Gateway
from tests.upstream import Script

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
REPLY = {
    "id": "x", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8},
}  # fmt: skip


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that nobody else calls."""
    with Gateway(tmp_path_factory.mktemp("counted")) as live:
        yield live


@pytest.fixture(scope="module")
def others_key(gateway: Gateway) -> str:
    """A key of an account that is not the operator's."""
    return gateway.account("1")[1]


def scrape(gateway: Gateway) -> Samples:
    answer = requests.get(f"{gateway.url}/metrics", timeout=10)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found: Samples = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation and family.type in ("counter", "gauge", "histogram"), family.name
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


def total(samples: Samples, name: str, **labels: str) -> float:
    """The sum of all series of a name that have these labels."""
    return sum(value for (known, has), value in samples.items() if known == name and labels.items() <= set(has))


def at_once(gateway: Gateway, times: int, model: Callable[[int], str] = lambda _: "sandbox/tokens-10") -> list[int]:
    """Calls from many clients, so that all workers get some; their statuses."""
    with ThreadPoolExecutor(8) as threads:
        answers = threads.map(lambda n: gateway.chat(model(n), max_tokens=10), range(times))
        return [answer.status_code for answer in answers]


def killed(gateway: Gateway, worker: int) -> None:
    """A worker is killed, and another one is there."""
    before = gateway.worker_pids()
    os.kill(worker, signal.SIGKILL)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        now = gateway.worker_pids()
        if worker not in now and len(now) == len(before):
            return
        time.sleep(0.05)
    raise AssertionError("no worker came in its place")


def test_all_workers_are_counted_and_the_dead_too(gateway: Gateway) -> None:
    before = scrape(gateway)
    assert set(at_once(gateway, 40)) == {200}
    assert gateway.chat("sandbox/tokens-10", stream=True, max_tokens=10).content.endswith(b"data: [DONE]\n\n")
    cost = sum(
        Decimal(gateway.chat("sandbox/tokens-10", max_tokens=10).headers["x-gateway-cost-usd"]) for _ in range(2)
    ) / 2  # fmt: skip

    def counted(samples: Samples) -> tuple[float, ...]:
        sandbox = {"provider": "sandbox", "channel": "sandbox"}
        return (
            total(samples, "gateway_calls_total", surface="chat", author="sandbox", status="2xx", **sandbox),
            total(samples, "gateway_attempts_total", outcome="ok", **sandbox),
            total(samples, "gateway_call_seconds_count", stream="no", **sandbox),
            total(samples, "gateway_call_seconds_bucket", stream="no", le="+Inf", **sandbox),
            total(samples, "gateway_first_event_seconds_count", **sandbox),
            total(samples, "gateway_tokens_total", direction="output", **sandbox),
        )

    for worker in gateway.worker_pids():
        once = scrape(gateway)
        assert counted(once) == (43, 43, 42, 42, 1, 430)
        assert total(once, "gateway_cost_usd_total") == pytest.approx(float(43 * cost), rel=1e-9)
        killed(gateway, worker)
    after = scrape(gateway)
    assert counted(after) == (43, 43, 42, 42, 1, 430), "a killed worker takes nothing along"
    counters = [key for key in before if key[0].endswith(("_total", "_count", "_bucket", "_sum"))]
    assert counters and all(after[key] >= before[key] for key in counters)
    at_once(gateway, 10)
    assert counted(scrape(gateway))[0] == 53
    assert total(after, "gateway_write_group_size_sum") >= 86, "a hold and a settlement each"
    assert total(after, "gateway_workers") == 2 and total(after, "gateway_database_up") == 1


def test_a_new_generation_of_workers_goes_on_counting(gateway: Gateway) -> None:
    before = total(scrape(gateway), "gateway_calls_total")
    old = set(gateway.worker_pids())
    os.kill(gateway.process.pid, signal.SIGHUP)
    end = time.monotonic() + 30
    while old & set(gateway.worker_pids()) or len(gateway.worker_pids()) < 2:
        assert time.monotonic() < end, "the old workers did not go"
        time.sleep(0.1)
    at_once(gateway, 10)
    after = scrape(gateway)
    assert total(after, "gateway_calls_total") == before + 10
    assert total(after, "gateway_workers") == 2


def test_what_runs_is_told_while_it_runs(gateway: Gateway) -> None:
    assert total(scrape(gateway), "gateway_holds") == 0
    with ThreadPoolExecutor(3) as threads:
        calls = [threads.submit(gateway.chat, "sandbox/slow-2500") for _ in range(3)]
        time.sleep(1)
        now = scrape(gateway)
        assert total(now, "gateway_holds") == 3 and total(now, "gateway_held_usd") > 0
        assert total(now, "gateway_calls_in_hand") >= 3
        assert [call.result().status_code for call in calls] == [200] * 3


def test_odd_names_make_no_series(gateway: Gateway) -> None:
    with scripted(gateway, "openai-compatible", free=True) as (provider, name):
        provider.answer = lambda asked: Script.json(REPLY if asked.method == "POST" else {"data": []})
        at_once(gateway, 30, lambda n: f"{name}/first-{n}")
        gateway.chat("nobody/knows-this")
        before = scrape(gateway)
        codes = at_once(gateway, 1_000, lambda n: f"{name}/odd-{n}" if n % 2 else f"odd-{n}/model-{n}")
        assert (codes.count(200), codes.count(404)) == (500, 500)
        for n in range(20):
            gateway.get(f"/v1/odd-{n}")
        after = scrape(gateway)
        assert not any("odd-" in str(labels) for _, labels in after)
        assert len(after) - len(before) <= 4, "another surface at most"
        assert total(after, "gateway_calls_total", channel=name, author=name) == 530
        assert total(after, "gateway_refusals_total", surface="chat", status="404") == 501


def test_failures_are_told_by_cause(gateway: Gateway) -> None:
    with scripted(gateway, "openai-compatible", free=True) as (provider, name):
        provider.scripts["gone"] = Script.json({"error": {"message": "no"}}, 401)
        provider.scripts["poor"] = Script.json({"error": {"message": "oh"}}, 500)
        gateway.cli("routes", "set", "team/either", f"{name}:gone", "sandbox:echo")
        gateway.settle_in()
        assert gateway.chat("team/either").status_code == 200
        assert gateway.chat(f"{name}/poor").status_code == 500
        gateway.settle_in()  # workers tell each other what rests
        found = scrape(gateway)
        assert total(found, "gateway_attempts_total", channel=name, outcome="account") == 1
        assert total(found, "gateway_further_attempts_total", cause="account", to="other") == 1
        assert total(found, "gateway_further_attempts_total", cause="server", to="same") >= 1
        assert total(found, "gateway_rests_total", channel=name, cause="account") == 1
        assert total(found, "gateway_resting", channel=name, cause="account") == 1
        assert total(found, "gateway_calls_total", author="team", channel="sandbox") == 1
        assert total(found, "gateway_calls_total", channel=name, status="5xx") == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "127.0.0.1"}, {"X-Real-IP": "::1"}, {"Forwarded": "for=127.0.0.1"}, {"Via": "1.1 x"},
        {"X-Forwarded-Proto": "https"}, {"Host": "gateway.example.org"}, {"Host": "localhost.example.org:80"},
    ],
    ids=str,
)  # fmt: skip
def test_through_a_proxy_it_wants_an_operators_key(gateway: Gateway, others_key: str, headers: dict[str, str]) -> None:
    url = f"{gateway.url}/metrics"
    refused = requests.get(url, headers=headers, timeout=10)
    assert refused.status_code == 401 and "gateway_" not in refused.text
    refused = requests.get(url, headers={**headers, "Authorization": f"Bearer {others_key}"}, timeout=10)
    assert refused.status_code == 403 and "operator" in refused.json()["error"]["message"]
    admitted = requests.get(url, headers={**headers, "Authorization": f"Bearer {gateway.key}"}, timeout=10)
    assert admitted.status_code == 200 and "gateway_calls_total" in admitted.text


def test_a_proxy_that_was_told_nothing_is_not_this_machine(gateway: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port)) as sock:
        sock.sendall(b"GET /metrics HTTP/1.0\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n" % gateway.port)
        assert sock.makefile("rb").readline().split()[1] == b"401"


def test_a_key_bound_to_other_endpoints_opens_nothing(gateway: Gateway) -> None:
    made = gateway.cli("keys", "create", "--account", "operator", "--name", "narrow", "--endpoints", "chat")
    headers = {"X-Forwarded-For": "192.0.2.1", "Authorization": f"Bearer {made['key']}"}
    assert requests.get(f"{gateway.url}/metrics", headers=headers, timeout=10).status_code == 403
    made = gateway.cli("keys", "create", "--account", "operator", "--name", "scraper", "--endpoints", "metrics")
    headers["Authorization"] = f"Bearer {made['key']}"
    assert requests.get(f"{gateway.url}/metrics", headers=headers, timeout=10).status_code == 200
    assert gateway.chat("sandbox/echo", key=made["key"]).status_code == 403
