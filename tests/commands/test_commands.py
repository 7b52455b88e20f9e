"""The command line as an operator types it and as scripts read it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests import verbs
from tests.gateway import ROOT, Gateway, free_port
from tests.upstream import Script, upstream


def verb(
    folder: Path, *words: str, stdin: str | None = None, before: tuple[str, ...] = (), **environ: str
) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    environ = {**clean, "PYTHONPATH": str(ROOT), "GATEWAY_DATA": str(folder / "data"), **environ}
    if not before and words[:1] != ("serve",):
        return verbs.verb(*words, cwd=folder, environ=environ, stdin=stdin)
    return subprocess.run(
        [*before, sys.executable, "-m", "gateway", *words],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        input=stdin,
        timeout=60,
    )


def told(folder: Path, *words: str, **options: Any) -> Any:
    done = verb(folder, *words, "--json", **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout, parse_float=Decimal)


def failed(folder: Path, *words: str, code: int = 1, **options: Any) -> str:
    done = verb(folder, *words, **options)
    assert done.returncode == code, (words, done.stdout, done.stderr)
    assert done.stderr.count("\n") == 1, done.stderr
    assert not done.stdout, done.stdout
    return done.stderr


def test_a_day_of_an_operator(tmp_path: Path) -> None:
    applied = told(tmp_path, "migrate")["applied"]
    assert applied[0] == "0001_first"
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
    assert listed[0]["expires_at"] == key["expires_at"] and listed[0]["plan"] is None
    assert key["key"] not in verb(tmp_path, "keys", "list").stdout
    assert told(tmp_path, "keys", "revoke", key["id"]) == {"id": key["id"], "revoked": True}
    assert told(tmp_path, "plans", "set", "free", "--rpm", "5", "--models", "sandbox/echo")["rpm"] == 5
    assert told(tmp_path, "plans", "set", "free", "--rpm", "0")["rpm"] is None
    assert told(tmp_path, "plans", "set", "free", "--media-days", "7")["media_days"] == 7
    assert told(tmp_path, "plans", "set", "free", "--media-days", "0")["media_days"] == 30
    assert {plan["name"] for plan in told(tmp_path, "plans", "list")} == {"free", "unlimited"}
    limited = told(tmp_path, "plans", "limit", "free", "sandbox/*", "--tpm", "1000", "--parallel", "2")
    assert limited["limits"] == [{"pattern": "sandbox/*", "rpm": None, "tpm": 1000, "rpd": None, "parallel": 2}]
    assert len(limited.pop("notes")) == 1, "there is no channel yet"
    assert limited == told(tmp_path, "plans", "list")[0]
    assert "sandbox/*: tpm 1000, parallel 2" in verb(tmp_path, "plans", "list").stdout
    channel = told(tmp_path, "channels", "add", "--provider", "openai-compatible", "--name", "lab", "--base-url",
                   "http://127.0.0.1:9/v1", "--models", "a,b", "--free", "--key", "-", stdin="sk-typed-0123456789\n")  # fmt: skip
    assert channel["namespace"] == "lab" and channel["models"] == ["a", "b"] and channel["key"] == "stored"
    assert "sk-typed" not in (tmp_path / "data" / "gateway.db").read_bytes().decode("latin-1")
    assert told(tmp_path, "routes", "set", "team/fast", "lab:a", "lab:b:free")["legs"] == ["lab:a", "lab:b:free"]
    assert told(tmp_path, "routes", "list") == [{"model": "team/fast", "legs": ["lab:a", "lab:b:free"]}]
    assert "team/fast" in failed(tmp_path, "channels", "remove", "lab")
    assert {row["id"] for row in told(tmp_path, "models", "list")} == {"lab/a", "lab/b", "team/fast"}
    assert [row["id"] for row in told(tmp_path, "models", "list", "--search", "FAST")] == ["team/fast"]
    assert told(tmp_path, "accounts", "set", "ops", "--plan", "free") == {**made, "plan": "free"}
    assert told(tmp_path, "accounts", "list")[0]["plan"] == "free"
    told(tmp_path, "accounts", "set", made["id"], "--plan", "unlimited")
    assert told(tmp_path, "channels", "disable", "lab")["enabled"] is False
    assert (
        told(tmp_path, "routes", "remove", "team/fast")["removed"]
        and told(tmp_path, "channels", "remove", "lab")["removed"]
    )
    assert told(tmp_path, "books") == {"ok": True, "accounts": 1, "wrong": []}
    assert verb(tmp_path, "credits", "show", "ops").stdout == "ops: $12.5 left of $12.5, $0 held.\n"
    assert told(tmp_path, "migrate", "--down", "0001_first") == {"applied": [], "undone": applied[::-1]}


@pytest.mark.parametrize(
    "words",
    [
        ("accounts", "create", "x", "--plan", "none"), ("accounts", "create", "ops"), ("credits", "add", "nobody", "1"),
        ("accounts", "set", "ops", "--plan", "none"), ("accounts", "set", "nobody", "--plan", "free"),
        ("keys", "create", "--account", "ops", "--name", "k", "--plan", ""), ("keys", "revoke", "key_none"),
        ("channels", "test", "none"), ("channels", "enable", "none"), ("routes", "set", "m", "none:x"),
        ("routes", "remove", "none"), ("prices", "show", "no/body"), ("prices", "remove", "no/body"),
        ("migrate", "--down", "none"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_line(ops: Path, words: tuple[str, ...]) -> None:
    assert failed(ops, *words).strip()


_KEY = ("keys", "create", "--account", "ops", "--name")
_ADD = ("channels", "add", "--provider", "openai-compatible")
_LAB = (*_ADD, "--name", "lab", "--base-url")


@pytest.mark.parametrize(
    ("named", "lines"),
    [
        ("", [("nothing",), ("--nothing",), ("accounts", "create", "\n"), ("plans", "set", "A B"), ("routes", "set", "m"), ("routes", "set", "m", "sandbox"),
              ("routes", "set", "a//b", "sandbox:echo"), ("accounts", "create", b"\xff")]),
        ("--account", [("keys", "create")]), ("--port", [("serve", "--port", "x")]), ("--plan", [("accounts", "set", "ops")]),
        ("--name", [(*_KEY, ""), (*_KEY, " "), (*_KEY, "a\nb"), ("channels", "add", "--provider", "sandbox", "--name", "A"), ("channels", "add", "--provider", "sandbox", "--name", "")]),
        ("--models", [(*_KEY, "k", "--models", text) for text in ("", ",", "a b", "x,é")]
         + [("plans", "set", "p", "--models", ""), (*_LAB, "http://x/v1", "--models", "")]),
        ("../x", [(*_LAB, "http://x/v1", "--models", "a,../x")]), ("klingon", [(*_LAB, "http://x/v1", "--dialects", "klingon")]),
        ("--expires", [(*_KEY, "k", "--expires", text) for text in ("0d", "soon", "-1d", "999999w", "٣d")]),
        ("--limit-usd", [(*_KEY, "k", "--limit-usd", text) for text in ("0", "-1", "inf", "NaN", "9000000001", "0.0000000001")]),
        ("amount", [("credits", "add", "ops", "--", text) for text in ("0", "-1", "much", "NaN", "sNaN", "-inf", "1e999999", "9000000001", "1e-99999", "0.0000000001")]),
        ("--input-mtok", [("prices", "set", "m", "--output-mtok", "1", "--input-mtok", text) for text in ("free", "NaN", "inf", "-1", "1000001", "1e-9999999")]),
        ("--endpoints", [(*_KEY, "k", "--endpoints", text) for text in ("", "nowhere", "v1/chat")]),
        ("--addresses", [(*_KEY, "k", "--addresses", text) for text in ("", "10.0.0.1/8", "home")]),
        ("--budget-usd", [(*_KEY, "k", "--budget-usd", "5"), (*_KEY, "k", "--budget-usd", "0", "--per", "day"), (*_KEY, "k", "--per", "day")]),
        ("limited", [("plans", "limit", "free", "sandbox/*")]), ("pattern", [("plans", "limit", "free", "a,b", "--rpm", "1")]),
        ("0<=x<=", [("plans", "set", "p", f"--{limit}", text) for limit in ("rpm", "tpm", "rpd", "parallel") for text in ("-1", "9" * 19)]),
        ("--priority", [(*_LAB, "http://x/v1", "--priority", text) for text in ("3000000000", "-3000000000")]),
        ("--weight", [(*_LAB, "http://x/v1", "--weight", text) for text in ("0", "3000000000")]),
        ("provider", [("channels", "add", "--provider", "nobody")]), ("--key", [("channels", "add", "--provider", "openai")]),
        ("--base-url", [("channels", "add", "--provider", "openai-compatible")]
         + [(*_LAB, url) for url in ("ftp://x", "http://u:p@x/v1", "http://[x/v1", "http://x:99999/v1", "http://x /v1", "http://x/v1?a=b")]),
    ],
)  # fmt: skip
def test_what_is_typed_wrong_is_told_by_name(ops: Path, named: str, lines: list[tuple[str, ...]]) -> None:
    for words in lines:
        assert named in failed(ops, *words, code=2), words


def test_a_pattern_that_matches_no_model_is_said(ops: Path) -> None:
    def notes(*words: str) -> list[str]:
        found: list[str] = told(ops, *words)["notes"]
        return found

    told(ops, "channels", "add", "--provider", "sandbox", "--name", "sandbox")
    assert notes("plans", "set", "p", "--models", "sandbox/echo,sandbox/tokens-*,gone/*") == [
        "No model matches 'gone/*' now. See: python -m gateway models list"
    ]
    assert len(notes("plans", "limit", "p", "sandbox/nothing", "--rpm", "1")) == 1
    assert notes("plans", "limit", "p", "sandbox/nothing", "--rpm", "0") == [], "forgotten"
    key = told(ops, "keys", "create", "--account", "ops", "--name", "k", "--models", "nobody/m")
    assert len(key["notes"]) == 1 and notes("keys", "set", key["id"], "--models", "*") == []
    assert "No model matches 'gone/*'" in verb(ops, "plans", "set", "p", "--models", "gone/*").stdout
    told(ops, "channels", "add", "--provider", "openai-compatible", "--name", "wide", "--base-url", "http://127.0.0.1:9/v1",
         "--models", "*", "--free")  # fmt: skip
    assert notes("plans", "set", "p", "--models", "wide/any*,w*,wide/one") == []


def test_a_key_is_changed_by_what_is_named_only(ops: Path) -> None:
    made = told(ops, "keys", "create", "--account", "ops", "--name", "k", "--models", "sandbox/*", "--budget-usd", "5",
                "--per", "week", "--addresses", "10.0.0.1", "--endpoints", "chat", "--limit-usd", "9")  # fmt: skip
    assert (made["addresses"], made["endpoints"], made["budget_per"]) == ("10.0.0.1/32", "chat", "week")
    changed = told(ops, "keys", "set", made["id"], "--per", "month", "--expires", "1d")
    assert (changed["budget_usd"], changed["budget_per"], changed["models"]) == (5, "month", "sandbox/*")
    bare = told(ops, "keys", "set", made["id"], "--budget-usd", "0", "--limit-usd", "0", "--addresses", "*",
                "--endpoints", "*", "--expires", "never")  # fmt: skip
    assert {bare[name] for name in ("budget_usd", "limit_usd", "addresses", "endpoints", "expires_at")} == {None}
    assert "no key" in failed(ops, "keys", "set", "key_none", "--per", "day")


def test_an_account_holds_nine_billion_dollars(tmp_path: Path) -> None:
    told(tmp_path, "accounts", "create", "rich")
    told(tmp_path, "credits", "add", "rich", "8999999999.999999999")
    assert "too much for rich" in failed(tmp_path, "credits", "add", "rich", "0.000000002")
    assert told(tmp_path, "credits", "add", "rich", "0.000000001")["balance_usd"] == 9_000_000_000
    told(tmp_path, "keys", "create", "--account", "rich", "--name", "k", "--limit-usd", "9e9", "--plan", "free")
    assert (
        "free" in verb(tmp_path, "keys", "list").stdout and told(tmp_path, "keys", "list")[0]["limit_usd"] == 9 * 10**9
    )
    told(tmp_path, "plans", "set", "most", *(word for limit in ("rpm", "rpd", "parallel") for word in (f"--{limit}", "1000000000")))  # fmt: skip
    assert told(tmp_path, "books")["ok"]


def test_prices_are_numbers_and_can_be_forgotten(tmp_path: Path) -> None:
    told(tmp_path, *_LAB, "http://127.0.0.1:9/v1")
    told(tmp_path, *_ADD, "--name", "own", "--base-url", "http://127.0.0.1:9/v1", "--free")
    unpriced = {row["id"]: row["input_mtok"] for row in told(tmp_path, "models", "list")}
    assert unpriced == {"lab/*": None, "own/*": 0}
    price = told(tmp_path, "prices", "set", "lab/*", "--input-mtok", "0.000000012345", "--output-mtok", "1e1", "--cached-mtok", "1.250")  # fmt: skip
    assert (price["input_mtok"], price["output_mtok"]) == (Decimal("0.000000012345"), 10)
    assert price["cached_read_mtok"] == Decimal("1.25")
    assert told(tmp_path, "prices", "show", "lab/x")["output_mtok"] == 10
    assert '"input_mtok":0.000000012345,' in verb(tmp_path, "models", "list", "--json").stdout
    assert told(tmp_path, "prices", "remove", "lab/*") == {"model": "lab/*", "removed": True}
    assert "no price" in failed(tmp_path, "prices", "show", "lab/x")
    told(tmp_path, "prices", "set", "openai/gpt-4o", "--input-mtok", "1", "--output-mtok", "1")
    assert "Another price" in verb(tmp_path, "prices", "remove", "openai/gpt-4o").stdout
    assert told(tmp_path, "prices", "show", "openai/gpt-4o")["input_mtok"] == Decimal("2.5")


def test_a_long_route_says_how_many_legs_are_tried(tmp_path: Path) -> None:
    told(tmp_path, *_LAB, "http://127.0.0.1:9/v1")
    assert "note" not in told(tmp_path, "routes", "set", "m", "lab:a", "lab:b", "lab:c")
    assert "at most 3" in told(tmp_path, "routes", "set", "m", "lab:a", "lab:b", "lab:c", "lab:d")["note"]
    assert "at most 3" in verb(tmp_path, "routes", "set", "m", "lab:a", "lab:b", "lab:c", "lab:d").stdout
    assert len(told(tmp_path, "routes", "list")[0]["legs"]) == 4


@pytest.fixture(scope="module")
def ops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an account `ops`."""
    folder = tmp_path_factory.mktemp("ops")
    told(folder, "accounts", "create", "ops")
    return folder


