"""The command line as an operator types it and as scripts read it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import ROOT, Gateway, free_port
from tests.upstream import Script, upstream


def verb(folder: Path, *words: str, stdin: str | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    return subprocess.run(
        [sys.executable, "-m", "gateway", *words],
        cwd=folder,
        env={**clean, "PYTHONPATH": str(ROOT), "GATEWAY_DATA": str(folder / "data"), **environ},
        capture_output=True,
        text=True,
        input=stdin,
        timeout=60,
    )


def told(folder: Path, *words: str, **options: str) -> Any:
    done = verb(folder, *words, "--json", **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout, parse_float=Decimal)


def failed(folder: Path, *words: str, code: int = 1, **options: str) -> str:
    done = verb(folder, *words, **options)
    assert done.returncode == code, (words, done.stdout, done.stderr)
    if code == 1:
        assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_a_day_of_an_operator(tmp_path: Path) -> None:
    assert told(tmp_path, "migrate")["applied"] == ["0001_first", "0002_pin_ids"]
    made = told(tmp_path, "accounts", "create", "ops")
    assert made["id"].startswith("acc_") and made["plan"] == "unlimited"
    assert told(tmp_path, "credits", "add", "ops", "12.50", "--note", "first") == {
        "account": "ops", "balance_usd": Decimal("12.5"), "granted_usd": Decimal("12.5"), "spent_usd": 0, "held_usd": 0
    }  # fmt: skip
    key = told(tmp_path, "keys", "create", "--account", "ops", "--name", "ci", "--models", "sandbox/*", "--expires", "30d",
               "--limit-usd", "5")  # fmt: skip
    assert key["key"].startswith("sk-getgpt-") and len(key["key"]) == 10 + 43 and key["id"].startswith("key_")
    listed = told(tmp_path, "keys", "list")
    assert listed[0]["tail"] == "…" + key["key"][-4:] and listed[0]["limit_usd"] == 5
    assert key["key"] not in verb(tmp_path, "keys", "list").stdout
    assert told(tmp_path, "keys", "revoke", key["id"]) == {"id": key["id"], "revoked": True}
    assert told(tmp_path, "plans", "set", "free", "--rpm", "5", "--models", "sandbox/echo")["rpm"] == 5
    assert told(tmp_path, "plans", "set", "free", "--rpm", "0")["rpm"] is None
    assert {plan["name"] for plan in told(tmp_path, "plans", "list")} == {"free", "unlimited"}
    channel = told(tmp_path, "channels", "add", "--provider", "openai-compatible", "--name", "lab", "--base-url",
                   "http://127.0.0.1:9/v1", "--models", "a,b", "--free", "--key", "-", stdin="sk-typed-0123456789\n")  # fmt: skip
    assert channel["namespace"] == "lab" and channel["models"] == ["a", "b"] and channel["key"] == "stored"
    assert "sk-typed" not in (tmp_path / "data" / "gateway.db").read_bytes().decode("latin-1")
    assert told(tmp_path, "routes", "set", "team/fast", "lab:a", "lab:b:free")["legs"] == ["lab:a", "lab:b:free"]
    assert told(tmp_path, "routes", "list") == [{"model": "team/fast", "legs": ["lab:a", "lab:b:free"]}]
    assert "team/fast" in failed(tmp_path, "channels", "remove", "lab")
    assert {row["id"] for row in told(tmp_path, "models", "list")} == {"lab/a", "lab/b", "team/fast"}
    assert [row["id"] for row in told(tmp_path, "models", "list", "--search", "FAST")] == ["team/fast"]
    price = told(
        tmp_path, "prices", "set", "x/y", "--input-mtok", "2.50", "--output-mtok", "10", "--cached-mtok", "1.25"
    )
    assert (price["input_mtok"], price["cached_read_mtok"]) == ("2.5", "1.25")
    assert told(tmp_path, "prices", "show", "x/y")["output_mtok"] == "10"
    assert told(tmp_path, "prices", "show", "lab/a")["input_mtok"] == "0"
    assert told(tmp_path, "channels", "disable", "lab")["enabled"] is False
    assert (
        told(tmp_path, "routes", "remove", "team/fast")["removed"]
        and told(tmp_path, "channels", "remove", "lab")["removed"]
    )
    assert told(tmp_path, "books") == {"ok": True, "accounts": 1, "wrong": []}
    assert verb(tmp_path, "credits", "show", "ops").stdout == "ops: $12.5 left of $12.5, $0 held.\n"
    assert told(tmp_path, "migrate", "--down", "0001_first") == {
        "applied": [],
        "undone": ["0002_pin_ids", "0001_first"],
    }


@pytest.mark.parametrize(
    "words",
    [
        ("accounts", "create", "x", "--plan", "none"), ("accounts", "create", "\n"), ("credits", "add", "nobody", "1"),
        ("credits", "add", "ops", "0"), ("credits", "add", "ops", "--", "-1"), ("credits", "add", "ops", "much"), ("credits", "add", "ops", "0.0000000001"),
        ("keys", "create", "--account", "ops", "--name", "k", "--expires", "soon"), ("keys", "revoke", "key_none"),
        ("keys", "create", "--account", "ops", "--name", "k", "--limit-usd", "0"), ("plans", "set", "A B"),
        ("channels", "add", "--provider", "nobody"), ("channels", "add", "--provider", "openai-compatible"),
        ("channels", "add", "--provider", "openai"), ("channels", "add", "--provider", "sandbox", "--name", "A"),
        ("channels", "add", "--provider", "openai-compatible", "--base-url", "ftp://x"),
        ("channels", "add", "--provider", "openai-compatible", "--base-url", "http://u:p@x/v1"),
        ("channels", "add", "--provider", "openai-compatible", "--base-url", "http://x/v1", "--models", "../x"),
        ("channels", "add", "--provider", "openai-compatible", "--base-url", "http://x/v1", "--dialects", "klingon"),
        ("channels", "test", "none"), ("channels", "enable", "none"), ("routes", "set", "m", "none:x"),
        ("routes", "set", "a//b", "sandbox:echo"), ("routes", "set", "m", "sandbox"), ("routes", "remove", "none"),
        ("prices", "set", "m", "--input-mtok", "free", "--output-mtok", "1"), ("prices", "show", "no/body"),
        ("migrate", "--down", "none"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_line(ops: Path, words: tuple[str, ...]) -> None:
    assert failed(ops, *words).strip()


@pytest.fixture(scope="module")
def ops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an account `ops`."""
    folder = tmp_path_factory.mktemp("ops")
    told(folder, "accounts", "create", "ops")
    return folder


