"""Moderation: whether a text or an image is harmful, in OpenAI's words and in Mistral's.

https://platform.openai.com/docs/api-reference/moderations, https://docs.mistral.ai/api/endpoint/classifiers. Mistral's
takes texts only, has categories of its own, and leaves it to the caller to say that one of them is enough: `flagged`
is added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..call import Ask, Call, Fault, Leg, Meter
from ..dialects import shapes
from ..dialects.base import Feed, Words
from ..dialects.bridge import Refused
from ..dialects.openai_chat import errors as openai
from ..dialects.passing import for_leg, parsed, scanned
from ..dialects.scale import Scale, size
from ..neutral.reply import Usage
from ..splice import edit
from ..sse import PING

DEFAULT = "omni-moderation-latest"
"""OpenAI's model for whom names none."""


class OpenAI:
    """`POST /v1/moderations`. `input` is a text, texts, or parts of one input, of which some are images."""

    name = "moderations"
    id_prefix = "gen_"
    PING = PING
    OWN: tuple[str, ...] = ("models", "provider")

    def path(self, model: str, stream: bool) -> str:
        return "/moderations"

    def ask(self, values: Mapping[str, Any]) -> Ask:
        scale = Scale()
        given = _inputs(values["input"])
        scale.messages = len(given)
        for place, one in enumerate(given):
            if isinstance(one, str):
                scale.text += size(one)
                continue
            scale.text += size(one.get("text"))
            if "image_url" in one:
                image = one["image_url"]
                url = image.get("url") if isinstance(image, dict) else image
                scale.picture(url, f"input[{place}].image_url.url")
            scale.search({name: more for name, more in one.items() if name != "text"}, f"input[{place}]", loose=True)
        scale.top(values, _KNOWN, loose=True)
        parts = any(isinstance(one, dict) for one in given)
        return Ask(
            model=values.get("model") or DEFAULT, limit=0, batch=1 if parts else max(1, len(given)),
            weight=scale.weight(), urls=tuple(scale.urls),
        )  # fmt: skip

    fault = staticmethod(openai.fault)
    error = staticmethod(openai.error)
    error_frame = staticmethod(openai.error_frame)


class Mistral:
    """The same path at Mistral, for texts."""

    name = "moderations:mistral"

    def path(self, model: str, stream: bool) -> str:
        return "/moderations"

    fault = staticmethod(openai.fault)


OPENAI = OpenAI()
MISTRAL = Mistral()
NAMED: dict[str, Words] = {OPENAI.name: OPENAI}
_WORDS = (OPENAI.name, MISTRAL.name)
_KNOWN = frozenset({"model", "input", *OPENAI.OWN})


def _inputs(given: Any) -> list[Any]:
    return [given] if isinstance(given, str) else list(given)


def ways(call: Call, dialects: Sequence[str]) -> tuple[str, ...]:
    """The words in which a model of these dialects can be asked."""
    return tuple(name for name in _WORDS if name in dialects)[:1]


def screen(call: Call, leg: Leg) -> tuple[str, ...]:
    """What Mistral's words lose. Raises Refused."""
    if leg.dialect == OPENAI.name:
        return ()
    values = call.body.values
    for place, one in enumerate(_inputs(values["input"])):
        if isinstance(one, dict) and not isinstance(one.get("text"), str):
            raise Refused(f"input[{place}]", f"input[{place}] can only be text with a provider of this model.")
    lost = [name for name, value in values.items() if value is not None and name not in _KNOWN]
    if lost and call.strict:
        raise Refused(lost[0], f"{lost[0]} cannot be said to a provider of this model.")
    return tuple(f"{name}=drop" for name in lost)


def to_fetch(call: Call, leg: Leg) -> dict[str, str]:
    """Nothing: who takes images takes their addresses."""
    return {}


def encode(call: Call, leg: Leg) -> bytes:
    """The body for a leg."""
    if leg.dialect == OPENAI.name:
        return edit(call.body, for_leg(call, leg, OPENAI.OWN))
    given = _inputs(call.body.values["input"])
    if any(isinstance(one, dict) for one in given):  # parts of one input
        given = ["\n".join(one["text"] if isinstance(one, dict) else one for one in given)]
    return shapes.packed({"model": leg.model, "input": given})


def whole(call: Call, leg: Leg, body: bytes, meter: Meter) -> bytes:
    """A reply for the client; fills the meter. Raises Fault."""
    found = scanned(body)
    values = found.values
    if values.get("error"):
        raise openai.fault_in_reply(values["error"])
    results = values.get("results")
    if not isinstance(results, list) or not results or not all(isinstance(one, dict) for one in results):
        raise Fault("malformed")
    if len(results) != call.ask.batch:
        raise Fault("malformed")
    meter.units = {"moderations": len(results)}
    meter.upstream_id = shapes.short(values.get("id"))
    tokens = shapes.count(shapes.members(values.get("usage")).get("prompt_tokens"))
    if tokens is not None:
        meter.usage = Usage(input=tokens, output=0)
    changes: dict[str, str | None] = {"id": shapes.dumps(call.id), "model": shapes.dumps(call.model)}
    if leg.dialect == MISTRAL.name:
        changes["results"] = shapes.dumps([_flagged(one) for one in parsed(body)["results"]])
    return edit(found, changes)


def _flagged(result: Mapping[str, Any]) -> dict[str, Any]:
    return {"flagged": any(shapes.members(result.get("categories")).values()), **result}


def feed(call: Call, leg: Leg, headers: Mapping[str, str]) -> Feed:
    """No judgement is streamed."""
    raise Fault("malformed")
