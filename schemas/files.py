"""The gate of `/v1/files` (https://platform.openai.com/docs/api-reference/files/create)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import File, Json, Like, WireSchema, having, whole

PURPOSES = ("assistants", "batch", "evals", "fine-tune", "user_data", "vision")
LEAST_S, MOST_S = 3_600, 2_592_000

EXPIRES: Like = having(
    anchor={"const": "created_at"}, seconds={"type": "integer", "minimum": LEAST_S, "maximum": MOST_S}
)


def expires() -> Json:
    """Until when something is kept, as OpenAI says it."""
    seconds = whole(LEAST_S, MOST_S, required=True)

    def inside(value: dict[str, Any]) -> Any:
        if value.get("anchor") != "created_at":
            return {"anchor": "must be created_at"}
        return None if _fits(value.get("seconds")) else {"seconds": f"must be {seconds.words}"}

    return Json(dict, words="an object with anchor and seconds", inside=inside, like=EXPIRES)


def _fits(value: Any) -> bool:
    return type(value) is int and LEAST_S <= value <= MOST_S


class FilesSchema(WireSchema):
    """A file to be kept."""

    file = File(required=True)
    purpose = Json(
        str, words=f"one of {', '.join(PURPOSES)}", test=lambda value: value in PURPOSES, required=True,
        like={"enum": list(PURPOSES)},
    )  # fmt: skip
    expires_after = expires()


NAMED: Mapping[str, Like] = {
    "FilesForm": {
        "type": "object",
        "required": ["file", "purpose"],
        "properties": {
            "file": {"type": "string", "format": "binary"}, "purpose": {"type": "string", "enum": list(PURPOSES)},
            "expires_after[anchor]": {"type": "string", "const": "created_at"},
            "expires_after[seconds]": {"type": "integer", "minimum": LEAST_S, "maximum": MOST_S},
        },
    },
}  # fmt: skip
"""The form by the name that the document gives it."""
