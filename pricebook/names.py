"""Which model a provider's name means: `author/model`, as OpenRouter spells it where it lists the model.

A name loses what only its provider adds: folders, regions, version marks, its way to write a dot. What is left, its
stem, is looked up among the ids known so far; OpenRouter's first, then the makers' own, so that hosts come last. A
dated release means its undated model; where it has another price than that, `merge` makes it a model of its own and
`Names.keep` makes it known. In doubt two names stay two models: turbo, lite, fast, fp8, thinking, preview and quantised
variants are told apart, and joined by `SAME` only where host and maker say that they are one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

SAME = {
    # OpenRouter's older or dated spellings
    "google/gemini-pro-1.5": "google/gemini-1.5-pro", "google/gemini-flash-1.5": "google/gemini-1.5-flash",
    "google/gemini-flash-1.5-8b": "google/gemini-1.5-flash-8b",
    "google/gemini-2.0-flash-001": "google/gemini-2.0-flash",
    "google/gemini-2.0-flash-lite-001": "google/gemini-2.0-flash-lite",
    "x-ai/grok-2-1212": "x-ai/grok-2", "x-ai/grok-2-vision-1212": "x-ai/grok-2-vision",
    "x-ai/grok-3-beta": "x-ai/grok-3", "x-ai/grok-3-mini-beta": "x-ai/grok-3-mini",
    "mistral/ministral-8b": "mistralai/ministral-8b", "mistralai/mistral-large-4-0": "mistralai/mistral-large-4",
    "meta/muse-wonder": "meta/muse-wonder-1.0",
    # makers
    "minimax/m2-her": "minimax/minimax-m2-her",
    "anthropic/claude-v2": "anthropic/claude-2", "anthropic/claude-4-opus": "anthropic/claude-opus-4",
    "anthropic/claude-4-sonnet": "anthropic/claude-sonnet-4", "anthropic/claude-opus-4-0": "anthropic/claude-opus-4",
    "anthropic/claude-sonnet-4-0": "anthropic/claude-sonnet-4",
    "deepseek/deepseek-v3": "deepseek/deepseek-chat", "deepseek/deepseek-v3-0324": "deepseek/deepseek-chat-v3-0324",
    "deepseek/deepseek-v3.1": "deepseek/deepseek-chat-v3.1",
    "moonshotai/kimi-k2-instruct": "moonshotai/kimi-k2", "moonshotai/kimi-k2-0711-preview": "moonshotai/kimi-k2",
    "moonshotai/kimi-k2-0905-preview": "moonshotai/kimi-k2-0905",
    "moonshotai/kimi-k2-instruct-0905": "moonshotai/kimi-k2-0905",
    "openai/whisper": "openai/whisper-1",
    "cohere/embed": "cohere/embed-v4.0", "cohere/embed-v-4-0": "cohere/embed-v4.0",
    "cohere/embed-english": "cohere/embed-english-v3.0", "cohere/embed-v3-english": "cohere/embed-english-v3.0",
    "cohere/embed-multilingual": "cohere/embed-multilingual-v3.0",
    "cohere/embed-v3-multilingual": "cohere/embed-multilingual-v3.0",
    "cohere/embed-v5-fast": "cohere/embed-v5.0-fast", "cohere/embed-v5-pro": "cohere/embed-v5.0-pro",
    "cohere/rerank-v5-fast": "cohere/rerank-v5.0-fast", "cohere/rerank-v5-pro": "cohere/rerank-v5.0-pro",
    "cohere/parse-v5": "cohere/parse-v5.0",
    "openai/gpt-5.6": "openai/gpt-5.6-sol",
    "openai/gpt-5-chat-latest": "openai/gpt-5-chat", "openai/gpt-5.1-chat-latest": "openai/gpt-5.1-chat",
    "openai/gpt-5.2-chat-latest": "openai/gpt-5.2-chat",
    "openai/chat-latest": "openai/gpt-chat-latest", "openai/omni-moderation-latest": "openai/omni-moderation",
    # hosts: the one way in which the host runs the model, which OpenRouter too routes to under the plain name
    "meta-llama/llama-3.3-70b-versatile": "meta-llama/llama-3.3-70b-instruct",
    "meta-llama/llama-3.3-70b-instruct-turbo": "meta-llama/llama-3.3-70b-instruct",
    "meta-llama/llama-3.3-70b-instruct-fp8-fast": "meta-llama/llama-3.3-70b-instruct",
    "meta-llama/llama-3.3-70b": "meta-llama/llama-3.3-70b-instruct",
    "meta-llama/llama-3.1-8b-instant": "meta-llama/llama-3.1-8b-instruct",
    "meta-llama/llama-3.1-8b-instruct-turbo": "meta-llama/llama-3.1-8b-instruct",
    "meta-llama/llama-3.1-70b-instruct-turbo": "meta-llama/llama-3.1-70b-instruct",
    "meta-llama/llama-3.1-405b-instruct-turbo": "meta-llama/llama-3.1-405b-instruct",
    "meta-llama/llama-4-scout-17b-16e-instruct": "meta-llama/llama-4-scout",
    "meta-llama/llama-4-scout-17b-instruct": "meta-llama/llama-4-scout",
    "meta-llama/llama-4-scout-17b-16e-instruct-fp8": "meta-llama/llama-4-scout",
    "meta-llama/llama-4-maverick-17b-128e-instruct": "meta-llama/llama-4-maverick",
    "meta-llama/llama-4-maverick-17b-instruct": "meta-llama/llama-4-maverick",
    "meta-llama/llama-4-maverick-17b-128e-instruct-fp8": "meta-llama/llama-4-maverick",
    "meta-llama/llama-4-maverick-instruct-basic": "meta-llama/llama-4-maverick",
    "meta-llama/llama-3-70b-8192": "meta-llama/llama-3-70b-instruct",
    "meta-llama/llama-3-8b-8192": "meta-llama/llama-3-8b-instruct",
    "mistralai/mixtral-8x7b-32768": "mistralai/mixtral-8x7b-instruct",
    "mistralai/mixtral-8x7b-instruct-v0.1": "mistralai/mixtral-8x7b-instruct",
    "mistralai/mixtral-8x22b-instruct-v0.1": "mistralai/mixtral-8x22b-instruct",
    "mistralai/open-mistral-nemo": "mistralai/mistral-nemo",
    "google/veo-3.0-generate-001": "google/veo-3", "google/veo-3.0-fast-generate-001": "google/veo-3-fast",
    "google/veo-2.0-generate-001": "google/veo-2",
    "google/veo-3.1-generate-001": "google/veo-3.1", "google/veo-3.1-generate-preview": "google/veo-3.1",
    "google/veo-3.1-fast-generate-001": "google/veo-3.1-fast",
    "google/veo-3.1-fast-generate-preview": "google/veo-3.1-fast",
    "google/veo-3.1-lite-generate-001": "google/veo-3.1-lite",
    "google/veo-3.1-lite-generate-preview": "google/veo-3.1-lite",
    "google/imagen-4.0-generate-001": "google/imagen-4", "google/imagen-4.0-fast-generate-001": "google/imagen-4-fast",
    "google/imagen-4.0-ultra-generate-001": "google/imagen-4-ultra",
    "google/imagen-3.0-generate-001": "google/imagen-3", "google/imagen-3.0-fast-generate-001": "google/imagen-3-fast",
}  # fmt: skip
"""Spellings of one model, as `author/stem`, each with the id that it means."""

EXACTLY = {
    ("bedrock", "deepseek.v3-v1:0"): "deepseek/deepseek-chat-v3.1",
    ("bedrock", "amazon.titan-embed-text-v1"): "amazon/titan-embed-text-v1",
    ("bedrock", "amazon.titan-embed-text-v2:0"): "amazon/titan-embed-text-v2",
    ("novita", "deepseek/deepseek-r1/community"): "deepseek/deepseek-r1",
    ("novita", "deepseek/deepseek-v3/community"): "deepseek/deepseek-chat",
    ("together", "meta-llama/Meta-Llama-3.1-8B"): "meta-llama/llama-3.1-8b",
    ("huggingface", "Qwen/Qwen2.5-Coder-7B:nebius"): "qwen/qwen2.5-coder-7b",
    ("perplexity", "pplx-decider-latest"): "perplexity/pplx-decider-v1.2",
    ("perplexity", "pplx-decider-flash-latest"): "perplexity/pplx-decider-flash-v1.2",
}  # fmt: skip
"""Names that say less, or something else, than they mean."""

AUTHORS = (
    ("openai", r"gpt-(?!jt)|chat-latest|o[134](-|$)|chatgpt|whisper|tts-1|dall-e|sora|text-embedding-(3|ada)"
               r"|text-(davinci|curie|ada)|davinci|babbage|omni-moderation|codex-mini|computer-use|daybreak|curie$|ada$"),
    ("anthropic", r"claude"),
    ("google", r"gemini|gemma|veo-|imagen|lyria|chirp|palm-|text-bison|text-unicorn|medlm|learnlm|deep-research-"
               r"|text-embedding-00|text-multilingual|multimodalembedding|semantic-ranker|virtual-try|nano-banana"
               r"|text-embedding-(large|preview)"),
    ("x-ai", r"grok"),
    ("deepseek", r"deepseek"),
    ("mistralai", r"mistral|mixtral|ministral|magistral|codestral|devstral|pixtral|voxtral|open-mi|labs-leanstral"),
    ("qwen", r"qwen|qwq|qvq|wan-?\d|happyhorse"),
    ("moonshotai", r"kimi|moonshot"),
    ("z-ai", r"glm|autoglm|chatglm"),
    ("minimax", r"minimax|speech-0?2|m2-her"),
    ("cohere", r"command|rerank-|embed-(v|english|multi)|cohere|c4ai|parse-v"),
    ("perplexity", r"sonar|pplx|r1-1776"),
    ("meta-llama", r"llama-\d|llama-guard|llama-prompt|code-?llama"),
    ("meta", r"muse-|sam-3"),
    ("nvidia", r"nemotron|nv-|llama-3-2-nv"),
    ("microsoft", r"phi-|mai-|wizardlm|model-router|azure-"),
    ("amazon", r"nova-|titan"),
    ("ai21", r"jamba|j2-"),
    ("black-forest-labs", r"flux"),
    ("stability", r"stable-|sd3|stability"),
    ("writer", r"palmyra"),
    ("xiaomi", r"mimo"),
    ("baai", r"bge-"),
    ("baidu", r"ernie"),
    ("tencent", r"hunyuan|hy\d"),
)  # fmt: skip
"""Authors by how their models' stems begin."""

