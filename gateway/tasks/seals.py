"""What tasks keep secret: where their owners are told of them, what results say, and the key that signs it."""

from __future__ import annotations

import base64
import logging

from ..vault import Vault, VaultError

_log = logging.getLogger("gateway.tasks")
_vault: Vault | None = None


def open(vault: Vault) -> None:
    """Say how secrets are sealed. Call once."""
    global _vault
    _vault = vault


def seal(plain: str, task_id: str) -> bytes:
    assert _vault is not None
    return _vault.seal(plain, task_id)


def unseal(sealed: bytes | None, task_id: str) -> str | None:
    """What was sealed; None where nothing was, or under another secret."""
    assert _vault is not None
    try:
        return None if sealed is None else _vault.open(sealed, task_id)
    except VaultError:
        _log.error("task %s: what it keeps was sealed under another GATEWAY_SECRET", task_id)
        return None


def signing_key(account_id: str) -> bytes:
    """What an account's webhooks are signed with: its own, the same for ever, and stored nowhere."""
    assert _vault is not None
    return _vault.derive("webhooks", account_id)


def signing_secret(account_id: str) -> str:
    """The same as Standard Webhooks spells it."""
    return "whsec_" + base64.b64encode(signing_key(account_id)).decode()
