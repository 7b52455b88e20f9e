"""The page `docs/translation.md`: what each dialect can say, printed from the tables that decide it.

`neutral.features` names what a request can ask for, each dialect's `can.py` says what becomes of it there. What the
page shows is what `bridge.screen` does, so a loss that is not on it cannot happen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..neutral.features import ANSWERS, FEATURES
from .bridge import DIALECTS, NAMED, SURFACES

_WORDS = {"express": "yes", "reshape": "reshaped", "drop": "dropped", "refuse": "refused"}
_HEAD = """# Translation

Printed from `gateway/neutral/features.py` and each dialect's `can.py` by `make docs`.

A request goes on byte for byte where a provider speaks the client's own dialect. Where none does, it is parsed, held
against the tables below before anything is sent, and said again in the provider's words; the answer comes back the same
way, whole or streamed. The dialects are `chat` (`/v1/chat/completions`), `responses` (`/v1/responses`), `messages`
(`/v1/messages`) and `gemini` (`:generateContent`); `converse` is Amazon Bedrock's, which providers speak only.

- **yes** (express): said as it is.
- **reshaped** (reshape): said in another way that means the same, such as a developer's message as a system's.
- **dropped** (drop): left out. It tunes the answer and is no part of the question. The answer's header
  `x-gateway-losses` and its receipt name it by the client's own field, as in `top_k=drop`; with the request header
  `x-gateway-strict: 1` it is refused instead.
- **refused** (refuse): leaving it out would change the question. Such a provider is not asked; if none is left, the
  answer is a 400 whose `param` is the client's own field.

Members that only one dialect knows and that have no row here are dropped on the way to another, and named likewise; so
is what a model takes less of than its dialect has words for (sampling beside thinking, thinking beside forced tools):
the last table says which. A temperature above a model's highest becomes that, and is named like what is dropped. An
effort that a model does not know becomes the next lower one that it knows, else its least. What a reply says and the
client's dialect has no words for is left out: the answer was paid for and is never thrown away. Of images, sound and
files in it that is told: in the receipt and, of a whole answer, in `x-gateway-losses` as `answer.image=drop`. What an
assistant has shown before is handed back by the user, where an assistant only speaks. A thinking signature,
encrypted reasoning or `thoughtSignature` travels through a client of another dialect, marked with its origin, and goes
back to nobody but its maker.

Tools that a provider would run itself (a web search) have no words in other dialects. Beside functions of the caller's
they are dropped, since agents list them with every request and the model can do without; alone they are refused.

`/v1/completions` is no language of this table: where a channel has none, a single prompt of text becomes one user
message of a chat and follows the column of its provider; token ids, several prompts, `suffix`, `echo`, `best_of` and
`logprobs` are refused then. Embeddings are translated between OpenAI's and Google's words: token ids, media and vectors
of several lengths are refused; titles, task types and `user` dropped.

`:streamGenerateContent` answers a JSON array, as Google's does and as its clients parse it, unless the client asks for
`alt=sse` or accepts `text/event-stream`: a known deviation from the reference, which labels it SSE.

"""


def as_markdown() -> str:
    """The page `docs/translation.md`."""
    told = _table("## To a provider that speaks …", "what is asked", NAMED, {
        feature.meaning: [_WORDS[one.CAN[feature.name]] for one in NAMED.values()] for feature in FEATURES
    })  # fmt: skip
    named = _table("## Its field in each dialect of clients", "what is asked", DIALECTS, {
        feature.meaning: [_field(one.FIELD.get(feature.name)) for one in DIALECTS.values()] for feature in FEATURES
    })  # fmt: skip
    shown = _table("## What clients are shown of an answer", "what an answer holds", SURFACES, {
        feature.meaning: ["yes" if feature.name in one.SHOWS else "dropped" for one in SURFACES.values()]
        for feature in ANSWERS
    })  # fmt: skip
    return _HEAD + "\n".join((told, named, shown))


def _table(title: str, what: str, dialects: Iterable[str], rows: Mapping[str, list[str]]) -> str:
    names = [f"`{name}`" for name in dialects]
    lines = [title, "", f"| {' | '.join((what, *names))} |", "|---" * (len(names) + 1) + "|"]
    lines += [f"| {' | '.join((meaning, *cells))} |" for meaning, cells in rows.items()]
    return "\n".join((*lines, ""))


def _field(name: str | None) -> str:
    return f"`{name}`" if name else "–"