def test_a_group_without_a_verb_explains_itself(ops: Path) -> None:
    for words in ((), ("keys",)):
        done = verb(ops, *words)
        assert done.returncode == 2 and "Commands:" in done.stdout + done.stderr
    assert verb(ops, "keys", "--help").returncode == 0


@pytest.mark.parametrize("how", ["bytes", "short", "folder", "rights"])
def test_a_secret_that_cannot_be_read_is_one_line(tmp_path: Path, how: str) -> None:
    told(tmp_path, *_LAB, "http://127.0.0.1:9/v1", "--key", "sk-lab-0123456789")
    path = tmp_path / "data" / "secret.key"
    bare: tuple[str, ...] = ()
    if how == "folder":
        path.unlink()
        path.mkdir()
    elif how == "rights":
        bare = without_privileges()
        path.chmod(0)
    else:
        path.write_bytes(b"\xff\xfe\x00" if how == "bytes" else b"\n")
    for words in (("serve",), ("models", "list"), ("channels", "test", "lab"), (*_ADD, "--name", "two", "--base-url", "http://x/v1", "--key", "k")):  # fmt: skip
        line = failed(tmp_path, *words, before=bare, GATEWAY_PORT=str(free_port()))
        assert str(path) in line and ("Put it back" in line or "set GATEWAY_SECRET" in line), line
    done = verb(tmp_path, "doctor", "--json", before=bare)
    assert str(path) in done.stdout and json.loads(done.stdout)["ok"] is False and done.stderr.count("\n") == 1
    assert verb(tmp_path, "accounts", "list", before=bare).returncode == 0, "what needs no secret goes on"


