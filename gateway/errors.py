"""The errors that callers see: one class, one table of types, one envelope per surface.

Raise `GatewayError` anywhere above the back door; the blueprint that took the call renders it once. A message says
what to do next and never holds a secret, a prompt or a provider's own text (but for the statuses that Law 9 names).
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Kind(NamedTuple):
    """One row of the error table: what a status means and what its caller should do."""

    status: int
    type: str
    meaning: str
    advice: str


KINDS = (
    Kind(400, "invalid_request_error", "The body or a parameter is wrong.", "Mend the field that `param` names."),
    Kind(401, "authentication_error", "The key is missing, unknown or revoked.", "Send a valid key."),
    Kind(
        402,
        "insufficient_credits",
        "The purse cannot carry the dearest outcome of the call at any provider.",
        "Add credits, lower the output limit, or wait for running calls to give back what they hold.",
    ),
    Kind(
        403,
        "permission_error",
        "The key may not use this model or endpoint, not from this address, or not any more.",
        "Use another key, or widen this one.",
    ),
    Kind(404, "not_found_error", "There is no such path, model or object for this account.", "Check the name."),
    Kind(405, "invalid_request_error", "The path exists, the method does not.", "Use a method from `Allow`."),
    Kind(408, "invalid_request_error", "The body did not arrive in time.", "Send it again, faster."),
    Kind(409, "invalid_request_error", "The call conflicts with one that is running or done.", "Read the message."),
    Kind(410, "not_found_error", "It was kept as long as the plan says, and is removed.", "Make it again."),
    Kind(413, "invalid_request_error", "The body is larger than the gateway takes.", "Send less."),
    Kind(414, "invalid_request_error", "The request line is too long.", "Put parameters into the body."),
    Kind(415, "invalid_request_error", "The body is compressed, or multipart instead of JSON.", "Send plain JSON."),
    Kind(416, "invalid_request_error", "The range is not within the file.", "Read `Content-Range`, ask for less."),
    Kind(422, "invalid_request_error", "The provider could not process the body.", "Read the provider's message."),
    Kind(431, "invalid_request_error", "The headers are too long.", "Send fewer or shorter ones."),
    Kind(429, "rate_limit_error", "A limit is reached, here or at every provider.", "Wait for `Retry-After` seconds."),
    Kind(500, "api_error", "The gateway or the provider failed.", "Retry; nothing was charged."),
    Kind(502, "api_error", "The provider answered with something that cannot be passed on.", "Retry."),
    Kind(
        503,
        "api_error",
        "No provider or no database can serve the call now, or the gateway has too many.",
        "Retry after a while.",
    ),
    Kind(504, "api_error", "The provider did not answer in time.", "Retry, or ask for less output."),
    Kind(529, "overloaded_error", "All providers are overloaded; on Anthropic's surface only.", "Retry after a while."),
)
_TYPES = {kind.status: kind.type for kind in KINDS}


class GatewayError(Exception):
    """An answer that is no success.

    status: the HTTP status · message: for the caller, with what to do next · param: the caller's own field name ·
    provider_code: the provider's own code, kept beside ours · retry_after: seconds · headers: further ones.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        provider_code: str | None = None,
        retry_after: float | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.provider_code = provider_code
        self.retry_after = retry_after
        self.headers = headers

    @property
    def type(self) -> str:
        """The error type by the reference's table; a status without a row takes its hundred's."""
        return _TYPES.get(self.status) or ("invalid_request_error" if self.status < 500 else "api_error")


_SECRETS = re.compile(
    r"\b(?:sk|csk|gsk|xai|hf|r8|nvapi|pplx|fw|tgp|gh[a-z])[-_][A-Za-z0-9_\-*.]{8,}|\bAIza[A-Za-z0-9_\-]{8,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{12,}|\bya29\.[A-Za-z0-9._\-]{8,}|\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9._\-]+"
    r"|\b(?:org|proj|acct)[-_][A-Za-z0-9]{12,}"  # ours at the provider, as OpenAI and Stripe write them
    r"|(?i:(?<=bearer ))[A-Za-z0-9._\-]{8,}|(?<=[?&_]key=)[^&\s\"']+|(?<=_token=)[^&\s\"']+"
)


def masked(text: str, *secrets: str | None) -> str:
    """A text without anything that looks like a key, and without the given secrets."""
    for secret in secrets:
        if secret and len(secret) >= 6:
            text = re.sub(re.escape(secret), "[masked]", text, flags=re.IGNORECASE)
    return _SECRETS.sub("[masked]", text)


def as_markdown() -> str:
    """The page `docs/errors.md`."""
    lines = [
        "# Errors",
        "",
        "Printed from the table in `gateway/errors.py` by `make docs`. Every error is JSON:",
        "",
        "```json",
        '{"error": {"message": "…", "type": "…", "code": 400, "param": "…", "provider_code": "…", "request_id": "…"}}',
        "```",
        "",
        "`code` mirrors the HTTP status; `param` names the field where one is at fault; `provider_code` is the"
        " provider's own code where its words are kept.",
        "",
        "Under `/v1/messages` they have Anthropic's shape and types:",
        "",
        "```json",
        '{"type": "error", "error": {"type": "…", "message": "…"}, "request_id": "…"}',
        "```",
        "",
        "402 is `billing_error` there, 413 `request_too_large`, 504 `timeout_error`; and where every provider is"
        " overloaded the status is 529, `overloaded_error`.",
        "",
        "| status | type | meaning | what to do |",
        "|---|---|---|---|",
    ]
    lines += [f"| {kind.status} | `{kind.type}` | {kind.meaning} | {kind.advice} |" for kind in KINDS]
    return "\n".join(lines) + "\n"
