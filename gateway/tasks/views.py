"""A task as it is shown: one row, two views. Each spells its id with a prefix of its own before the same characters,
and takes the other's as well."""

from __future__ import annotations

import json
from typing import Any

from .. import config
from . import seals

Row = dict[str, Any]

FAMILIES = {"video": "videos", "music": "audio", "suno": "audio", "image": "images", "mj": "images"}
"""Where the results of a kind are fetched, behind `/v1/`."""

PREFIXES = ("task_", "vid_", "img_")
"""How ids of tasks may begin."""

_MOST_ID = 128

_SAID = {
    "deadline": "The provider was not done in time.",
    "gone": "The provider does not know this work any more.",
    "lost": "The gateway stopped as the provider was being asked, so nobody knows whether it began.",
    "moderation_blocked": "The provider's moderation blocked it.",
    "too_large": "What was made is larger than the gateway keeps.",
    "cancelled": "It was cancelled.",
    "refused": "The provider refused what was asked for.",
    "no_result": "The provider made nothing.",
}
"""What is told of a failure, by its code. A provider's own words may hold the caller's, and are not kept."""


def spellings(identity: str) -> tuple[str, ...]:
    """All ids that mean the same task."""
    prefix = next((prefix for prefix in PREFIXES if identity.startswith(prefix)), None)
    if prefix is None or not _fits(identity):
        return ()
    return tuple(other + identity.removeprefix(prefix) for other in PREFIXES)


def names(identity: str) -> tuple[str, ...]:
    """An id as it is written, and all that mean the same if it is a task's; () for what can be no id."""
    return tuple(dict.fromkeys((identity, *spellings(identity)))) if _fits(identity) else ()


def _fits(identity: str) -> bool:
    return len(identity) <= _MOST_ID and identity.isascii() and identity.isprintable()


def spelled(row: Row, prefix: str) -> str:
    return f"{prefix}{row['id'].partition('_')[2]}"


def results(row: Row, identity: str) -> list[Row]:
    """What was made, each with where it is fetched."""
    facts = json.loads(row["facts"])
    base = f"{config.current().public_url}/v1/{FAMILIES[row['kind']]}/{identity}/content?index="
    return [{"index": place, "url": f"{base}{place}", **one} for place, one in enumerate(facts.get("results", ()))]


def error(row: Row) -> Row | None:
    code = row["error"]
    return {"code": code, "message": _SAID.get(code, "The provider could not make it.")} if code else None


def as_task(row: Row) -> Row:
    """As `/v1/tasks` shows it."""
    identity = spelled(row, "task_")
    facts = {name: value for name, value in json.loads(row["facts"]).items() if name != "results"}
    return {"id": identity, "object": "task", "type": row["kind"], **_common(row, identity), **facts}


def as_video(row: Row) -> Row:
    """As OpenAI shows a video. One that was cancelled has failed there."""
    identity = spelled(row, "vid_")
    facts = json.loads(row["facts"])
    shown = _common(row, identity)
    if row["status"] == "cancelled":
        shown |= {"status": "failed", "error": {"code": "cancelled", "message": _SAID["cancelled"]}}
    return {
        "id": identity, "object": "video", **shown, "prompt": None, "size": facts.get("size"),
        "seconds": facts.get("seconds"), "quality": facts.get("quality"),
        "remixed_from_video_id": facts.get("remixed_from"),
    }  # fmt: skip


def _common(row: Row, identity: str) -> Row:
    made = results(row, identity)
    found: Row = {
        "model": row["model"], "status": row["status"], "progress": row["progress"],
        "created_at": row["created_at"] // 1000, "completed_at": _seconds(row["done_at"]),
        "expires_at": _seconds(row["expires_at"]), "error": error(row),
    }  # fmt: skip
    said = json.loads(seals.unseal(row["results"], row["id"]) or "{}")
    if made:
        found["result"] = {"url": made[0]["url"], **said}
        found["results"] = made
    elif said:
        found["result"] = said
    return found


def _seconds(at: int | None) -> int | None:
    return at // 1000 if at is not None else None
