"""Reranking: documents in the order in which they fit a question.

In the words that Jina (https://jina.ai/reranker), vLLM, LocalAI and many hosts share and that Cohere's first version
had: documents as texts or objects, `return_documents`; and in those of Cohere's second
(https://docs.cohere.com/reference/rerank), which takes texts only and sends none back: what is asked for is put in
here. Priced by the search or by tokens; a search has up to a hundred documents, a long one counts as several
(https://docs.cohere.com/docs/how-does-cohere-pricing-work).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..call import Ask, Call, Fault, Leg, Meter, Weight
from ..dialects import shapes
from ..dialects.base import Feed, Words
from ..dialects.bridge import Refused
from ..dialects.openai_chat import errors as openai
from ..dialects.passing import for_leg, scanned
from ..dialects.scale import Scale, size
from ..neutral.reply import Usage
from ..splice import edit
from ..sse import PING

_IN_A_SEARCH = 100
_CHUNK, _LEAST_CHUNK = 2_000, 400
"""Bytes of question and document that count as one: of 500 tokens as they may well be, and for a bound."""


class Common:
    """`POST /v1/rerank` as most have it."""

    name = "rerank"
    id_prefix = "gen_"
    PING = PING
    OWN: tuple[str, ...] = ("models", "provider")

    def path(self, model: str, stream: bool) -> str:
        return "/rerank"

    def ask(self, values: Mapping[str, Any]) -> Ask:
        documents, question = values["documents"], size(values["query"])
        named = _named(values)
        return Ask(
            model=values["model"], limit=0, batch=len(documents), units={"query": _searches(values, _LEAST_CHUNK)},
            weight=Weight(text=sum(size(one) + question for one in documents), messages=len(documents)),
            references=tuple(one for one in named.references if one.kind == "file"), urls=tuple(named.urls),
        )  # fmt: skip

    fault = staticmethod(openai.fault)
    error = staticmethod(openai.error)
    error_frame = staticmethod(openai.error_frame)


class Cohere:
    """`POST /v2/rerank` at Cohere."""

    name = "rerank:cohere"

    def path(self, model: str, stream: bool) -> str:
        return "/rerank"

    fault = staticmethod(openai.fault)


COMMON = Common()
COHERE = Cohere()
NAMED: dict[str, Words] = {COMMON.name: COMMON}
_WORDS = (COMMON.name, COHERE.name)
_KNOWN = frozenset({
    "model", "query", "documents", "top_n", "return_documents", "max_tokens_per_doc", "priority", *COMMON.OWN,
})  # fmt: skip


_SEEN = frozenset({"image", "images", "video", "videos", "audio"})
"""Members of a document that are read beside its text; the others only say where it is from, and the like."""


def _named(values: Mapping[str, Any]) -> Scale:
    """What a request names: files, and addresses to fetch. Other ids in documents are the caller's own data."""
    scale = Scale()
    scale.search({name: one for name, one in values.items() if name not in _KNOWN}, "", loose=True)
    for place, document in enumerate(values["documents"]):
        if isinstance(document, dict):
            has_text = isinstance(document.get("text"), str)
            for loose in (True, False):
                some = {name: one for name, one in document.items() if (name in _SEEN or not has_text) is loose}
                scale.search(some, f"documents[{place}]", loose=loose)
    return scale


def _searches(values: Mapping[str, Any], chunk: int) -> int:
    """How many searches a request counts as, where so many bytes are one document."""
    question = size(values["query"])
    chunks = sum(1 + (size(one) + question) // chunk for one in values["documents"])
    return -(-chunks // _IN_A_SEARCH)


def text_of(document: Any) -> str:
    """What a document says: its `text`, or all that it is."""
    if isinstance(document, str):
        return document
    text = document.get("text")
    return text if isinstance(text, str) else shapes.dumps(document)


def ways(call: Call, dialects: Sequence[str]) -> tuple[str, ...]:
    """The words in which a model of these dialects can be asked."""
    return tuple(name for name in _WORDS if name in dialects)[:1]


def screen(call: Call, leg: Leg) -> tuple[str, ...]:
    """What Cohere's words lose. Raises Refused."""
    if leg.dialect == COMMON.name:
        return ()
    values = call.body.values
    for place, one in enumerate(values["documents"]):
        if isinstance(one, dict) and "image" in one:
            raise Refused(f"documents[{place}]", f"documents[{place}] can only be text with a provider of this model.")
    lost = [name for name, value in values.items() if value is not None and name not in _KNOWN]
    if lost and call.strict:
        raise Refused(lost[0], f"{lost[0]} cannot be said to a provider of this model.")
    return tuple(f"{name}=drop" for name in lost)


def to_fetch(call: Call, leg: Leg) -> dict[str, str]:
    """Nothing: documents are sent, not named."""
    return {}


def encode(call: Call, leg: Leg) -> bytes:
    """The body for a leg."""
    changes = for_leg(call, leg, COMMON.OWN)
    if leg.dialect == COHERE.name:
        values = call.body.values
        changes |= {name: None for name in values if name not in _KNOWN or name == "return_documents"}
        changes["documents"] = shapes.dumps([text_of(one) for one in values["documents"]])
    return edit(call.body, changes)


def whole(call: Call, leg: Leg, body: bytes, meter: Meter) -> bytes:
    """A reply for the client; fills the meter. Raises Fault."""
    found = scanned(body)
    values, asked = found.values, call.body.values
    if values.get("error"):
        raise openai.fault_in_reply(values["error"])
    results = values.get("results")
    if not isinstance(results, list) or not all(map(_is_result, results)):
        raise Fault("malformed")
    documents = asked["documents"]
    if any(one["index"] >= len(documents) for one in results):
        raise Fault("malformed")
    _measure(call, leg, values, meter)
    meter.units = {"results": len(results)}
    meter.upstream_id = shapes.short(values.get("id"))
    changes: dict[str, str | None] = {"id": shapes.dumps(call.id), "model": shapes.dumps(call.model)}
    if leg.dialect == COHERE.name and asked.get("return_documents"):
        told = [{**one, "document": {"text": text_of(documents[one["index"]])}} for one in results]
        changes["results"] = shapes.dumps(told)
    return edit(found, changes)


def _is_result(one: Any) -> bool:
    told = shapes.members(one)
    return shapes.count(told.get("index")) is not None and shapes.number(told.get("relevance_score")) is not None


def _measure(call: Call, leg: Leg, values: Mapping[str, Any], meter: Meter) -> None:
    usage, meta = shapes.members(values.get("usage")), shapes.members(values.get("meta"))
    billed, counted = shapes.members(meta.get("billed_units")), shapes.members(meta.get("tokens"))
    tokens = next(
        (
            count
            for one in (
                usage.get("total_tokens"), usage.get("prompt_tokens"), counted.get("input_tokens"),
                billed.get("input_tokens"), billed.get("total_tokens"),
            )
            if (count := shapes.count(one)) is not None
        ),
        None,
    )  # fmt: skip
    searches = shapes.count(billed.get("search_units"))
    reckoned = _searches(call.body.values, _CHUNK)
    units = {"query": reckoned if searches is None else searches}
    if tokens is not None:
        meter.usage = Usage(input=tokens, output=0, units=units)
    elif searches is not None and leg.price is not None and "query" in leg.price.units:
        meter.usage = Usage(units=units)
    meter.guess = Usage(input=call.ask.weight.guess(), output=0, units=units)


def feed(call: Call, leg: Leg, headers: Mapping[str, str]) -> Feed:
    """No order is streamed."""
    raise Fault("malformed")
