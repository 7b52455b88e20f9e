"""Identifiers: a prefix and at least 96 random bits (`docs/house.md` lists the prefixes)."""

from __future__ import annotations

import os
import secrets
import string

_ALPHABET = string.ascii_letters + string.digits


def new(prefix: str) -> str:
    """An id such as `req_6f1d…`: the prefix and 128 random bits in hexadecimal."""
    return prefix + os.urandom(16).hex()


def new_key(prefix: str) -> str:
    """An API key: the prefix and 43 characters of `[A-Za-z0-9]` (256 bits)."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(43))
