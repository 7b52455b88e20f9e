"""Embeddings of the sandbox: unit vectors made of a text's words and letters.

The same input always has the same vector; texts that share words, or parts of words, lie closer than texts that share
none. Short words count little, so that "the" brings no two texts together.
"""

from __future__ import annotations

import json
import math
import random
import re
import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import gevent

from ...modalities.embeddings import NAMED, EmbedReply, Input
from .answer import tokens

DIMENSIONS = 1_536
MOST_TEXT, MOST_NUMBERS = 1 << 18, 1 << 22
"""Bytes of input that are read, and numbers of all vectors together."""

_WORD = re.compile(r"\w+")
_STEPS = (2_654_435_761, 2_246_822_519, 3_266_489_917, 668_265_263, 374_761_393, 1_640_531_527, 97_531_357, 39_916_801)
"""Odd numbers that spread a feature over places of the vector."""
_BREATH = 2_000  # features between which others may run
_NOISE = 0.1  # of what is the text's own and no feature's: length beside the features' 1


class Problem(NamedTuple):
    """Why there is no answer, and the field that is to blame."""

    param: str
    message: str


def answer(dialect: str, model: str, values: Mapping[str, Any]) -> tuple[dict[str, Any], None] | tuple[None, Problem]:
    """The reply's body, or why there is none."""
    words = NAMED[dialect]
    asked = words.parse(values)
    unsaid = next(((field, why) for field, why in asked.lost if why is not None), None)
    if unsaid is not None:
        return None, Problem(unsaid[0], f"{unsaid[0]} cannot be said to the sandbox: {unsaid[1]}.")
    size = asked.dimensions or DIMENSIONS
    if size * len(asked.inputs) > MOST_NUMBERS:
        return None, Problem("input", f"The sandbox makes at most {MOST_NUMBERS} numbers in one call. Ask for fewer.")
    if sum(len(one) for one in asked.inputs) > MOST_TEXT:
        return None, Problem("input", f"The sandbox reads at most {MOST_TEXT} characters in one call. Send less.")
    vectors = []
    for one in asked.inputs:
        vectors.append(vector(one, size))
        gevent.sleep(0)
    reply = EmbedReply(vectors=tuple(vectors), tokens=sum(map(_tokens, asked.inputs)))
    return words.render_reply(reply, asked, model), None


def _tokens(one: Input) -> int:
    return tokens(one) if isinstance(one, str) else len(one)


def vector(one: Input, size: int) -> Sequence[float]:
    """The unit vector of an input."""
    sums = [0.0] * size
    for number, (feature, weight) in enumerate(_features(one)):
        if number % _BREATH == _BREATH - 1:
            gevent.sleep(0)
        for step in _STEPS:
            at = (feature * step >> 9) % (2 * size)
            sums[at // 2] += weight if at % 2 else -weight
    length = math.sqrt(sum(value * value for value in sums)) or 1.0
    own = array("b", random.Random(json.dumps(one)).randbytes(size))
    loud = math.sqrt(sum(value * value for value in own)) or 1.0
    mixed = [value / length + _NOISE * noise / loud for value, noise in zip(sums, own, strict=True)]
    length = math.sqrt(sum(value * value for value in mixed)) or 1.0
    return [value / length for value in mixed]


def _features(one: Input) -> Iterator[tuple[int, float]]:
    """What a text is made of, as numbers, and how much each counts."""
    if not isinstance(one, str):
        for token in one:
            yield zlib.crc32(str(token).encode()), 1.0
        return
    for word in _WORD.findall(one.lower()):
        weight = min(len(word), 6) ** 2 / 36
        yield zlib.crc32(word.encode("utf-8", "surrogatepass")), weight
        framed = f"<{word}>"
        for at in range(len(framed) - 2):
            part = framed[at : at + 3].encode("utf-8", "surrogatepass")
            yield zlib.crc32(b"3" + part), 0.5 * weight
