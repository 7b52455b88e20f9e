"""The kinds of tasks, by their `type`: in which words each is asked for, and what is shown of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from schemas.tasks import TaskSchema

from ..call import Ask
from ..dialects.base import Words
from ..modalities import music, video
from ..modalities.video.request import parse
from . import _tasks

SCHEMA = TaskSchema()
Row = dict[str, Any]


class Kind(NamedTuple):
    """words: the client's · facts: what of a request may be shown."""

    words: Words
    facts: Callable[[Mapping[str, Any]], Row]


def _video(values: Mapping[str, Any]) -> Row:
    return _tasks.video_facts(parse(values, video.OPENAI.OWN))


def _music(values: Mapping[str, Any]) -> Row:
    return {"n": values["n"]} if values.get("n") else {}


KINDS = {"video": Kind(video.OPENAI, _video), "music": Kind(music.MUSIC, _music)}


class _Tasks:
    """The words of `/v1/tasks`: those of the kind that the body names, in an id of their own."""

    name = "videos"
    id_prefix = "task_"
    PING = video.OPENAI.PING
    OWN = video.OPENAI.OWN
    path = staticmethod(video.OPENAI.path)
    fault = staticmethod(video.OPENAI.fault)
    error = staticmethod(video.OPENAI.error)
    error_frame = staticmethod(video.OPENAI.error_frame)

    def ask(self, values: Mapping[str, Any]) -> Ask:
        return KINDS[values["type"]].words.ask(values)


TASKS: Words = _Tasks()