_FOLDERS = {
    "deepseek-ai": "deepseek", "zai-org": "z-ai", "zai": "z-ai", "minimaxai": "minimax", "meta": "meta-llama",
    "mistral": "mistralai", "xai": "x-ai", "xiaomimimo": "xiaomi", "meta-models": "meta", "moonshot": "moonshotai",
    "stability": "stability", "ibm": "ibm-granite", "black-forest-labs": "black-forest-labs",
}  # fmt: skip
MAKERS = {"xai": "x-ai", "mistral": "mistralai", "moonshot": "moonshotai", "zai": "z-ai", "alibaba": "qwen"}
"""Kinds of providers whose own models have another author's name than theirs."""

_REGION = re.compile(r"^(?:us|eu|apac|global|jp|au|ca|in|sa|us-gov)\.(?=[a-z0-9]+\.)")
_DATE = re.compile(r"-(20\d\d-?[01]\d-?[0-3]\d)$")
_OWN_DATES = {
    "openai": re.compile(r"^(?:gpt-[34].*|o[13].*|tts.*)-(\d{4})$"),
    "x-ai": re.compile(r"-(\d{4})$"),
    "google": re.compile(r"^gemini-[\d-]+-(?:pro|flash).*-(00\d)$"),
    "cohere": re.compile(r"-([01]\d-20\d\d)$"),
}
"""How some authors date their releases beside the full day: `gpt-4-0613`, `grok-4-0709`, `gemini-2.0-flash-001`,
`command-r-08-2024`. Others' four digits are names of models (`mistral-small-2503`, `kimi-k2-0905`)."""