def without_privileges() -> tuple[str, ...]:
    """What to put before a command so that the rights of files hold for it, even for root."""
    if os.geteuid():
        return ()
    if not shutil.which("setpriv"):
        pytest.skip("no setpriv here: root may read and write everything")
    rights = "-dac_override,-dac_read_search"
    return ("setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}")


def test_the_system_and_the_database_fail_in_different_words(tmp_path: Path) -> None:
    folder = failed(tmp_path, "accounts", "list", GATEWAY_DATA="/dev/null/x")
    assert "/dev/null/x" in folder and "GATEWAY_DATA" in folder and "database" not in folder
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "gateway.db").write_bytes(b"no database" * 900)
    assert "The database cannot be used: file is not a database. See:" in failed(tmp_path, "accounts", "list")
    told(tmp_path, "accounts", "list", GATEWAY_DATA=str(tmp_path / "new"))
    for url in ("postgresql://127.0.0.1:9/x", "postgresql://x/y?z=1"):
        assert "The database cannot be used" in failed(tmp_path, "accounts", "list", GATEWAY_DATABASE_URL=url)


def test_what_to_type_next_can_be_typed(tmp_path: Path) -> None:
    assert verb(tmp_path, "accounts", "create", "Data Team").stdout.endswith("gateway credits add 'Data Team' 10\n")
    mends = [finding["mend"] for finding in told(tmp_path, "doctor")["findings"]]
    assert "python -m gateway credits add 'Data Team' 10" in mends


