"""What the code may not do, held against its syntax tree; and which routes name what belongs to an account."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from app import BLUEPRINTS

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("gateway", "models", "schemas")
SQL = ("select ", "insert ", "update ", "delete ", "with ", "create ", "alter ", "drop ", "pragma ", "begin", "commit")
RUNS = {"run", "rows", "execute", "execute_sql", "executescript", "executemany"}
"""Functions that take a statement."""

MONEY = (
    "gateway/money.py", "gateway/billing/ledger.py", "gateway/billing/prices.py", "gateway/billing/books.py",
    "gateway/billing/later.py", "models/ledger.py", "models/window.py", "models/tally.py", "models/account.py",
)  # fmt: skip
DECIMALS = {
    "percent / 100", "left / one", "price.fees.get('request', Decimal(0)) / NANOS", "rate(rates, 'input') / 1000",
    "rate(rates, 'output') / 1000",
}  # fmt: skip
"""Divisions of Decimals."""

SECRETS = {
    "body",
    "raw",
    "messages",
    "headers",
    "secret",
    "key",
    "prompt",
    "text",
    "values",
    "request",
    "data",
    "authorization",
}
"""Names of what may hold a caller's words or a key."""


def trees(*patterns: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted({path for pattern in patterns for path in ROOT.glob(pattern)}):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


EVERY = tuple(f"{folder}/**/*.py" for folder in FOLDERS)


def _called(node: ast.Call) -> str:
    return (
        node.func.attr
        if isinstance(node.func, ast.Attribute)
        else node.func.id
        if isinstance(node.func, ast.Name)
        else ""
    )


def _constant(node: ast.AST) -> bool:
    """Whether a piece of an f-string is made of the module's constants only (`_COLUMNS`), or of places for parameters."""
    if isinstance(node, ast.Call) and _called(node) == "marks":
        return True
    names = [inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)]
    return all(name.strip("_").isupper() or name == "len" for name in names)


def loose_statements(tree: ast.Module) -> Iterator[int]:
    """Lines where a statement is put together from what is no constant."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            first = node.values[0] if node.values else None
            begins = isinstance(first, ast.Constant) and str(first.value).lstrip().lower().startswith(SQL)
            pieces = [piece.value for piece in node.values if isinstance(piece, ast.FormattedValue)]
            if begins and not all(map(_constant, pieces)):
                yield node.lineno
        elif isinstance(node, ast.Call) and _called(node) in RUNS and node.args:
            made = node.args[0]
            mixed = isinstance(made, ast.BinOp) and isinstance(made.op, ast.Mod | ast.Add)
            if mixed or (isinstance(made, ast.Call) and _called(made) in ("format", "join")):
                yield node.lineno


def test_statements_are_constants() -> None:
    """A value reaches the database as a parameter, never as text. The frozen steps of migrations have no values."""
    loose = [
        f"{path}:{line}"
        for path, tree in trees(*EVERY)
        if path != "models/migrations.py"
        for line in loose_statements(tree)
    ]
    assert not loose, loose
    assert list(loose_statements(ast.parse('rows(f"SELECT a FROM b WHERE c = {d}")')))


def test_the_log_gets_no_bodies() -> None:
    """No call of a logger has an argument by a name that may hold a caller's words, or the whole of an exception."""
    told = []
    for path, tree in trees(*EVERY):
        for node in ast.walk(tree):
            if not (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
            ):
                continue
            if node.func.value.id not in ("_log", "_calls", "log", "logging", "logger") or node.func.attr not in (
                "debug", "info", "warning", "error", "exception", "critical", "log"):  # fmt: skip
                continue
            for argument in node.args[1:]:
                last = (
                    argument.attr
                    if isinstance(argument, ast.Attribute)
                    else argument.id
                    if isinstance(argument, ast.Name)
                    else ""
                )
                if last in SECRETS:
                    told.append(f"{path}:{node.lineno}")
            if any(isinstance(argument, ast.JoinedStr) for argument in node.args):
                told.append(f"{path}:{node.lineno} is put together before it is known whether it is logged")
    assert not told, told


def test_money_knows_no_float() -> None:
    """Integers of nano-dollars, and Decimal at the edges."""
    found = []
    for path, tree in trees(*MONEY):
        for node in ast.walk(tree):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
            literal = isinstance(node, ast.Constant) and type(node.value) is float
            divided = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
            if called or literal or (divided and ast.unparse(node) not in DECIMALS):
                found.append(f"{path}:{node.lineno}: {ast.unparse(node)}")  # type: ignore[attr-defined]
    assert not found, found


def test_nothing_runs_what_it_is_told() -> None:
    """No eval, no pickle, no YAML with objects, no shell."""
    found = [
        f"{path}:{node.lineno}"
        for path, tree in trees(*EVERY)
        for node in ast.walk(tree)
        if (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec", "compile", "__import__"))
        or (isinstance(node, ast.Import) and any(name.name in ("pickle", "marshal", "shelve", "yaml") for name in node.names))
        or (isinstance(node, ast.keyword) and node.arg == "shell" and isinstance(node.value, ast.Constant) and node.value.value)
    ]  # fmt: skip
    assert not found, found


OWNED = {
    "/v1/batches/<identity>": "tests/sdk/test_openai_batches.py",
    "/v1/batches/<identity>/cancel": "tests/sdk/test_openai_batches.py",
    "/v1/files/<identity>": "tests/sdk/test_openai_files.py",
    "/v1/files/<identity>/content": "tests/sdk/test_openai_files.py",
    "/v1/images/<identity>": "tests/live/test_images.py",
    "/v1/images/<identity>/content": "tests/live/test_store.py",
    "/v1/audio/<identity>/content": "tests/live/test_tasks.py",
    "/v1/tasks/<identity>": "tests/live/test_tasks.py",
    "/v1/tasks/<identity>/cancel": "tests/live/test_tasks.py",
    "/v1/tasks/<identity>/events": "tests/live/test_tasks.py",
    "/v1/videos/<identity>": "tests/live/test_tasks.py",
    "/v1/videos/<identity>/content": "tests/live/test_tasks.py",
    "/v1/videos/<identity>/remix": "tests/live/test_tasks.py",
    "/v1/responses/<identity>": "tests/sdk/test_openai_responses_python.py, tests/live/test_tenancy.py",
    "/v1/responses/<identity>/cancel": "tests/live/test_tenancy.py",
    "/v1/responses/<identity>/input_items": "tests/live/test_tenancy.py",
}
"""Routes that name what belongs to one account, and the tests that another account finds nothing there (Law 8)."""

OF_ALL = {"model", "target"}
"""Arguments of routes that name what everybody may name."""


@pytest.mark.parametrize("blueprint", BLUEPRINTS, ids=lambda blueprint: blueprint.name)
def test_law_8_every_route_to_an_object_has_a_test_of_its_owner(blueprint: object) -> None:
    app = Flask("routes", static_folder=None)
    app.register_blueprint(blueprint)  # type: ignore[arg-type]
    for rule in app.url_map.iter_rules():
        if rule.arguments - OF_ALL:
            assert rule.rule in OWNED, f"{rule.rule}: who may see it? Write a test and name it in OWNED."
            assert all((ROOT / name.strip()).is_file() for name in OWNED[rule.rule].split(","))
