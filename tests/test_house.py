"""The house keeps its own rules: every route is admitted, tables are complete, printed pages are fresh."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from gateway import config, errors
from gateway.api import _door
from gateway.dialects import bridge, openai_completions, translation
from gateway.dialects.base import OWN
from gateway.modalities import embeddings
from gateway.neutral.features import NAMES
from gateway.providers import profiles
from schemas.chat import ChatSchema
from schemas.completions import CompletionsSchema
from schemas.embeddings import EmbeddingsSchema

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def app(db: str, tmp_path: Path) -> Flask:
    return create_app(config.load({"GATEWAY_DATA": str(tmp_path), "GATEWAY_DATABASE_URL": db}))


ARGUMENT = re.compile(r"<(?:(\w+)(?:\(([^)]*)\))?:)?\w+>")
EXAMPLES = {"path": "x/y", "target": "models/x:generateContent"}


def _example(argument: re.Match[str]) -> str:
    """A value that a rule's argument may have, by its converter."""
    kind, options = argument[1], argument[2]
    return options.split(",")[0] if kind == "any" else EXAMPLES.get(kind, "x")


def test_law_5_every_route_needs_a_key_but_the_public_ones(app: Flask) -> None:
    client = app.test_client()
    walked = 0
    for rule in app.url_map.iter_rules():
        path = ARGUMENT.sub(_example, rule.rule)
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            status = client.open(path, method=method, data=b"{}").status_code
            if rule.endpoint in _door.LOCAL:
                assert status == 200, rule
                status = client.open(path, method=method, headers={"X-Forwarded-For": "127.0.0.1"}).status_code
            if rule.endpoint in _door.PUBLIC:
                assert status == 200, rule
            else:
                assert status == 401, f"{method} {path} answered {status} without a key"
            walked += 1
    assert walked >= 7
    assert all(endpoint in app.view_functions for endpoint in (*_door.PUBLIC, *_door.LOCAL))


def test_the_gateways_own_members_are_one_table() -> None:
    assert set(OWN) <= set(ChatSchema().fields)
    assert set(openai_completions.OWN) <= set(CompletionsSchema().fields)
    assert set(embeddings.OPENAI.OWN) <= set(EmbeddingsSchema().fields)


def test_every_error_row_has_its_own_status() -> None:
    statuses = [kind.status for kind in errors.KINDS]
    assert len(set(statuses)) == len(statuses)
    assert errors.GatewayError(418, "x").type == "invalid_request_error"
    assert errors.GatewayError(599, "x").type == "api_error"


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("settings.md", config.as_markdown()), ("errors.md", errors.as_markdown()),
        ("translation.md", translation.as_markdown() + profiles.as_markdown()),
    ],
    ids=["settings", "errors", "translation"],
)  # fmt: skip
def test_printed_pages_are_fresh(page: str, text: str) -> None:
    assert (ROOT / "docs" / page).read_text() == text, "run `make docs`"


@pytest.mark.parametrize("name", list(bridge.NAMED))
def test_every_dialect_has_a_verdict_for_each_feature_and_clients_a_field(name: str) -> None:
    target = bridge.NAMED[name]
    assert target.name == name
    assert list(target.CAN) == list(NAMES)
    assert set(target.CAN.values()) <= {"express", "reshape", "drop", "refuse"}
    if name in bridge.DIALECTS:
        assert set(bridge.DIALECTS[name].FIELD) == set(NAMES)


def test_every_module_says_what_lives_in_it() -> None:
    bare = [
        str(path.relative_to(ROOT))
        for folder in ("gateway", "models", "schemas")
        for path in (ROOT / folder).rglob("*.py")
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not bare


def test_every_setting_is_in_the_table() -> None:
    assert {row.field for row in config.ROWS} == set(config.Settings.__dataclass_fields__)