def test_a_newer_gateways_database_is_left_alone(tmp_path: Path) -> None:
    told(tmp_path, "accounts", "create", "ops")
    with sqlite3.connect(tmp_path / "data" / "gateway.db") as database:
        database.execute("INSERT INTO migration (name, at) VALUES ('9999_later', 1)")
    for words in (
        ("accounts", "list"),
        ("migrate",),
        ("migrate", "--down", "0009_files"),
        ("serve", "--port", str(free_port())),
    ):
        assert "newer gateway's (9999_later)" in failed(tmp_path, *words)
    ok, words, _ = findings(tmp_path)
    assert not ok and "error: The database cannot be used: the database is a newer gateway's (9999_later)." in words


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
        said = told(tmp_path, "channels", "test", "right")
        assert (said["name"], said["ok"]) == ("right", True)
        assert said["dialects"][:4] == ["chat", "completions", "embeddings", "speech"]
        assert "asked in: chat, completions, embeddings, speech, " in verb(tmp_path, "channels", "test", "right").stdout
        told(tmp_path, *add, "--name", "wrong", "--key", "sk-wrong-0123456789", "--free")
        told(tmp_path, *add, "--name", "later", "--key", "env:SOME_KEY", "--free")
        told(tmp_path, *add, "--name", "bare", "--free")
        told(tmp_path, *add, "--name", "dear", "--key", "sk-right-0123456789", "--models", "gold")
        told(tmp_path, "channels", "add", "--provider", "openai-compatible", "--name", "gone", "--free", "--base-url",
             f"http://127.0.0.1:{free_port()}/v1")  # fmt: skip
        ok, words, code = findings(tmp_path)
        assert not ok and code == 1
        assert "error: Channel wrong: Its key is refused" in words
        assert "error: Channel later: Its key's variable SOME_KEY is not set in this shell" in words
        assert "note: Keys of the environment are checked as this shell and .env have them: later." in words
        assert "error: Channel bare: It wants a key and has none" in words
        assert "error: Channel gone: Its provider at http://127.0.0.1" in words and "cannot be reached" in words
        assert "error: The model dear/gold has no price on channel dear" in words
        assert "sk-" not in words
        assert "SOME_KEY" not in findings(tmp_path, SOME_KEY="sk-right-0123456789")[1]
        assert "key is refused" in failed(tmp_path, "channels", "test", "wrong")
    assert "error: GATEWAY_PORT is 'none' but must be" in findings(tmp_path, GATEWAY_PORT="none")[1]
    for unwritable in ("/proc/none", "/dev/null/x"):
        assert "cannot be written" in findings(tmp_path, GATEWAY_DATA=unwritable)[1]
    assert "takes no writes" not in words
    database = tmp_path / "data" / "gateway.db"
    bare = without_privileges()
    database.chmod(0o400)
    done = verb(tmp_path, "doctor", before=bare)
    database.chmod(0o600)
    assert "The database takes no writes" in done.stdout and str(database) in done.stdout
    assert "database cannot be used" in findings(tmp_path, GATEWAY_DATABASE_URL="postgresql://127.0.0.1:9/x")[1]
    ok, words, _ = findings(tmp_path, GATEWAY_SECRET="another secret than before")
    assert not ok and "sealed under another GATEWAY_SECRET" in words


