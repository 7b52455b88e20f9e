"""Facts about families of models and about providers' accents: the one place where they are known by name.

Rows say of a provider, a dialect and a model's name what departs from `call.Profile`; of each fact the first row that
fits holds. A name is searched for its pattern, so that a model is the same under another host's name for it
(`anthropic/claude-sonnet-4.5`, `us.anthropic.claude-sonnet-4-5-20250929-v1:0`, `claude-sonnet-4-5@20250929`).
Nothing stands here that no vendor's page, recorded answer or reported refusal shows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

from ..call import Accent, Profile

CHAT, RESPONSES, MESSAGES, GEMINI, CONVERSE = "chat", "responses", "messages", "gemini", "converse"
_VERSION = r"[a-z-]*?(\d{1,2})(?!\d)(?:[-.](\d{1,2})(?!\d))?"
_NEWEST = (99, 0)
"""The version of a name that tells none: a family's plain name leads to its newest model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Where some facts hold, and who says so.

    what: for the page · providers, dialects: () for any · model: a pattern in the model's name · since: of this version
    on, which stands behind the pattern · facts: of `Profile` and its `Accent`, by their names · source: a page.
    """

    what: str
    providers: tuple[str, ...] = ()
    dialects: tuple[str, ...] = ()
    model: str = ""
    since: tuple[int, int] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    source: str

    def fits(self, provider: str, model: str, dialect: str) -> bool:
        if (self.providers and provider not in self.providers) or (self.dialects and dialect not in self.dialects):
            return False
        if not re.search(self.model, model, re.IGNORECASE):
            return False
        return self.since is None or _version(self.model, model) >= self.since


def _version(family: str, model: str) -> tuple[int, int]:
    found = re.search(f"(?:{family}){_VERSION}", model, re.IGNORECASE)
    return (int(found[1]), int(found[2] or 0)) if found else _NEWEST


_SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs")
_PENALTIES = ("presence_penalty", "frequency_penalty")
_O_SERIES = r"(?:^|[/.])o[134](?:$|-)"
_GPT = "gpt(?=-[5-9])"

_REASONING = "https://learn.microsoft.com/en-us/azure/ai-foundry/openai/how-to/reasoning"
_EFFORTS = "https://community.openai.com/t/1371738"
_CLAUDE = "https://platform.claude.com/docs/en/about-claude/models/migration-guide"
_ADAPTIVE = "https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking"
_THINKING = "https://platform.claude.com/docs/en/build-with-claude/extended-thinking"
_GEMINI = "https://ai.google.dev/gemini-api/docs/thinking"
_GROK = "https://docs.x.ai/docs/guides/reasoning"
_MISTRAL = "https://docs.mistral.ai/capabilities/reasoning"
_KIMI = "https://platform.kimi.ai/docs/api/models-overview"

_SLOW = {"first_byte_s": 900, "idle_s": 900, "whole_s": 1_800}

ROWS = (
    # Who may be silent for minutes while it speaks, thinks or searches.
    Row(
        what="speech, which comes whole",
        dialects=("gemini:speech",),
        facts={"first_byte_s": 300},
        source="https://ai.google.dev/gemini-api/docs/speech-generation",
    ),
    Row(
        what="o1-pro, o3-pro",
        model=r"(?:^|[/.])o[13]-pro",
        facts=_SLOW,
        source="https://platform.openai.com/docs/models/o3-pro",
    ),
    Row(
        what="GPT-5 pro",
        model=r"gpt-5(?:\.\d+)?-pro",
        facts=_SLOW,
        source="https://platform.openai.com/docs/models/gpt-5-pro",
    ),
    Row(
        what="deep research",
        model="deep-research",
        facts=_SLOW,
        source="https://platform.openai.com/docs/guides/deep-research",
    ),
    Row(
        what="GPT Image",
        model=r"gpt-image",
        facts={"first_byte_s": 300, "idle_s": 300},
        source="https://platform.openai.com/docs/guides/image-generation",
    ),
    # Bedrock hands on to Claude what Converse has no words for; what it would hand to others is not known here.
    Row(
        what="Converse but for Claude",
        dialects=(CONVERSE,),
        model=r"^(?!.*claude)",
        facts={"lacks": ("top_k", "cache", "thinking_off"), "strict": False, "thinks": False, "rests": True},
        source="https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html",
    ),
    # What providers of Chat and Responses refuse, whoever says it.
    Row(
        what="Mistral",
        providers=("mistral",),
        dialects=(CHAT,),
        facts={
            "unknown": ("user", "service_tier", "store", "logprobs", "top_logprobs", "logit_bias", "verbosity"),
            "needless": ("stream_options",),
            "renamed": (("max_completion_tokens", "max_tokens"), ("seed", "random_seed")),
            "in_messages": ("reasoning_content", "reasoning", "reasoning_details"),
            "developer": False,
            "call_ids": 9,
            "thoughts": ("thinking",),
        },
        source="https://docs.mistral.ai/api/endpoint/chat",
    ),
    Row(
        what="Groq",
        providers=("groq",),
        dialects=(CHAT,),
        facts={
            "unknown": ("logprobs", "top_logprobs", "logit_bias"),
            "in_messages": ("name",),
            "lacks": ("n", "participant_name"),
            "thoughts": ("reasoning",),
        },
        source="https://console.groq.com/docs/openai",
    ),
    Row(
        what="Cerebras",
        providers=("cerebras",),
        dialects=(CHAT,),
        facts={"unknown": ("frequency_penalty", "presence_penalty", "logit_bias"), "developer": False},
        source="https://inference-docs.cerebras.ai/resources/openai",
    ),
    Row(
        what="DeepSeek",
        providers=("deepseek",),
        dialects=(CHAT,),
        facts={
            "developer": False,
            "switch": "thinking",
            "thoughts": ("reasoning_content",),
            "insists": True,
            "renamed": (("max_completion_tokens", "max_tokens"),),
        },
        source="https://api-docs.deepseek.com/guides/thinking_mode",
    ),
    Row(
        what="DeepSeek",
        providers=("deepseek",),
        dialects=(RESPONSES,),
        facts={"developer": False},
        source="https://api-docs.deepseek.com/guides/thinking_mode",
    ),
    Row(what="Kimi K3", model="kimi-k3", dialects=(CHAT,), facts={"always": True, "switch": "effort"}, source=_KIMI),
    Row(
        what="Moonshot",
        providers=("moonshot",),
        dialects=(CHAT,),
        facts={"developer": False, "switch": "thinking", "thoughts": ("reasoning_content",), "insists": True},
        source=_KIMI,
    ),
    Row(
        what="Z.AI",
        providers=("zai",),
        dialects=(CHAT,),
        facts={
            "developer": False,
            "switch": "thinking",
            "thoughts": ("reasoning_content",),
            "efforts": (),
            "hottest": 1,
            "renamed": (("max_completion_tokens", "max_tokens"),),
        },
        source="https://docs.z.ai/guides/capabilities/thinking-mode",
    ),
    Row(
        what="Alibaba",
        providers=("alibaba",),
        dialects=(CHAT,),
        facts={"switch": "enable_thinking", "thoughts": ("reasoning_content",), "knows": ("top_k",)},
        source="https://www.alibabacloud.com/help/en/model-studio/deep-thinking",
    ),
    Row(
        what="OpenRouter",
        providers=("openrouter",),
        dialects=(CHAT,),
        facts={
            "switch": "reasoning",
            "thoughts": ("reasoning_details", "reasoning"),
            "knows": ("top_k", "thoughts_shown", "image_out"),
        },
        source="https://openrouter.ai/docs/use-cases/reasoning-tokens",
    ),
    Row(
        what="MiniMax",
        providers=("minimax",),
        dialects=(CHAT,),
        facts={"adds": (("reasoning_split", True),), "thoughts": ("reasoning_details",)},
        source="https://platform.minimax.io/docs/api-reference/text-openai-api",
    ),
    Row(
        what="hosts that sample by top_k",
        providers=("together", "fireworks", "novita", "vllm"),
        dialects=(CHAT,),
        facts={"knows": ("top_k",)},
        source="https://docs.together.ai/reference/chat-completions-1",
    ),
    Row(
        what="servers of Chat, some of which pass images as OpenRouter does",
        providers=("openai-compatible",),
        dialects=(CHAT,),
        facts={"knows": ("image_out",)},
        source="https://vercel.com/docs/ai-gateway/sdks-and-apis/openai-chat-completions/image-generation",
    ),
    # OpenAI's models, wherever they run.
    Row(
        what="OpenAI's own Chat",
        providers=("openai",),
        dialects=(CHAT,),
        facts={"limit_name": "max_completion_tokens"},
        source="https://platform.openai.com/docs/api-reference/chat/create",
    ),
    Row(
        what="gpt-oss",
        model="gpt-oss",
        dialects=(CHAT, RESPONSES),
        facts={"efforts": ("low", "medium", "high"), "always": True},
        source="https://console.groq.com/docs/reasoning",
    ),
    Row(
        what="gpt-5-chat",
        model="gpt-5-chat",
        dialects=(CHAT, RESPONSES),
        facts={"limit_name": "max_completion_tokens", "thinks": False, "always": False, "lacks": ()},
        source="https://github.com/BerriAI/litellm/issues/13781",
    ),
    Row(
        what="o1, o3, o4",
        model=_O_SERIES,
        dialects=(CHAT, RESPONSES),
        facts={
            "limit_name": "max_completion_tokens",
            "lacks": (*_SAMPLING, "stop"),
            "always": True,
            "efforts": ("low", "medium", "high"),
        },
        source=_REASONING,
    ),
    Row(
        what="gpt-5.x-chat",
        model=r"gpt-5\.\d+-chat",
        dialects=(CHAT, RESPONSES),
        facts={"lacks": (*_SAMPLING, "stop"), "always": True, "rests": False, "efforts": ("medium",)},
        source=_EFFORTS,
    ),
    Row(
        what="gpt-5 Codex",
        model="gpt-5.*codex",
        dialects=(CHAT, RESPONSES),
        facts={"lacks": (*_SAMPLING, "stop"), "always": True, "rests": False, "efforts": ("low", "medium", "high")},
        source=_EFFORTS,
    ),
    Row(
        what="gpt-5 Pro",
        model=r"gpt-5[\d.]*-pro",
        dialects=(CHAT, RESPONSES),
        facts={"lacks": (*_SAMPLING, "stop"), "always": True, "rests": False, "efforts": ("high",)},
        source=_EFFORTS,
    ),
    Row(
        what="gpt ≥ 5.5",
        model=_GPT,
        since=(5, 5),
        dialects=(CHAT, RESPONSES),
        facts={"rests": False},
        source="https://developers.openai.com/api/docs/guides/latest-model",
    ),
    Row(
        what="gpt ≥ 5.2",
        model=_GPT,
        since=(5, 2),
        dialects=(CHAT, RESPONSES),
        facts={"efforts": ("none", "low", "medium", "high", "xhigh")},
        source=_EFFORTS,
    ),
    Row(
        what="gpt ≥ 5.1",
        model=_GPT,
        since=(5, 1),
        dialects=(CHAT, RESPONSES),
        facts={
            "limit_name": "max_completion_tokens",
            "lacks": (*_PENALTIES, "stop"),
            "lacks_thinking": ("temperature", "top_p", "logprobs"),
            "rests": True,
            "always": False,
            "efforts": ("none", "low", "medium", "high"),
        },
        source="https://developers.openai.com/api/docs/guides/latest-model",
    ),
    Row(
        what="gpt ≥ 5",
        model=_GPT,
        since=(5, 0),
        dialects=(CHAT, RESPONSES),
        facts={
            "limit_name": "max_completion_tokens",
            "lacks": (*_SAMPLING, "stop"),
            "always": True,
            "efforts": ("minimal", "low", "medium", "high"),
        },
        source=_REASONING,
    ),
    Row(
        what="gpt before 5",
        model=r"gpt-(?:[34](?!\d)|35)|chatgpt",
        dialects=(CHAT, RESPONSES),
        facts={"thinks": False},
        source="https://platform.openai.com/docs/guides/reasoning",
    ),
    # Other makers' models in Chat and Responses.
    Row(
        what="grok ≥ 4.3",
        model=r"grok-4\.3",
        dialects=(CHAT, RESPONSES),
        facts={"lacks": (*_PENALTIES, "stop"), "efforts": ("none", "low", "medium", "high")},
        source=_GROK,
    ),
    Row(
        what="grok 4.5",
        model=r"grok-4\.5",
        dialects=(CHAT, RESPONSES),
        facts={"lacks": (*_PENALTIES, "stop"), "efforts": ("low", "medium", "high"), "always": True},
        source=_GROK,
    ),
    Row(
        what="grok 3 mini",
        model="grok-3-mini",
        dialects=(CHAT, RESPONSES),
        facts={"lacks": (*_PENALTIES, "stop"), "efforts": ("low", "high"), "always": True},
        source=_GROK,
    ),
    Row(
        what="grok that does not reason",
        model=r"grok.*non-reasoning|grok-[23](?!\d|-mini)",
        dialects=(CHAT, RESPONSES),
        facts={"thinks": False, "always": False, "lacks": ()},
        source=_GROK,
    ),
    Row(
        what="grok 4, 4.1, 4.20, grok code",
        model=r"grok-4(?!\.[3-9])(?!.*multi-agent)|grok-code",
        dialects=(CHAT, RESPONSES),
        facts={"lacks": (*_PENALTIES, "stop"), "efforts": (), "always": True},
        source=_GROK,
    ),
    Row(
        what="Kimi K2.5 and newer",
        providers=("moonshot",),
        model="kimi-k",
        since=(2, 5),
        dialects=(CHAT,),
        facts={"lacks": ("temperature", "top_p", "n", *_PENALTIES)},
        source=_KIMI,
    ),
    Row(
        what="Kimi K2.7 Code, Kimi K2 Thinking",
        model=r"kimi-k2(?:\.7-code|-thinking)",
        dialects=(CHAT,),
        facts={"always": True},
        source=_KIMI,
    ),
    Row(
        what="Kimi K2", providers=("moonshot",), model=r"kimi-k2", dialects=(CHAT,), facts={"efforts": ()}, source=_KIMI
    ),
    Row(
        what="Moonshot v1",
        providers=("moonshot",),
        model="moonshot-v1",
        dialects=(CHAT,),
        facts={"thinks": False, "hottest": 1},
        source=_KIMI,
    ),
    Row(what="Magistral", model="magistral", dialects=(CHAT,), facts={"always": True, "efforts": ()}, source=_MISTRAL),
    Row(
        what="Mistral Small and Medium",
        providers=("mistral",),
        model="mistral-(?:small|medium)",
        dialects=(CHAT,),
        facts={"efforts": ("none", "high"), "rests": True},
        source=_MISTRAL,
    ),
    Row(
        what="Mistral's other models",
        providers=("mistral",),
        model="codestral|devstral|ministral|pixtral|nemo|mixtral|mistral-(?:tiny|saba|7b)",
        dialects=(CHAT,),
        facts={"thinks": False},
        source=_MISTRAL,
    ),
    Row(
        what="Qwen 3 at Groq",
        providers=("groq",),
        model="qwen-?3",
        dialects=(CHAT,),
        facts={"efforts": ("none", "default"), "adds": (("reasoning_format", "parsed"),)},
        source="https://console.groq.com/docs/reasoning",
    ),
    Row(
        what="Groq's models that do not reason",
        providers=("groq",),
        model="llama|gemma|kimi-k2-instruct",
        dialects=(CHAT,),
        facts={"thinks": False},
        source="https://console.groq.com/docs/reasoning",
    ),
    # Claude.
    Row(
        what="Messages, Converse",
        dialects=(MESSAGES, CONVERSE),
        facts={"hottest": 1, "lacks_thinking": ("temperature", "top_p", "top_k")},
        source=_THINKING,
    ),
    Row(what="Claude Fable, Claude Mythos", model="fable|mythos", facts={"always": True}, source=_ADAPTIVE),
    Row(what="Claude ≥ 5", model="claude", since=(5, 0), facts={"rests": False}, source=_ADAPTIVE),
    Row(what="Claude ≥ 4.8", model="claude", since=(4, 8), facts={"system_in_place": True}, source=_CLAUDE),
    Row(
        what="Claude ≥ 4.7",
        model="claude",
        since=(4, 7),
        facts={
            "lacks": ("temperature", "top_p", "top_k", "prefill"),
            "one_of": False,
            "budgets": False,
            "efforts": ("low", "medium", "high", "xhigh", "max"),
        },
        source=_CLAUDE,
    ),
    Row(
        what="Claude ≥ 4.6",
        model="claude",
        since=(4, 6),
        facts={"adaptive": True, "efforts": ("low", "medium", "high", "max"), "lacks": ("prefill",)},
        source=_ADAPTIVE,
    ),
    Row(what="Claude ≥ 4.1", model="claude", since=(4, 1), facts={"one_of": True, "strict": True}, source=_CLAUDE),
    Row(what="Claude ≥ 3.7", model="claude", since=(3, 7), facts={"budgets": True, "thinks": True}, source=_THINKING),
    Row(
        what="Claude",
        model="claude",
        facts={
            "rests": True,
            "strict": False,
            "budgets": False,
            "thinks": False,
            "hottest": 1,
            "lacks_thinking": ("temperature", "top_p", "top_k"),
        },
        source=_THINKING,
    ),
    # Gemini.
    Row(
        what="Gemini ≥ 3",
        model="gemini-(?:[3-9]|[1-9][0-9])",
        facts={"always": True, "signs": True},
        source="https://ai.google.dev/gemini-api/docs/thought-signatures",
    ),
    Row(
        what="Gemini 2.5 Pro",
        model=r"gemini-2\.5-pro",
        facts={"always": True, "least_budget": 128, "levels": False},
        source=_GEMINI,
    ),
    Row(what="Gemini 2", model=r"gemini-2(?!\d)", facts={"levels": False}, source=_GEMINI),
)
_ACCENT = frozenset(one.name for one in fields(Accent))


def as_markdown() -> str:
    """What `docs/translation.md` says of models and providers beyond the dialects' own tables."""
    return _HEAD + "".join(f"| {_where(row)} | {_told(row)} | [page]({row.source}) |\n" for row in ROWS)