def test_wrong_usage_is_two(ops: Path) -> None:
    for words in (
        ("nothing",),
        ("credits", "add", "ops"),
        ("keys", "create"),
        ("routes", "set", "m"),
        ("serve", "--port", "x"),
    ):
        assert failed(ops, *words, code=2)


def test_wrong_settings_stop_the_start(tmp_path: Path) -> None:
    for name, value in (("GATEWAY_PORT", "none"), ("GATEWAY_DURABILITY", "maybe")):
        line = failed(tmp_path, "serve", **{name: value})
        assert name in line and " must be " in line
    assert "GATEWAY_DATABASE_URL" not in failed(tmp_path, "serve", GATEWAY_DATABASE_URL="postgresql://127.0.0.1:9/x")
    (tmp_path / ".env").write_text("GATEWAY_PORT=0\n")
    assert "GATEWAY_PORT" in failed(tmp_path, "serve")


def test_a_taken_port_is_one_line(sqlite_gateway: Gateway, tmp_path: Path) -> None:
    assert "GATEWAY_PORT" in failed(tmp_path, "serve", "--port", str(sqlite_gateway.port))


def findings(folder: Path, **environ: str) -> tuple[bool, str, int]:
    done = verb(folder, "doctor", "--json", **environ)
    found = json.loads(done.stdout)
    assert all({"level", "what", "mend"} == finding.keys() for finding in found["findings"])
    assert found["ok"] == (done.returncode == 0)
    return found["ok"], " | ".join(f"{f['level']}: {f['what']}" for f in found["findings"]), done.returncode


