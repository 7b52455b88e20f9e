"""Secrets at rest: AES-256-GCM, bound to the row that owns the secret.

The installation's secret is `GATEWAY_SECRET`, else the file `secret.key` in the data folder (made once, mode 0600).
Whoever has the database without that secret has no provider key.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12
LEAST = 16
"""Characters of a secret, at least; a file with fewer is not what was written."""


class VaultError(Exception):
    """What was sealed cannot be opened: it was sealed under another secret, or changed."""


class NoSecret(Exception):
    """The installation secret cannot be had. what: is wrong · mend: what to do."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(f"{what} {mend}")
        self.what, self.mend = what, mend


def seal(key: bytes, plain: bytes, owner: str) -> bytes:
    """The sealed form of `plain` under a key of 32 bytes; `owner` is the id of the row that will hold it."""
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, owner.encode())


def unseal(key: bytes, sealed: bytes, owner: str) -> bytes:
    """The plain form again. Raises VaultError."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], owner.encode())
    except (InvalidTag, ValueError) as error:
        raise VaultError("sealed under another secret, or changed") from error


class Vault:
    """Seals and opens the secrets of one installation."""

    def __init__(self, secret: str) -> None:
        self._key = hashlib.sha256(b"gateway vault\0" + secret.encode()).digest()

    def seal(self, plain: str, owner: str) -> bytes:
        """The sealed form of `plain`; `owner` is the id of the row that will hold it."""
        return seal(self._key, plain.encode(), owner)

    def open(self, sealed: bytes, owner: str) -> str:
        """The plain form again. Raises VaultError."""
        return unseal(self._key, sealed, owner).decode()

    def derive(self, purpose: str, owner: str) -> bytes:
        """A secret of 32 bytes for one purpose and owner: always the same, and told by none of the others."""
        return hmac.digest(self._key, f"{purpose}\0{owner}".encode(), "sha256")


def installation_secret(given: str | None, data: Path) -> str:
    """`given` (from GATEWAY_SECRET), else the content of `secret.key` in `data`, which is made if missing.

    Raises NoSecret.
    """
    if given:
        return given
    path = data / "secret.key"
    try:
        try:
            return _read(path)
        except FileNotFoundError:
            _make(path)
            return _read(path)
    except OSError as error:
        raise NoSecret(
            f"The installation secret {path} cannot be read or made: {error.strerror}.",
            "Make it a file that this user may read, in a folder where it may write, or set GATEWAY_SECRET.",
        ) from error


def _read(path: Path) -> str:
    """The secret in a file. Raises NoSecret, OSError."""
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        secret = ""
    if len(secret) < LEAST or not secret.isprintable():
        raise NoSecret(
            f"The installation secret {path} is damaged.",
            "Put it back from a backup. Only if no channel has a stored key: remove it, and a new one is made.",
        )
    return secret


def _make(path: Path) -> None:
    """A new secret in a file, unless somebody else is faster."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    half = path.with_name(f"secret.{os.urandom(6).hex()}")
    handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(os.urandom(32).hex() + "\n")
    try:
        os.link(half, path)  # atomic, and whoever comes second takes the first one's secret
    except FileExistsError:
        pass
    finally:
        half.unlink()