def split(kind: str, name: str) -> tuple[str, str]:
    """A provider's name as (folder or vendor, stem)."""
    low = name.lower()
    vendor = ""
    if kind == "huggingface":
        low = low.partition(":")[0]
    if kind == "bedrock":
        low = _REGION.sub("", low)
        vendor, _, low = low.partition(".") if re.match(r"^[a-z0-9]+\.[a-z]", low) else ("", "", low)
        low = re.sub(r"-v0:(\d)$", r"-v0.\1", re.sub(r"-v[1-9](?::\d+)?$|-1:0$|(?<!v0):\d$", "", low))
        if vendor == "deepseek" and not low.startswith("deepseek"):
            low = f"deepseek-{low}"
    if "/" in low:
        path = [part for part in low.split("/") if part not in ("accounts", "models", "fireworks")]
        vendor, low = path[-2] if len(path) > 1 else "", path[-1]
    if kind == "vertex":
        low = re.sub(r"-maas$|@(default|latest)$", "", low)
    if kind == "fireworks":
        low = re.sub(r"(?<=\d)p(?=\d)", ".", low)
    if kind == "azure":
        low = re.sub(r"^fw-|^cohere-(?=embed|command|rerank|parse)", "", low).replace("gpt-35", "gpt-3.5")
    low = re.sub(r"^(meta-)?llama-?v?(?=\d)", "llama-", low)
    low = re.sub(r"^nvidia-(?=nemotron)|^zai-(?=glm)", "", low)
    low = re.sub(r"^claude-([4-9](?:[.-]\d)?)-(opus|sonnet|haiku|fable)", r"claude-\2-\1", low)
    return vendor, low


