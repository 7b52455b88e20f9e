"""The gate of `/v1/completions` (https://platform.openai.com/docs/api-reference/completions/create)."""

from __future__ import annotations

from .base import MOST_TOKENS, Json, WireSchema, flag, names, number, obj, stops, text, texts_or_tokens, whole
from .steering import steering


class CompletionsSchema(WireSchema):
    """The fields that the gateway reads, and the types of those that it knows. An output limit of 0 scores a prompt."""

    model = text(required=True)
    prompt = texts_or_tokens()
    stream = flag()
    stream_options = obj()
    max_tokens = whole(0, MOST_TOKENS)
    n = whole(1, 128)
    best_of = whole(0, 128)
    suffix = text()
    echo = flag()
    logprobs = Json(int, bool, words="an integer")
    temperature = number(0, 2)
    top_p = number(0, 1)
    stop = stops()
    presence_penalty = Json(int, float, words="a number")
    frequency_penalty = Json(int, float, words="a number")
    logit_bias = obj()
    seed = Json(int, words="an integer")
    user = text()
    models = names()
    provider = steering()
