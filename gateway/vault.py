"""Secrets at rest: AES-256-GCM, bound to the row that owns the secret.

The installation's secret is `GATEWAY_SECRET`, else the file `secret.key` in the data folder (made once, mode 0600).
Whoever has the database without that secret has no provider key.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


class VaultError(Exception):
    """The secret cannot be opened: it was sealed under another installation secret, or changed."""


class Vault:
    """Seals and opens the secrets of one installation."""

    def __init__(self, secret: str) -> None:
        self._cipher = AESGCM(hashlib.sha256(b"gateway vault\0" + secret.encode()).digest())

    def seal(self, plain: str, owner: str) -> bytes:
        """The sealed form of `plain`; `owner` is the id of the row that will hold it."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, plain.encode(), owner.encode())

    def open(self, sealed: bytes, owner: str) -> str:
        """The plain form again. Raises VaultError."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], owner.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise VaultError("sealed under another installation secret") from error


def installation_secret(given: str | None, data: Path) -> str:
    """`given` (from GATEWAY_SECRET), else the content of `secret.key` in `data`, which is made if missing."""
    if given:
        return given
    path = data / "secret.key"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    secret = os.urandom(32).hex()
    half = data / f"secret.{os.urandom(6).hex()}"
    handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secret + "\n")
    try:
        os.link(half, path)  # atomic, and whoever comes second takes the first one's secret
    except FileExistsError:
        pass
    finally:
        half.unlink()
    return path.read_text().strip()
