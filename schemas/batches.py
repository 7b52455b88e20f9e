"""The gate of `/v1/batches` (https://platform.openai.com/docs/api-reference/batch/create)."""

from __future__ import annotations

from typing import Any

from .base import Json, WireSchema, text
from .files import expires

ENDPOINTS = ("/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/completions", "/v1/moderations")
WINDOW = "24h"
MOST_PAIRS, MOST_NAME, MOST_VALUE = 16, 64, 512


def _pairs(value: dict[str, Any]) -> bool:
    return len(value) <= MOST_PAIRS and all(
        len(name) <= MOST_NAME and type(one) is str and len(one) <= MOST_VALUE for name, one in value.items()
    )


class BatchesSchema(WireSchema):
    """Calls to be made within a day."""

    input_file_id = text(required=True)
    endpoint = Json(
        str, words=f"one of {', '.join(ENDPOINTS)}", test=lambda value: value in ENDPOINTS, required=True,
        like={"enum": list(ENDPOINTS)},
    )  # fmt: skip
    completion_window = Json(
        str, words=WINDOW, test=lambda value: value == WINDOW, required=True, like={"enum": [WINDOW]}
    )
    metadata = Json(
        dict, words=f"an object of at most {MOST_PAIRS} strings, their names of {MOST_NAME} and they of {MOST_VALUE}"
        " characters", test=_pairs,
        like={
            "maxProperties": MOST_PAIRS, "propertyNames": {"maxLength": MOST_NAME},
            "additionalProperties": {"type": "string", "maxLength": MOST_VALUE},
        },
    )  # fmt: skip
    output_expires_after = expires()
