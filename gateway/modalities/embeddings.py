"""Embeddings: texts as vectors, in OpenAI's words and in Google's two.

https://platform.openai.com/docs/api-reference/embeddings, https://ai.google.dev/api/embeddings. Between equal words
bytes pass (Law 1); between different ones a request becomes an `EmbedRequest` and a reply an `EmbedReply`. The rooms
above find here what `dialects.bridge` offers for chat: NAMED, `ways`, `screen`, `encode`, `whole`.

OpenAI's `input` is a text, texts, token ids or lists of token ids; vectors come as numbers or as base64 of
little-endian float32, which OpenAI's SDKs ask for unless told otherwise. Google's `:embedContent` takes one content and
`:batchEmbedContents` several; its answers have usage for the newest models only, and no ids.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from ..call import Ask, Call, Fault, Leg, Meter
from ..dialects import shapes
from ..dialects.base import Feed, Words
from ..dialects.bridge import Refused
from ..dialects.gemini import errors as google
from ..dialects.gemini.request import weigh_content
from ..dialects.gemini.spelling import level, several
from ..dialects.openai_chat import errors as openai
from ..dialects.passing import for_leg, parsed, scanned
from ..dialects.scale import Scale, size
from ..neutral.reply import Usage
from ..splice import Scan, edit
from ..sse import PING

Input = str | tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedRequest:
    """What is to be embedded, each input apart: a text or token ids. dimensions: of each vector, where said ·
    packed: vectors are wanted as base64 · lost: (field, why it matters) of what other words do not have; `None` for
    what is only tuning."""

    inputs: tuple[Input, ...]
    dimensions: int | None = None
    packed: bool = False
    lost: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedReply:
    """A vector for each input, in their order. tokens: of all inputs."""

    vectors: tuple[Sequence[float], ...]
    tokens: int


class Embedding(Words, Protocol):
    """The words of one vendor for embeddings."""

    def passed(self, call: Call, leg: Leg) -> bytes:
        """The caller's bytes for a leg of the same words."""
        ...

    def renamed(self, call: Call, found: Scan) -> bytes:
        """A reply's bytes with the caller's names."""
        ...

    def parse(self, values: Mapping[str, Any]) -> EmbedRequest:
        """A request that the gate has passed, and what of it other words do not have."""
        ...

    def render(self, request: EmbedRequest, model: str) -> dict[str, Any]:
        """A request for a provider. model: its upstream name."""
        ...

    def rows(self, values: Mapping[str, Any]) -> tuple[list[Any], int | None]:
        """The vectors of a reply as they came, and the tokens of all inputs. Raises Fault when it is no reply."""
        ...

    def render_reply(self, reply: EmbedReply, request: EmbedRequest, model: str) -> dict[str, Any]:
        """A reply for a client. request: what it asked · model: as it wrote it."""
        ...


class OpenAI:
    """`POST /v1/embeddings`, which nearly every provider of Chat has too."""

    name = "embeddings"
    id_prefix = "gen_"
    PING = PING
    OWN: tuple[str, ...] = ("models", "provider")
    _KNOWN = frozenset({"model", "input", "dimensions", "encoding_format", *OWN})
    _FORMS: Mapping[Any, bool] = {None: False, "float": False, "base64": True}

    def path(self, model: str, stream: bool) -> str:
        return "/embeddings"

    def ask(self, values: Mapping[str, Any]) -> Ask:
        inputs = _inputs(values["input"])
        scale = Scale()
        scale.messages = len(inputs)
        # a token weighs as much as the four bytes of text that estimates take for one
        scale.text = sum(size(one) if isinstance(one, str) else 4 * len(one) for one in inputs)
        scale.top(values, self._KNOWN, loose=True)
        return Ask(
            model=values["model"], limit=0, batch=len(inputs), weight=scale.weight(),
            references=tuple(scale.references), urls=tuple(scale.urls),
        )  # fmt: skip

    def passed(self, call: Call, leg: Leg) -> bytes:
        return edit(call.body, for_leg(call, leg, self.OWN))

    def renamed(self, call: Call, found: Scan) -> bytes:
        changes: dict[str, str | None] = {"model": json.dumps(call.model, ensure_ascii=False)}
        if "id" in found.values:
            changes["id"] = json.dumps(call.id)
        return edit(found, changes)

    def parse(self, values: Mapping[str, Any]) -> EmbedRequest:
        form = values.get("encoding_format")
        lost: list[tuple[str, str | None]] = [
            (name, None) for name, v in values.items() if v and name not in self._KNOWN
        ]
        if form not in self._FORMS:
            lost.append(("encoding_format", "vectors can be had as float or base64 only"))
        return EmbedRequest(
            inputs=_inputs(values["input"]),
            dimensions=values.get("dimensions"),
            packed=self._FORMS.get(form, False),
            lost=tuple(lost),
        )

    def render(self, request: EmbedRequest, model: str) -> dict[str, Any]:
        values: dict[str, Any] = {"model": model, "input": list(request.inputs), "encoding_format": "float"}
        return {**values, "dimensions": request.dimensions} if request.dimensions is not None else values

    def rows(self, values: Mapping[str, Any]) -> tuple[list[Any], int | None]:
        if values.get("error"):
            raise openai.fault_in_reply(values["error"])
        data, usage = values.get("data"), values.get("usage")
        if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
            raise Fault("malformed")
        if sorted(row["index"] for row in data if type(row.get("index")) is int) == list(range(len(data))):
            data = sorted(data, key=lambda row: int(row["index"]))
        usage = shapes.members(usage)
        tokens = shapes.count(usage.get("prompt_tokens"))
        return [row.get("embedding") for row in data], (
            tokens if tokens is not None else shapes.count(usage.get("total_tokens"))
        )

    def render_reply(self, reply: EmbedReply, request: EmbedRequest, model: str) -> dict[str, Any]:
        shown = (_packed(vector) if request.packed else vector for vector in reply.vectors)
        return {
            "object": "list",
            "data": [{"object": "embedding", "index": place, "embedding": one} for place, one in enumerate(shown)],
            "model": model,
            "usage": {"prompt_tokens": reply.tokens, "total_tokens": reply.tokens},
        }

    fault = staticmethod(openai.fault)
    error = staticmethod(openai.error)
    error_frame = staticmethod(openai.error_frame)