def test_the_doctor_knows_what_was_meant(tmp_path: Path) -> None:
    told(tmp_path, "accounts", "create", "ops")
    (tmp_path / ".env").write_text("GATEWAY_WORKER=4\n")
    done = verb(tmp_path, "doctor", GATEWAY_DATABSE_URL="postgresql://u:secret@h/x", GATEWAY_ZZZZ="1")
    assert done.returncode == 0 and not done.stdout.endswith("\n\n") and "secret" not in done.stdout
    assert "WARNING  GATEWAY_DATABSE_URL is no setting" in done.stdout and "mean GATEWAY_DATABASE_URL?" in done.stdout
    assert "mean GATEWAY_WORKERS?" in done.stdout and "GATEWAY_ZZZZ is no setting" in done.stdout


def test_a_probe_tells_an_api_from_a_page(tmp_path: Path) -> None:
    page = Script(200, {"content-type": "text/html"}, [b"<!doctype html><html>Welcome</html>"])
    listed = Script.json({"data": []})
    with upstream() as provider:
        told(tmp_path, *_LAB, provider.base_url, "--free")

        def line(answer: Script, other: Script | None = None) -> str:
            provider.answer = lambda asked: answer if asked.method == "GET" else other or answer
            done = verb(tmp_path, "channels", "test", "lab")
            return done.stdout + done.stderr

        assert "answers and is asked in" in line(listed)
        for not_found in (Script.json({}, 404), Script(404, page.headers, page.pieces)):
            assert "answers and is asked in" in line(not_found, Script.json({"error": "no model"}, 400))
            assert "answers and is asked in" in line(not_found, Script(422, {}, [b"missing field `model`"]))
            assert "but not as an API" in line(not_found, Script(400, page.headers, page.pieces))
            assert "but not as an API" in line(not_found, page)
            assert "There is no API" in line(not_found, not_found)
        for odd in (page, Script(200, {}, [b"ok"]), Script(200, {}, []), Script(301, {"location": "/"}, [])):
            assert "but not as an API. Is the base URL right (with /v1)?" in line(odd)
        assert "wants a key and has none" in line(Script.json({}, 401))
        assert "answers HTTP 502" in line(Script(502, page.headers, page.pieces))