def key(stem: str) -> str:
    """A stem without what spellings differ in."""
    plain = re.sub(r"[._@ :]", "-", stem.lower())
    plain = re.sub(r"^(qwen|llama|ernie|hermes|gemma)-?(?=\d)", r"\1-", plain)
    return re.sub(r"-v1$", "", plain) if plain.startswith("nova") else plain


def release(kind: str, name: str, author: str) -> str | None:
    """The date in a name that says which release of a model it is."""
    stem = key(split(kind, name)[1])
    found = _DATE.search(stem) or (_OWN_DATES[author].search(stem) if author in _OWN_DATES else None)
    return found[1] if found else None


class Names:
    """The ids known so far. seeds: OpenRouter's."""

    def __init__(self, seeds: Iterable[str]) -> None:
        self._ids: dict[str, str] = {}
        self._same = {
            (author, key(stem)): one for spelled, one in SAME.items() for author, _, stem in [spelled.partition("/")]
        }
        for seed in sorted(seeds, key=lambda seed: (seed in SAME, seed)):
            author, _, stem = seed.partition("/")
            self._ids.setdefault(key(stem), self._same.get((author, key(stem)), seed))
        for one in SAME.values():
            self._ids.setdefault(key(one.partition("/")[2]), one)

    def keep(self, one: str) -> None:
        """A model of its own from now on."""
        self._ids[key(one.partition("/")[2])] = one

    def of(self, kind: str, name: str) -> str:
        """The id that a provider's name means; a new one where nobody has been heard of it."""
        if (kind, name) in EXACTLY:
            return EXACTLY[kind, name]
        vendor, stem = split(kind, name)
        author = _author(kind, vendor, key(stem))
        for spelling in _spellings(author, key(stem)):
            known = self._same.get((author, spelling)) or self._ids.get(spelling)
            if known is not None:
                return known
        made = f"{author}/{_undated(author, re.sub('[@:]', '-', stem))}"
        if author == "anthropic":
            made = re.sub(r"-(\d)-(\d)$", r"-\1.\2", made)
        self.keep(made)
        return made


def _spellings(author: str, stem: str) -> Iterable[str]:
    """The ways in which a stem may be known, the likeliest first."""
    yield stem
    undated = key(_undated(author, stem))
    yield undated
    if author != "mistralai" and stem != "gemini-pro-latest":  # there the undated names are older models'
        yield stem.removesuffix("-latest")
    if author in ("meta-llama", "mistralai", "qwen"):
        yield f"{stem}-instruct"
        yield re.sub(r"-instruct(?=$|-\d{4}$)", "", stem)
    if author == "qwen":
        yield re.sub(r"-instruct-(?=\d{4}$)", "-", stem)
    if author == "google":
        yield f"{stem}-it"


def _undated(author: str, stem: str) -> str:
    found = _DATE.search(stem) or (_OWN_DATES[author].search(key(stem)) if author in _OWN_DATES else None)
    return stem[: -len(found[1]) - 1] if found else stem


def _author(kind: str, vendor: str, stem: str) -> str:
    if kind == "openrouter" and vendor:
        return vendor
    for author, begins in AUTHORS:
        if re.match(begins, stem):
            return author
    if vendor and not vendor.startswith("@"):
        return _FOLDERS.get(vendor, vendor)
    return MAKERS.get(kind, kind)
