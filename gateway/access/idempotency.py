"""Idempotency: a call that its caller names by `Idempotency-Key` is made once, however often it is sent.

What is kept is kept because the caller asked for it, sealed so that only he can open it: all secrets are derived from
his API key and his Idempotency-Key, and neither is stored (Law 6). As Stripe's
(https://docs.stripe.com/api/idempotent_requests) the first outcome is kept once execution began; unlike it, what was
not charged and is not the caller's own fault is forgotten, so that another try is a real one.
"""

from __future__ import annotations

import hmac

import orjson
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from models import idempotency as book
from models import writer
from models.base import session

from ..call import Call, Claim, Reply
from ..clock import now_ms
from ..errors import GatewayError
from ..vault import VaultError, seal, unseal

HEADER = "Idempotency-Key"
MOST_NAME = 255
MOST_SEALED = 1 << 20
"""Longest outcome that is kept, in bytes."""

_AGAIN = (("x-should-retry", "false"),)
"""Tells OpenAI's and Anthropic's SDKs that the same request will get the same answer."""


def claim(key: str, name: str, method: str, path: str, body: bytes) -> Claim:
    """The claim that a request makes: the caller's API key, his own name for the call, and what he sends. Raises
    GatewayError 400."""
    if not 0 < len(name) <= MOST_NAME or not all("!" <= letter <= "~" for letter in name):
        raise GatewayError(400, f"{HEADER} must be 1 to {MOST_NAME} visible ASCII characters.", param=HEADER)
    secrets = HKDF(SHA256(), 96, salt=name.encode(), info=b"gateway idempotency").derive(
        key.encode("utf-8", "surrogatepass")
    )
    said = hmac.new(secrets[32:64], f"{method} {path}\n".encode("utf-8", "surrogatepass") + body, "sha256")
    return Claim(id=secrets[:32].hex(), fingerprint=said.hexdigest(), secret=secrets[64:])


def earlier(call: Call) -> Reply | None:
    """The outcome of an earlier call of the same name; None when this is the first. Raises GatewayError 409."""
    if call.claim is None:
        return None
    with session():
        found = book.find(call.caller.account_id, call.claim.id, call.created_ms)
    return replay(call, found) if found is not None else None


def replay(call: Call, found: book.Found) -> Reply:
    """The outcome that was found for a call's claim, if it can be had. Raises GatewayError 409."""
    claim = call.claim
    assert claim is not None
    if not hmac.compare_digest(claim.fingerprint, found.fingerprint):
        raise GatewayError(
            409,
            f"This {HEADER} stands for another request. Send that one again as it was, or use a new key.",
            param=HEADER,
            headers=_AGAIN,
        )
    if found.sealed is not None:
        try:
            return _opened(unseal(claim.secret, found.sealed, claim.id))
        except VaultError:  # somebody has changed the row: it is as good as not kept
            pass
    if found.running:
        raise GatewayError(
            409, f"The call of this {HEADER} is still running. Retry in a moment.", param=HEADER, retry_after=1
        )
    raise GatewayError(
        409,
        f"The call of this {HEADER} is done and was paid for, but its answer is not kept: it broke off or is too large."
        f" Its receipt is at /v1/generation?id={found.call_id}. Use a new key to make another call.",
        param=HEADER,
        headers=(("x-generation-id", found.call_id), *_AGAIN),
    )


def outcome(call: Call, reply: Reply) -> tuple[str, bytes] | None:
    """A reply, its body whole, as the settlement keeps it: under which id, and sealed. None when the caller has claimed
    nothing, or it is too large."""
    assert isinstance(reply.body, bytes)
    if call.claim is None or len(reply.body) > MOST_SEALED:
        return None
    head = orjson.dumps([reply.status, reply.content_type, reply.headers])
    sealed = seal(call.claim.secret, head + b"\n" + reply.body, call.claim.id)
    return (call.claim.id, sealed) if len(sealed) <= MOST_SEALED else None


def _opened(plain: bytes) -> Reply:
    head, _, body = plain.partition(b"\n")
    status, kind, headers = orjson.loads(head)
    return Reply(
        status=status,
        content_type=kind,
        headers=[*map(tuple, headers), ("Idempotent-Replayed", "true")],
        body=iter((body,)) if kind.startswith("text/event-stream") else body,
    )


def forget() -> None:
    """Remove what is a day old, a few rows at a time."""
    with session():
        due = book.old(now_ms())
    while due:  # last in its group (accounts sort before), where no other row is locked after it
        due = writer.write(book.forget, now_ms(), order="~") == book.BATCH