def test_the_doctor_names_each_fault(tmp_path: Path) -> None:
    told(tmp_path, "accounts", "create", "ops")
    ok, words, _ = findings(tmp_path)
    assert ok and "has no credits" in words and "SQLite" in words
    with upstream() as provider:
        provider.answer = lambda asked: (
            Script.json({"data": []}) if asked.headers.get("authorization") == "Bearer sk-right-0123456789"
            else Script.json({"error": {"message": "wrong key"}}, 401)
        )  # fmt: skip
        add = ("channels", "add", "--provider", "openai-compatible", "--base-url", provider.base_url)
        told(tmp_path, *add, "--name", "right", "--key", "sk-right-0123456789", "--free")
        assert findings(tmp_path)[0]
        assert told(tmp_path, "channels", "test", "right") == {"name": "right", "ok": True}
        told(tmp_path, *add, "--name", "wrong", "--key", "sk-wrong-0123456789", "--free")
        told(tmp_path, *add, "--name", "later", "--key", "env:SOME_KEY", "--free")
        told(tmp_path, *add, "--name", "dear", "--key", "sk-right-0123456789", "--models", "gold")
        told(tmp_path, "channels", "add", "--provider", "openai-compatible", "--name", "gone", "--free", "--base-url",
             f"http://127.0.0.1:{free_port()}/v1")  # fmt: skip
        ok, words, code = findings(tmp_path)
        assert not ok and code == 1
        assert "error: Channel wrong: Its key is refused" in words
        assert "error: Channel later: Its key's variable SOME_KEY is not set" in words
        assert "error: Channel gone: Its provider at http://127.0.0.1" in words and "cannot be reached" in words
        assert "error: The model dear/gold has no price on channel dear" in words
        assert "sk-" not in words
        assert "SOME_KEY" not in findings(tmp_path, SOME_KEY="sk-right-0123456789")[1]
        assert "key is refused" in failed(tmp_path, "channels", "test", "wrong")
    assert "error: GATEWAY_PORT is 'none' but must be" in findings(tmp_path, GATEWAY_PORT="none")[1]
    for unwritable in ("/proc/none", "/dev/null/x"):
        assert "cannot be written" in findings(tmp_path, GATEWAY_DATA=unwritable)[1]
    assert "database cannot be used" in findings(tmp_path, GATEWAY_DATABASE_URL="postgresql://127.0.0.1:9/x")[1]
    ok, words, _ = findings(tmp_path, GATEWAY_SECRET="another secret than before")
    assert not ok and "sealed under another GATEWAY_SECRET" in words


def test_the_doctor_asks_a_running_gateway(sqlite_gateway: Gateway) -> None:
    done = sqlite_gateway.cli("doctor", "--url", sqlite_gateway.url, ok=False)
    assert "/readyz" not in done.stdout
    gone = sqlite_gateway.cli("doctor", "--url", f"http://127.0.0.1:{free_port()}", ok=False)
    assert "/healthz does not answer" in gone.stdout and gone.returncode == 1


def test_the_first_start_prints_one_key(tmp_path: Path) -> None:
    with Gateway(tmp_path) as gateway:
        assert "sk-" not in gateway.log.read_text(), "a given first key is used, not printed"
    gateway.environ.pop("GATEWAY_BOOTSTRAP_KEY")
    gateway.environ["GATEWAY_DATA"] = str(tmp_path / "new")
    gateway.log.unlink()
    gateway.start()
    text = gateway.log.read_text()
    gateway.stop()
    key = text.split("export KEY=")[1].split()[0]
    assert len(key) == 53 and text.count("sk-getgpt-") == 1 and "$KEY" in text
    gateway.start()
    assert gateway.get("/v1/credits", key).json()["data"]["balance"] == 100
    assert gateway.log.read_text().count("sk-getgpt-") == 1, "once"
    gateway.stop()


def test_provider_keys_of_the_environment_make_channels(tmp_path: Path) -> None:
    with Gateway(tmp_path, OPENAI_API_KEY="sk-openai-0123456789") as gateway:
        rows = {row["name"]: row for row in gateway.cli("channels", "list")}
        assert rows["openai"]["source"] == "env" and rows["openai"]["key"] == "env:OPENAI_API_KEY"
        assert rows["openai"]["enabled"] and rows["sandbox"]["source"] == "built-in"
    del gateway.environ["OPENAI_API_KEY"]
    gateway.environ["GATEWAY_SANDBOX"] = "off"
    with gateway:
        rows = {row["name"]: row for row in gateway.cli("channels", "list")}
        assert not rows["openai"]["enabled"] and not rows["sandbox"]["enabled"]
        assert gateway.chat("sandbox/echo").status_code == 404
        assert b"sk-openai" not in (tmp_path / "data" / "gateway.db").read_bytes()
