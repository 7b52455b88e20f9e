"""The kinds of tasks, by their `type`: in which words each is asked for, and what is shown of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from schemas.tasks import TaskSchema

from ..call import Ask
from ..dialects.base import Words
from ..modalities import images, midjourney, music, suno, video
from ..modalities.video.request import parse
from . import _tasks

SCHEMA = TaskSchema()
Row = dict[str, Any]


class Kind(NamedTuple):
    """words: the client's · facts: what of a request may be shown · below: where it is asked for, below their path ·
    here: its provider answers at once, so that the worker itself makes it."""

    words: Words
    facts: Callable[[Mapping[str, Any]], Row]
    below: Callable[[Mapping[str, Any]], str] = lambda values: ""
    here: bool = False


def _video(values: Mapping[str, Any]) -> Row:
    return _tasks.video_facts(parse(values, video.OPENAI.OWN))


def _music(values: Mapping[str, Any]) -> Row:
    return {"n": values["n"]} if values.get("n") else {}


def _image(values: Mapping[str, Any]) -> Row:
    return {name: values[name] for name in ("n", "size") if values.get(name)}


def _action(values: Mapping[str, Any]) -> Row:
    return {"action": values["action"]} if values.get("action") else {}


KINDS = {
    "video": Kind(video.OPENAI, _video),
    "music": Kind(music.MUSIC, _music),
    "image": Kind(images.GENERATIONS, _image, here=True),
    "mj": Kind(midjourney.MIDJOURNEY, _action, lambda values: midjourney.ACTIONS[values.get("action") or "imagine"]),
    "suno": Kind(suno.SUNO, _action, lambda values: suno.ACTIONS[values.get("action") or "song"]),
}


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