def _inputs(given: Any) -> tuple[Input, ...]:
    """OpenAI's `input` as the inputs that it stands for; the gate has seen its shape."""
    if isinstance(given, str):
        return (given,)
    if given and isinstance(given[0], int):
        return (tuple(given),)
    return tuple(one if isinstance(one, str) else tuple(one) for one in given)


def _vector(value: Any) -> Sequence[float]:
    """A vector as it came: numbers, or base64 of little-endian float32. Raises Fault."""
    if isinstance(value, str):
        try:
            data = base64.b64decode(value, validate=True)
            return struct.unpack(f"<{len(data) // 4}f", data)
        except (ValueError, struct.error):
            raise Fault("malformed") from None
    if not isinstance(value, list) or not all(type(number) in (int, float) for number in value):
        raise Fault("malformed")
    return value


def _packed(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


class Gemini:
    """`:embedContent`, or `:batchEmbedContents` for several. Both spellings of names are read."""

    id_prefix = "gen_"
    PING = PING
    OWN: tuple[str, ...] = ()
    _KNOWN = frozenset({"model", "content", "outputDimensionality"})

    def __init__(self, method: str, batch: bool) -> None:
        self.name = f"gemini:{method}"
        self._method, self._batch = method, batch

    def path(self, model: str, stream: bool) -> str:
        return f"/v1beta/models/{quote(model, safe='')}:{self._method}"

    def _requests(self, values: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """What is asked, and where in the body it stands."""
        if not self._batch:
            return [("", level(values))]
        return [(f"requests[{place}].", level(row)) for place, row in enumerate(several(values.get("requests")))]

    def ask(self, values: Mapping[str, Any]) -> Ask:
        scale = Scale()
        requests = self._requests(values)
        for where, request in requests:
            scale.text += size(request.get("title"))
            weigh_content(scale, request.get("content"), f"{where}content")
        return Ask(
            model=values["model"], limit=0, batch=max(1, len(requests)), audio_in=scale.audio_bytes > 0,
            weight=scale.weight(), references=tuple(scale.references), urls=tuple(scale.urls),
        )  # fmt: skip

    def passed(self, call: Call, leg: Leg) -> bytes:
        values, name = call.body.values, f"models/{leg.model}"
        changes: dict[str, str | None] = {"model": json.dumps(name)} if "model" in values else {}
        if self._batch:
            changes["requests"] = shapes.dumps([{**row, "model": name} for row in several(values["requests"])])
        return edit(call.body, changes)

    def renamed(self, call: Call, found: Scan) -> bytes:
        return found.text.encode()  # it names neither itself nor the model

    def parse(self, values: Mapping[str, Any]) -> EmbedRequest:
        inputs: list[Input] = []
        lost: list[tuple[str, str | None]] = []
        wanted: list[Any] = []
        for where, request in self._requests(values):
            texts = []
            for place, part in enumerate(_parts(request)):
                if isinstance(part.get("text"), str):
                    texts.append(part["text"])
                else:
                    lost.append((f"{where}content.parts[{place}]", "only text can be embedded there"))
            inputs.append("\n".join(texts))
            wanted.append(request.get("outputDimensionality"))
            lost += [(f"{where}{name}", None) for name in request if name not in self._KNOWN]
            if wanted[-1] != wanted[0]:
                lost.append((f"{where}outputDimensionality", "all vectors of a call have one length there"))
        dimensions = wanted[0] if wanted and isinstance(wanted[0], int) else None
        return EmbedRequest(inputs=tuple(inputs), dimensions=dimensions, lost=tuple(lost))

    def render(self, request: EmbedRequest, model: str) -> dict[str, Any]:
        length = {} if request.dimensions is None else {"outputDimensionality": request.dimensions}
        return {
            "requests": [
                {"model": f"models/{model}", "content": {"parts": [{"text": text}]}, **length}
                for text in request.inputs
            ]
        }

    def rows(self, values: Mapping[str, Any]) -> tuple[list[Any], int | None]:
        if values.get("error"):
            raise google.fault_in_reply(values["error"])
        found = values.get("embeddings") if self._batch else [values.get("embedding")]
        usage = values.get("usageMetadata")
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            raise Fault("malformed")
        return [row.get("values") for row in found], shapes.count(shapes.members(usage).get("promptTokenCount"))

    def render_reply(self, reply: EmbedReply, request: EmbedRequest, model: str) -> dict[str, Any]:
        vectors = [{"values": vector} for vector in reply.vectors]
        shown: dict[str, Any] = {"embeddings": vectors} if self._batch else {"embedding": vectors[0]}
        return {**shown, "usageMetadata": {"promptTokenCount": reply.tokens}}

    fault = staticmethod(google.fault)
    error = staticmethod(google.error)
    error_frame = staticmethod(google.error_frame)


def _parts(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The parts of a request's content, which may be a bare string."""
    content = request.get("content")
    if isinstance(content, str):
        return [{"text": content}]
    return list(map(level, several(level(content).get("parts"))))


OPENAI = OpenAI()
EMBED_CONTENT = Gemini("embedContent", batch=False)
BATCH_EMBED_CONTENTS = Gemini("batchEmbedContents", batch=True)

NAMED: dict[str, Embedding] = {words.name: words for words in (OPENAI, EMBED_CONTENT, BATCH_EMBED_CONTENTS)}
_OTHERS = {
    OPENAI.name: BATCH_EMBED_CONTENTS.name,
    EMBED_CONTENT.name: OPENAI.name,
    BATCH_EMBED_CONTENTS.name: OPENAI.name,
}
"""The words that each is translated to where a channel does not speak it."""


def ways(call: Call, dialects: Sequence[str]) -> tuple[str, ...]:
    """The words in which a model of these dialects can be told a call, the caller's own where it has them."""
    wanted = (call.dialect, _OTHERS[call.dialect])
    return tuple(name for name in wanted if _among(dialects, name))[:1]


def _among(dialects: Sequence[str], name: str) -> bool:
    """Who speaks Chat has OpenAI's embeddings too, and who speaks Google's chat has both of its methods."""
    return name in dialects or ("chat" if name == OPENAI.name else "gemini") in dialects


def screen(call: Call, leg: Leg) -> tuple[str, ...]:
    """What a leg would lose of this call, as `field=drop`. Raises Refused."""
    if leg.dialect == call.dialect:
        return ()
    asked = NAMED[call.dialect].parse(call.body.values)
    if leg.dialect != OPENAI.name and not all(isinstance(one, str) for one in asked.inputs):
        raise Refused("input", "input cannot be token ids for a provider of this model: they mean other words there.")
    for field, why in asked.lost:
        if why is not None or call.strict:
            raise Refused(field, f"{field} cannot be said to a provider of this model{f': {why}' if why else ''}.")
    return tuple(dict.fromkeys(f"{field.rpartition('.')[2]}=drop" for field, _ in asked.lost))


def to_fetch(call: Call, leg: Leg) -> dict[str, str]:
    """Nothing: no input is named by its address."""
    return {}


def encode(call: Call, leg: Leg) -> bytes:
    """The body for a leg."""
    source, target = NAMED[call.dialect], NAMED[leg.dialect]
    if source is target:
        return source.passed(call, leg)
    return shapes.packed(target.render(source.parse(call.body.values), leg.model))


def whole(call: Call, leg: Leg, body: bytes, meter: Meter) -> bytes:
    """A reply for the client; fills the meter. Raises Fault."""
    source, target = NAMED[call.dialect], NAMED[leg.dialect]
    if source is target:
        found = scanned(body)
        _measure(*target.rows(found.values), found.values.get("id"), meter)
        return source.renamed(call, found)
    values = parsed(body)
    rows, tokens = target.rows(values)
    if len(rows) != call.ask.batch:
        raise Fault("malformed")
    _measure(rows, tokens, values.get("id"), meter)
    told = tokens if tokens is not None else call.ask.weight.guess()
    reply = EmbedReply(vectors=tuple(map(_vector, rows)), tokens=told)
    return shapes.packed(source.render_reply(reply, source.parse(call.body.values), call.model))


def feed(call: Call, leg: Leg, headers: Mapping[str, str]) -> Feed:
    """No vectors are streamed."""
    raise Fault("malformed")


def _measure(rows: list[Any], tokens: int | None, upstream_id: Any, meter: Meter) -> None:
    if not rows:
        raise Fault("malformed")
    meter.units = {"embeddings": len(rows)}
    meter.upstream_id = shapes.short(upstream_id)
    if tokens is not None:
        meter.usage = Usage(input=tokens, output=0)
