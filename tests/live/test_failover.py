"""Several legs for one model: which failures move on, which do not, and where it ends."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Lab
from tests.gateway import frames
from tests.live.test_streams import DONE, END, ROLE, USAGE, word
from tests.upstream import Script

REPLY = {
    "id": "up", "object": "chat.completion", "model": "m", "created": 1,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "good"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}  # fmt: skip
GOOD = Script.json(REPLY)
STREAM = Script.sse(ROLE, word("good"), END, USAGE, DONE)


def error(status: int, **headers: str) -> Script:
    return Script.json({"error": {"message": "no", "code": None}}, status, **headers)


def routes(lab: Lab, *several: tuple[Script, ...]) -> list[str]:
    """Routes over legs that answer by these scripts, in order."""
    names = []
    for scripts in several:
        legs = [f"{lab.name}:{lab.model(script).split('/')[1]}" for script in scripts]
        names.append(f"route-{len(lab.provider.scripts)}")
        lab.gateway.cli("routes", "set", names[-1], *legs)
    lab.gateway.settle_in()
    return names


def route(lab: Lab, *scripts: Script) -> str:
    return routes(lab, scripts)[0]


@pytest.mark.parametrize("stream", [False, True])
def test_what_moves_on(lab: Lab, stream: bool) -> None:
    broken = Script(framing="raw", pieces=[b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"], ending="close")
    bad = (
        error(500), error(503), error(429), error(529), error(401), error(403), error(402), error(504), error(302),
        broken, Script(framing="raw", ending="close"), Script(framing="raw", ending="reset"),
        Script.json("nonsense"), Script(pieces=[b"<html>"]), Script.json({"error": {"message": "in a 200"}}),
    )  # fmt: skip
    good = STREAM if stream else GOOD
    for model, script in zip(routes(lab, *((one, good) for one in bad)), bad, strict=True):
        answer = lab.gateway.chat(model, stream=stream)
        assert answer.status_code == 200, (script, answer.text)
        assert answer.headers["x-gateway-attempts"] == "2" and b"good" in answer.content
        receipt = lab.gateway.get("/v1/generation", params={"id": answer.headers["x-generation-id"]}).json()["data"]
        assert len(receipt["attempts"]) == 2 and receipt["attempts"][1]["status"] == 200


def test_a_refused_key_is_told_to_the_operator_and_not_to_the_caller(lab: Lab) -> None:
    before = lab.gateway.log.read_text().count("refuses our key or account (HTTP 401)")
    answer = lab.gateway.chat(lab.model(error(401)))
    assert answer.status_code == 503 and lab.name not in answer.text
    told = lab.gateway.log.read_text().count("refuses our key or account (HTTP 401)")
    assert told >= max(1, before) and f"channel {lab.name}" in lab.gateway.log.read_text()


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422])
def test_what_is_the_callers_own_fault_stays(lab: Lab, status: int) -> None:
    model = route(lab, error(status), GOOD)
    before = len(lab.provider.asked)
    assert lab.gateway.chat(model).status_code == status
    assert len(lab.provider.asked) - before == 1


def test_three_attempts_at_most(lab: Lab) -> None:
    model = route(lab, error(500), error(502), error(503), GOOD)
    before = len(lab.provider.asked)
    assert lab.gateway.chat(model).status_code == 503
    assert len(lab.provider.asked) - before == 3


def test_all_limited_is_429_with_the_soonest_wait(lab: Lab) -> None:
    answer = lab.gateway.chat(route(lab, error(429, retry_after="30"), error(429, retry_after="4")))
    assert answer.status_code == 429 and answer.headers["retry-after"] == "4"
    assert lab.gateway.chat(route(lab, error(429), error(500))).status_code == 500


def test_waits_are_told_as_they_are(lab: Lab) -> None:
    """Rounded up, from one provider, and no longer than a leg rests."""
    for scripts, status, wait, ms in (
        ((error(429, retry_after="86400", retry_after_ms="86400000"),), 429, "60", "60000"),
        ((error(429, retry_after="2.5"), error(429, retry_after="55", retry_after_ms="55000")), 429, "3", None),
        ((error(429),), 429, "1", None), ((error(503),), 503, None, None), ((error(503, retry_after="7"),), 503, "7", None),
        ((error(520, retry_after="90", retry_after_ms="90000"),), 502, "60", "60000"),
    ):  # fmt: skip
        answer = lab.gateway.chat(route(lab, *scripts))
        told = (answer.status_code, answer.headers.get("retry-after"), answer.headers.get("retry-after-ms"))
        assert told == (status, wait, ms), scripts


def test_a_stream_changes_its_leg_until_a_real_frame(lab: Lab) -> None:
    """Comments and a role alone bind nobody; a word does."""
    for pieces in ((b": working\n\n",), (ROLE,), (b": working\n\n", ROLE, b'data: {"error":{"message":"x"}}\n\n')):
        answer = lab.gateway.chat(route(lab, Script.sse(*pieces, framing="close"), STREAM), stream=True)
        seen = frames(answer)
        assert seen[-1] == "[DONE]" and sum('"role"' in data for data in seen) == 1, "nothing of the first leg came out"
    answer = lab.gateway.chat(route(lab, Script.sse(ROLE, word("half"), framing="close"), STREAM), stream=True)
    seen = frames(answer)
    assert "half" in seen[1] and json.loads(seen[-1])["error"]["code"] == 502 and "good" not in answer.text


def test_a_ping_does_not_end_failover(lab: Lab) -> None:
    answer = lab.gateway.chat(route(lab, Script.sse(6.0, framing="close"), STREAM), stream=True)
    assert answer.content.startswith(b": ping") and frames(answer)[-1] == "[DONE]"
    answer = lab.gateway.chat(route(lab, Script.sse(6.0, framing="close"), error(503)), stream=True)
    assert answer.status_code == 200 and json.loads(frames(answer)[-1])["error"]["code"] == 503


def test_channels_of_one_namespace_pool_by_priority(lab: Lab) -> None:
    gateway = lab.gateway
    for name, priority in (("first", "0"), ("second", "5")):
        gateway.cli("channels", "add", "--provider", "openai-compatible", "--name", f"{lab.name}-{name}", "--namespace",
                    f"{lab.name}-pool", "--base-url", lab.provider.base_url, "--priority", priority, "--free")  # fmt: skip
    lab.provider.scripts["pooled"] = GOOD
    gateway.settle_in()
    for _ in range(5):
        assert gateway.chat(f"{lab.name}-pool/pooled").headers["x-gateway-channel"] == f"{lab.name}-first"
    gateway.cli("channels", "disable", f"{lab.name}-first")
    gateway.settle_in()
    assert gateway.chat(f"{lab.name}-pool/pooled").headers["x-gateway-channel"] == f"{lab.name}-second"


def test_a_model_that_a_provider_has_not_may_be_at_another(lab: Lab) -> None:
    missing = Script.json({"type": "error", "error": {"type": "not_found_error", "message": "model: m"}}, 404)
    odd = Script.json({"error": {"message": "no such model", "code": "model_not_found"}}, 400)
    both, first, other = routes(lab, (missing, odd), (missing, GOOD), (odd, GOOD))
    for model in (first, other):
        answer = lab.gateway.chat(model)
        assert answer.status_code == 200 and answer.headers["x-gateway-attempts"] == "2"
    answer = lab.gateway.chat(both)
    assert answer.status_code == 400 and answer.json()["error"]["provider_code"] == "model_not_found"


def test_a_model_that_a_provider_has_not_is_known_by_its_words(lab: Lab) -> None:
    """As vendors say it with a 400, and without a code."""
    told = (
        {"error": {"message": "Model Not Exist", "type": "invalid_request_error", "code": "invalid_request_error"}},
        {"object": "error", "message": "Invalid model: m", "type": "invalid_model", "param": None, "code": "1500"},
        {"error": {"message": "a/m:free is not a valid model ID", "code": 400}, "user_id": "user_1"},
        {"code": 20012, "message": "Model does not exist. Please check it carefully.", "data": None},
        {"message": "The provided model identifier is invalid."},
    )
    for model in routes(lab, *((Script.json(body, 400), GOOD) for body in told)):
        answer = lab.gateway.chat(model)
        assert answer.status_code == 200 and answer.headers["x-gateway-attempts"] == "2"
    callers = Script.json({"error": {"message": "tools: this is no valid model of a tool"}}, 400)
    assert lab.gateway.chat(route(lab, callers, GOOD)).status_code == 400


def test_who_only_lacks_something_does_not_speak_for_the_others(lab: Lab) -> None:
    missing = Script.json({"error": {"message": "no such model", "code": "model_not_found"}}, 404)
    page = Script(404, {"content-type": "text/html"}, [b"<html><h1>404 Not Found</h1></html>"])
    detail, url = (
        Script.json({"detail": "Not Found"}, 404),
        Script.json({"error": {"message": "Invalid URL (POST /x)"}}, 404),
    )
    limited = error(429, retry_after="30")
    *served, rests = routes(lab, (page, GOOD), (detail, GOOD), (url, GOOD), (limited, missing))
    for model in served:
        assert lab.gateway.chat(model).status_code == 200
    answer = lab.gateway.post(
        "/v1/chat/completions", {"model": rests, "messages": [{"role": "user", "content": "x"}]},
        headers={"Idempotency-Key": "lacks"},
    )  # fmt: skip
    assert answer.status_code == 429, "the other one would have had it"
    assert lab.gateway.chat(route(lab, missing, page)).status_code == 404


def test_a_forbidden_text_is_its_writers(lab: Lab) -> None:
    said = {"code": "permission-denied", "error": "Content violates usage guidelines. Team: x"}
    model = route(lab, Script.json(said, 403), GOOD)
    answer = lab.gateway.chat(model)
    assert answer.status_code == 400 and "violates usage guidelines" in answer.json()["error"]["message"]
    assert lab.gateway.chat(model, "another").status_code == 400, "our account there is not refused"


@pytest.mark.parametrize("stream", [False, True])
def test_models_to_fall_back_to(lab: Lab, stream: bool) -> None:
    good = STREAM if stream else GOOD
    down, dead, up = routes(lab, (error(500),), (error(503),) * 5, (good,))
    for model, others, attempts in ((down, [up], 2), (dead, [down, up], 3), ("no/body", [up], 1), (up, [down], 1)):
        answer = lab.gateway.chat(model, stream=stream, models=[model, *others])
        if (model, attempts) == (dead, 3):
            assert answer.status_code == 500, "the last of three attempts is kept for the next model"
            continue
        assert answer.status_code == 200, answer.text
        told = json.loads(frames(answer)[0]) if stream else answer.json()
        assert told["model"] == up and answer.headers["x-gateway-attempts"] == str(attempts)
        assert "x-gateway-losses" not in answer.headers
        receipt = lab.gateway.get("/v1/generation", params={"id": answer.headers["x-generation-id"]}).json()["data"]
        assert receipt["model"] == up and receipt["status"] == 200
    sent = json.loads(lab.provider.asked[-1].body)
    assert "models" not in sent


def test_models_to_fall_back_to_are_checked(lab: Lab) -> None:
    up = route(lab, GOOD)
    for wrong in ("x", [1], [""], ["m"] * 33):
        error = lab.gateway.chat(up, models=wrong).json()["error"]
        assert error["param"] == "models" and error["code"] == 400
    key = lab.gateway.account("1", models=up)[1]
    refused = lab.gateway.chat(up, key=key, models=["sandbox/echo"])
    assert refused.status_code == 403 and refused.json()["error"]["param"] == "models"
    assert lab.gateway.chat(up, key=key, models=[up]).status_code == 200
    nobody = lab.gateway.chat("no/body", models=["no/one"])
    assert nobody.status_code == 404 and nobody.json()["error"]["param"] == "model"