def test_a_channel_out_of_reach_is_told_as_such(tmp_path: Path) -> None:
    told(tmp_path, *_LAB, "http://nope.invalid/v1")
    assert "name is not known" in failed(tmp_path, "channels", "test", "lab")
    told(tmp_path, "channels", "remove", "lab")
    told(tmp_path, *_LAB, f"http://127.0.0.1:{free_port()}/v1")
    assert "could not be connected to" in failed(tmp_path, "channels", "test", "lab")


def test_the_doctor_asks_a_running_gateway(sqlite_gateway: Gateway) -> None:
    done = sqlite_gateway.cli("doctor", "--url", sqlite_gateway.url, ok=False)
    assert "/readyz" not in done.stdout
    gone = sqlite_gateway.cli("doctor", "--url", f"http://127.0.0.1:{free_port()}", ok=False)
    assert "/healthz does not answer" in gone.stdout and gone.returncode == 1
    for url in ("http://127.0.0.1:x", "http://a b"):
        odd = sqlite_gateway.cli("doctor", "--url", url, ok=False)
        assert "/healthz does not answer" in odd.stdout and odd.stderr.count("\n") == 1
    assert "no UTF-8" in failed(sqlite_gateway.folder, "doctor", "--json", "--url", b"\xff", code=2)


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
