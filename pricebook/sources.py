"""The packages that the book is made from, and the days on which these versions came out (files.pythonhosted.org)."""

from __future__ import annotations

import json
from decimal import Decimal
from importlib.metadata import distribution
from typing import Any

GENAI = ("genai-prices", "0.2.3", "2026-11-10")
LITELLM = ("litellm", "1.110.2", "2026-11-20")
_TABLE = "litellm/model_prices_and_context_window_backup.json"


def _check(package: tuple[str, str, str]) -> None:
    name, version, _ = package
    found = distribution(name).version
    if found != version:
        raise SystemExit(f"{name} {found} is installed, {version} is meant: see pricebook/sources.txt")


def genai() -> list[Any]:
    """The providers of genai-prices."""
    _check(GENAI)
    from genai_prices.data import providers

    return list(providers)


def litellm() -> dict[str, dict[str, Any]]:
    """The table in litellm's package: only this file is read, nothing of it runs. Numbers are exact decimals."""
    _check(LITELLM)
    path = distribution(LITELLM[0]).locate_file(_TABLE)
    with open(str(path), encoding="utf-8") as file:
        table: dict[str, dict[str, Any]] = json.load(file, parse_float=Decimal)
    return table