_HEAD = """
## What single providers and models depart in

Printed from the rows of `gateway/providers/profiles.py`; of each fact the first row that fits holds. Whoever is not
named here is told what the tables above say.

What a provider refuses holds for requests in its own dialect too: such members are left out and listed as losses, or
put in its own words. All else holds for requests that are translated.

| where | what | source |
|---|---|---|
"""
_TOLD = {
    "unknown": "refuses {}", "needless": "refuses {}, and does that anyway", "renamed": "says {}",
    "in_messages": "refuses in messages {}", "call_ids": "ids of calls have {} letters and digits",
    "limit_name": "output limit as {}", "switch": "is told to think by {}", "thoughts": "takes thoughts back as {}",
    "adds": "is always sent {}", "knows": "takes {}", "lacks": "lacks {}", "lacks_thinking": "lacks while thinking {}",
    "hottest": "temperature up to {}", "efforts": "efforts: {}", "least_budget": "no smaller budget than {}",
    "first_byte_s": "first byte within {} s", "idle_s": "silent for up to {} s", "whole_s": "whole within {} s",
}  # fmt: skip
"""Each fact in words; {} is its value."""

_TOLD_BOOL = {
    "developer": ("knows `developer`", "`developer` becomes `system`"),
    "insists": ("wants a thought, be it empty, beside calls", "takes calls without thoughts"),
    "one_of": ("temperature or top_p, not both", "temperature beside top_p"),
    "strict": ("holds arguments to a schema", "holds no arguments to a schema"),
    "system_in_place": ("takes system messages in their place", "takes system messages first"),
    "signs": ("wants its calls signed", "wants no signature"),
    "thinks": ("thinks", "does not think"),
    "always": ("cannot but think", "can be told not to think"),
    "rests": ("thinks only if asked to", "thinks unless told not to"),
    "adaptive": ("thinks as it sees fit", "does not think as it sees fit"),
    "budgets": ("takes budgets of thought", "takes no budgets of thought"),
    "levels": ("takes levels of thought", "takes no levels of thought"),
}
"""What is so or not, in words."""


def _where(row: Row) -> str:
    places = [*row.providers, *(f"`{dialect}`" for dialect in row.dialects)]
    return f"{row.what} ({', '.join(places)})" if places else row.what


def _told(row: Row) -> str:
    return "; ".join(_fact(name, value) for name, value in row.facts.items())


def _fact(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return _TOLD_BOOL[name][not value]
    if not isinstance(value, tuple):
        return _TOLD[name].format(f"`{value}`")
    words = [f"`{one[0]}` as `{one[1]}`" if isinstance(one, tuple) else f"`{one}`" for one in value]
    return _TOLD[name].format(", ".join(words) or "nothing")


@cache
def of(provider: str, model: str, dialect: str) -> Profile:
    """The profile of a provider's model, spoken to in a dialect."""
    found: dict[str, Any] = {}
    for row in ROWS:
        if row.fits(provider, model, dialect):
            found = {**row.facts, **found}
    accent = Accent(**{name: value for name, value in found.items() if name in _ACCENT})
    return Profile(accent=accent, **{name: value for name, value in found.items() if name not in _ACCENT})
