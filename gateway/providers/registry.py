"""The vendors, a row each. A vendor that fits a row needs no code of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin

from ..call import Channel

CHAT, RESPONSES, MESSAGES, GEMINI, CONVERSE = "chat", "responses", "messages", "gemini", "converse"
COMPLETIONS, EMBEDDINGS = "completions", "embeddings"
SPEECH, TRANSCRIPTIONS, TRANSLATIONS = "speech", "transcriptions", "translations"
MODERATIONS, RERANK = "moderations", "rerank"
MISTRALS_MODERATIONS, COHERES_RERANK = "moderations:mistral", "rerank:cohere"
IMAGES, XAI_IMAGES = "images", "xai-images"
VIDEOS, XAI_VIDEOS, VEO, MUSIC = "videos", "xai-videos", "veo", "music"
MIDJOURNEY, SUNO = "midjourney", "suno"
AUDIO = (SPEECH, TRANSCRIPTIONS, TRANSLATIONS)
JOBS = (VIDEOS, XAI_VIDEOS, VEO, MUSIC, MIDJOURNEY, SUNO)
DIALECTS = (
    CHAT, RESPONSES, MESSAGES, GEMINI, CONVERSE, COMPLETIONS, EMBEDDINGS, *AUDIO, MODERATIONS, MISTRALS_MODERATIONS,
    RERANK, COHERES_RERANK, IMAGES, XAI_IMAGES, *JOBS,
)  # fmt: skip

Speaks = tuple[tuple[str, tuple[str, ...]], ...]
"""(a pattern found in the upstream name, the dialects of such models), the first that fits holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One vendor.

    kind: what `channels add --provider` takes · base_url: as the vendor's own SDK takes it, with `{VARIABLES}` of the
    environment where each account has its own; None where each channel has · auth: how it is told the key, see `auth`;
    the odd ones sign for themselves · dialects: spoken natively, the preferred first · speaks: where that depends on
    the model · roots: where a dialect has a base of its own, relative to the base without its version · key_envs: the
    usual variables of its key, the preferred first · keyless: works without a key · generic: no vendor but a wire
    format or a server of one's own; a channel's name is its namespace · author: who makes the models of its own, as
    their names begin; None for a host of others' models · probe: a path that costs nothing and, where there is such,
    needs the key; one without a leading slash is relative as roots are · batches: it takes whole batches of OpenAI's
    words, at a price of their own · source: the page that these facts are from.
    """

    kind: str
    title: str
    base_url: str | None
    dialects: tuple[str, ...]
    auth: str = "bearer"
    speaks: Speaks = ()
    roots: Mapping[str, str] = field(default_factory=dict)
    key_envs: tuple[str, ...] = ()
    keyless: bool = False
    generic: bool = False
    author: str | None = None
    probe: str = "/models"
    batches: bool = False
    source: str = ""

    @property
    def key_env(self) -> str | None:
        """The usual variable of its key."""
        return self.key_envs[0] if self.key_envs else None

    @property
    def channel_name(self) -> str:
        """What a channel of it is called if nobody says otherwise."""
        return self.kind.replace(".", "-")

    def namespace(self, name: str) -> str:
        """What its models' names begin with on a channel of this name, if nobody says otherwise."""
        return name if self.generic else self.author or self.kind


_OPENAI: Speaks = (
    (r"^sora-", (VIDEOS,)),
    (r"gpt-image|dall-e", (IMAGES,)),
    (r"^tts-|-tts", (SPEECH,)),
    (r"whisper", (TRANSCRIPTIONS, TRANSLATIONS)),
    (r"transcribe", (TRANSCRIPTIONS,)),
    (r"moderation", (MODERATIONS,)),
    (r"gpt-3\.5-turbo-instruct|davinci-002|babbage-002", (COMPLETIONS,)),
    (r"^text-embedding-", (EMBEDDINGS,)),
    (r"codex|deep-research|computer-use|^o\d-pro|^gpt-5[.\d]*-pro(?![a-z])", (RESPONSES,)),
    (r"-audio|-search-", (CHAT,)),
    (r"^(ft:)?(gpt-|chatgpt-|o\d)", (CHAT, RESPONSES)),
)
"""https://platform.openai.com/docs/models lists the endpoints of each."""

PROVIDERS = (
    Provider(
        kind="sandbox",
        title="Sandbox",
        base_url="sandbox:",
        dialects=(CHAT, RESPONSES, MESSAGES, GEMINI, *AUDIO, MODERATIONS, RERANK, IMAGES, VIDEOS, MUSIC),
        speaks=(
            ("^tts$", (SPEECH,)),
            ("^stt$", (TRANSCRIPTIONS, TRANSLATIONS)),
            ("^moderation$", (MODERATIONS,)),
            ("^rerank$", (RERANK,)),
            ("^image$", (IMAGES,)),
            ("^video$", (VIDEOS,)),
            ("^music$", (MUSIC,)),
        ),
        keyless=True,
    ),
    Provider(
        kind="openai",
        title="OpenAI",
        base_url="https://api.openai.com/v1",
        dialects=(CHAT, RESPONSES, COMPLETIONS, EMBEDDINGS, *AUDIO, MODERATIONS, IMAGES, VIDEOS),
        speaks=_OPENAI,
        key_envs=("OPENAI_API_KEY",),
        author="openai",
        batches=True,
        source="https://platform.openai.com/docs/api-reference",
    ),
    Provider(
        kind="anthropic",
        title="Anthropic",
        base_url="https://api.anthropic.com",
        dialects=(MESSAGES,),
        auth="x-api-key",
        key_envs=("ANTHROPIC_API_KEY",),
        author="anthropic",
        probe="/v1/models",
        source="https://platform.claude.com/docs/en/api/overview",
    ),
    Provider(
        kind="google",
        title="Google Gemini",
        base_url="https://generativelanguage.googleapis.com",
        dialects=(GEMINI, VEO),
        auth="x-goog-api-key",
        speaks=((r"^veo-", (VEO,)), ("", (GEMINI,))),
        key_envs=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        author="google",
        probe="/v1beta/models",
        source="https://ai.google.dev/api",
    ),
    Provider(  # a model's name is that of its deployment, which is the model's own if nobody said otherwise
        kind="azure",
        title="Azure OpenAI",
        base_url="{AZURE_OPENAI_ENDPOINT}/openai/v1",
        dialects=(CHAT, RESPONSES, COMPLETIONS, EMBEDDINGS, MESSAGES, *AUDIO, IMAGES, VIDEOS),
        auth="api-key",
        speaks=((r"^claude", (MESSAGES,)), *_OPENAI, ("", (CHAT, RESPONSES, COMPLETIONS, EMBEDDINGS))),
        roots={MESSAGES: "../anthropic"},
        key_envs=("AZURE_OPENAI_API_KEY",),
        source="https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle,"
        " https://platform.claude.com/docs/en/build-with-claude/claude-in-microsoft-foundry",
    ),
    Provider(
        kind="xai",
        title="xAI",
        base_url="https://api.x.ai/v1",
        dialects=(CHAT, RESPONSES, XAI_IMAGES, XAI_VIDEOS),  # Messages are deprecated there
        speaks=((r"-video", (XAI_VIDEOS,)), (r"image", (XAI_IMAGES,)), ("", (CHAT, RESPONSES))),
        key_envs=("XAI_API_KEY",),
        author="x-ai",
        source="https://docs.x.ai/developers/rest-api-reference/inference",
    ),
    Provider(
        kind="deepseek",
        title="DeepSeek",
        base_url="https://api.deepseek.com",
        dialects=(CHAT, RESPONSES, MESSAGES),
        roots={MESSAGES: "anthropic"},
        key_envs=("DEEPSEEK_API_KEY",),
        author="deepseek",
        source="https://api-docs.deepseek.com/guides/anthropic_api, https://api-docs.deepseek.com/guides/responses_api",
    ),
    Provider(
        kind="mistral",
        title="Mistral",
        base_url="https://api.mistral.ai/v1",
        dialects=(CHAT, EMBEDDINGS, SPEECH, TRANSCRIPTIONS, MISTRALS_MODERATIONS),
        speaks=(
            (r"moderation", (MISTRALS_MODERATIONS,)),
            (r"-tts", (SPEECH,)),
            (r"transcribe", (TRANSCRIPTIONS,)),
            (r"^voxtral", (CHAT, TRANSCRIPTIONS)),
            ("", (CHAT, EMBEDDINGS)),
        ),
        key_envs=("MISTRAL_API_KEY",),
        author="mistralai",
        source="https://docs.mistral.ai/api",
    ),
    Provider(
        kind="groq",
        title="Groq",
        base_url="https://api.groq.com/openai/v1",
        dialects=(CHAT, RESPONSES, *AUDIO),
        speaks=((r"whisper", (TRANSCRIPTIONS, TRANSLATIONS)), (r"orpheus|tts", (SPEECH,)), ("", (CHAT, RESPONSES))),
        key_envs=("GROQ_API_KEY",),
        source="https://console.groq.com/docs/api-reference",
    ),
    Provider(
        kind="together",
        title="Together AI",
        base_url="https://api.together.ai/v1",
        dialects=(CHAT, MESSAGES, COMPLETIONS, EMBEDDINGS, *AUDIO, RERANK),
        key_envs=("TOGETHER_API_KEY",),
        source="https://docs.together.ai/reference, https://docs.together.ai/docs/inference/messages-api",
    ),
    Provider(
        kind="fireworks",
        title="Fireworks AI",
        base_url="https://api.fireworks.ai/inference/v1",
        dialects=(CHAT, RESPONSES, MESSAGES, COMPLETIONS, EMBEDDINGS, RERANK),
        key_envs=("FIREWORKS_API_KEY",),
        source="https://docs.fireworks.ai/api-reference, https://docs.fireworks.ai/anthropic-messages.openapi.json",
    ),
    Provider(
        kind="openrouter",
        title="OpenRouter",
        base_url="https://openrouter.ai/api/v1",
        dialects=(CHAT, RESPONSES, MESSAGES, COMPLETIONS, EMBEDDINGS, TRANSCRIPTIONS),
        key_envs=("OPENROUTER_API_KEY",),
        probe="/key",
        source="https://openrouter.ai/docs/api-reference",
    ),
    Provider(
        kind="perplexity",
        title="Perplexity",
        base_url="https://api.perplexity.ai",
        dialects=(CHAT, RESPONSES, EMBEDDINGS),
        speaks=((r"^sonar", (CHAT,)), (r"^pplx-embed", (EMBEDDINGS,)), (r"/", (RESPONSES,))),
        roots={RESPONSES: "v1", EMBEDDINGS: "v1"},
        key_envs=("PERPLEXITY_API_KEY",),
        author="perplexity",
        probe="/async/chat/completions",
        source="https://docs.perplexity.ai/docs/agent-api/openai-compatibility",
    ),
    Provider(
        kind="cohere",
        title="Cohere",
        base_url="https://api.cohere.ai/compatibility/v1",
        dialects=(CHAT, EMBEDDINGS, COHERES_RERANK),
        speaks=((r"rerank", (COHERES_RERANK,)), ("", (CHAT, EMBEDDINGS))),
        roots={RERANK: "../v2"},
        key_envs=("CO_API_KEY", "COHERE_API_KEY"),
        author="cohere",
        probe="../v1/models",
        source="https://docs.cohere.com/docs/compatibility-api",
    ),
    Provider(
        kind="cerebras",
        title="Cerebras",
        base_url="https://api.cerebras.ai/v1",
        dialects=(CHAT, COMPLETIONS),
        key_envs=("CEREBRAS_API_KEY",),
        source="https://inference-docs.cerebras.ai/api-reference",
    ),
    Provider(
        kind="moonshot",
        title="Moonshot AI",
        base_url="https://api.moonshot.ai/v1",
        dialects=(CHAT, MESSAGES),
        roots={MESSAGES: "anthropic"},
        key_envs=("MOONSHOT_API_KEY",),
        author="moonshotai",
        source="https://platform.moonshot.ai/docs/api, https://platform.moonshot.ai/docs/guide/agent-support",
    ),
    Provider(
        kind="zai",
        title="Z.AI",
        base_url="https://api.z.ai/api/paas/v4",
        dialects=(CHAT, MESSAGES),
        roots={MESSAGES: "../anthropic"},
        key_envs=("ZAI_API_KEY",),
        author="z-ai",
        source="https://docs.z.ai/api-reference, https://docs.z.ai/scenario-example/develop-tools/claude",
    ),
    Provider(
        kind="minimax",
        title="MiniMax",
        base_url="https://api.minimax.io/v1",
        dialects=(CHAT, MESSAGES),
        roots={MESSAGES: "anthropic"},
        key_envs=("MINIMAX_API_KEY",),
        author="minimax",
        source="https://platform.minimax.io/docs/api-reference/text-anthropic-api",
    ),
    Provider(
        kind="alibaba",
        title="Alibaba Cloud Model Studio",
        base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        dialects=(CHAT, RESPONSES, MESSAGES, EMBEDDINGS),
        speaks=(
            (r"^qwen(3-max|3\.\d|3-coder|-plus|-flash)", (CHAT, RESPONSES, MESSAGES)),
            (r"^qwen", (CHAT, MESSAGES)),
            ("", (CHAT, EMBEDDINGS)),
        ),
        roots={RESPONSES: "../api/v2/apps/protocols/compatible-mode/v1", MESSAGES: "../apps/anthropic"},
        key_envs=("DASHSCOPE_API_KEY",),
        author="qwen",
        source="https://www.alibabacloud.com/help/en/model-studio/compatibility-with-openai-responses-api,"
        " https://www.alibabacloud.com/help/doc-detail/2980295.html",
    ),
    Provider(
        kind="novita",
        title="Novita AI",
        base_url="https://api.novita.ai/openai",
        dialects=(CHAT, COMPLETIONS, EMBEDDINGS, RERANK),  # Messages at ../anthropic for some models only
        roots={RERANK: "v1"},
        key_envs=("NOVITA_API_KEY",),
        source="https://novita.ai/docs/guides/llm-api",
    ),
    Provider(
        kind="nvidia",
        title="NVIDIA",
        base_url="https://integrate.api.nvidia.com/v1",
        dialects=(CHAT, EMBEDDINGS),
        key_envs=("NVIDIA_API_KEY",),
        author="nvidia",
        source="https://docs.api.nvidia.com/nim/reference",
    ),
    Provider(
        kind="huggingface",
        title="Hugging Face",
        base_url="https://router.huggingface.co/v1",
        dialects=(CHAT, RESPONSES),
        key_envs=("HF_TOKEN", "HUGGINGFACE_API_KEY"),
        source="https://huggingface.co/docs/inference-providers",
    ),
    Provider(
        kind="sambanova",
        title="SambaNova",
        base_url="https://api.sambanova.ai/v1",
        dialects=(CHAT, RESPONSES, MESSAGES, COMPLETIONS, EMBEDDINGS),
        key_envs=("SAMBANOVA_API_KEY",),
        source="https://docs.sambanova.ai/docs/en/features/anthropic-compatibility",
    ),
    Provider(
        kind="bedrock",
        title="Amazon Bedrock",
        base_url="https://bedrock-runtime.{AWS_REGION|AWS_DEFAULT_REGION}.amazonaws.com",
        dialects=(MESSAGES, CONVERSE, CHAT, RESPONSES),
        auth="aws",
        speaks=(
            (r"anthropic\.", (MESSAGES,)),
            (r"openai\.gpt-oss", (CHAT,)),
            (r"openai\.", (RESPONSES, CHAT)),
            ("", (CONVERSE,)),
        ),
        roots={CHAT: "openai/v1", RESPONSES: "openai/v1"},
        key_envs=("AWS_BEARER_TOKEN_BEDROCK",),  # key pairs are set in many places for other reasons
        probe="/async-invoke",
        source="https://docs.aws.amazon.com/bedrock/latest/userguide/apis.html",
    ),
    Provider(
        kind="vertex",
        title="Google Vertex AI",
        base_url="https://{GOOGLE_CLOUD_LOCATION=global}-aiplatform.googleapis.com/v1/projects/{GOOGLE_CLOUD_PROJECT}"
        "/locations/{GOOGLE_CLOUD_LOCATION=global}",
        dialects=(GEMINI, MESSAGES, CHAT),
        auth="google",
        speaks=((r"^claude", (MESSAGES,)), (r"^(models/)?(gemini|text-)", (GEMINI,)), ("", (CHAT,))),
        roots={CHAT: "endpoints/openapi"},
        key_envs=("GOOGLE_APPLICATION_CREDENTIALS",),
        probe="/cachedContents",
        source="https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest",
    ),
    Provider(
        kind="github",
        title="GitHub Models",
        base_url="https://models.github.ai/inference",
        dialects=(CHAT, EMBEDDINGS),
        key_envs=("GITHUB_MODELS_TOKEN",),  # GITHUB_TOKEN is set in many places for other reasons
        probe="../catalog/models",
        source="https://docs.github.com/rest/models",
    ),
    Provider(
        kind="cloudflare",
        title="Cloudflare Workers AI",
        base_url="https://api.cloudflare.com/client/v4/accounts/{CLOUDFLARE_ACCOUNT_ID}/ai/v1",
        dialects=(CHAT, RESPONSES, EMBEDDINGS),
        speaks=((r"gpt-oss", (CHAT, RESPONSES)), ("", (CHAT, EMBEDDINGS))),
        key_envs=("CLOUDFLARE_API_TOKEN",),
        probe="models/search",
        source="https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility",
    ),
    Provider(
        kind="ollama",
        title="Ollama",
        base_url="http://127.0.0.1:11434/v1",
        dialects=(CHAT, RESPONSES, MESSAGES, COMPLETIONS, EMBEDDINGS),
        keyless=True,
        generic=True,
        source="https://docs.ollama.com/api/openai-compatibility, https://docs.ollama.com/api/anthropic-compatibility",
    ),
    Provider(
        kind="vllm",
        title="vLLM",
        base_url="http://127.0.0.1:8000/v1",
        dialects=(CHAT, RESPONSES, MESSAGES, COMPLETIONS, EMBEDDINGS, TRANSCRIPTIONS, TRANSLATIONS, RERANK),
        keyless=True,
        generic=True,
        source="https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
    ),
    Provider(
        kind="sglang",
        title="SGLang",
        base_url="http://127.0.0.1:30000/v1",
        dialects=(CHAT, COMPLETIONS, EMBEDDINGS),
        keyless=True,
        generic=True,
        source="https://docs.sglang.ai/basic_usage/openai_api.html",
    ),
    Provider(
        kind="lm-studio",
        title="LM Studio",
        base_url="http://127.0.0.1:1234/v1",
        dialects=(CHAT, RESPONSES, MESSAGES, COMPLETIONS, EMBEDDINGS),
        keyless=True,
        generic=True,
        source="https://lmstudio.ai/docs/developer/openai-compat, https://lmstudio.ai/docs/developer/anthropic-compat",
    ),
    Provider(
        kind="llama.cpp",
        title="llama.cpp",
        base_url="http://127.0.0.1:8080/v1",
        dialects=(CHAT, COMPLETIONS, EMBEDDINGS, RERANK),
        keyless=True,
        generic=True,
        source="https://github.com/ggml-org/llama.cpp/tree/master/tools/server",
    ),
    Provider(
        kind="tgi",
        title="Text Generation Inference",
        base_url="http://127.0.0.1:3000/v1",
        dialects=(CHAT, COMPLETIONS),
        keyless=True,
        generic=True,
        source="https://huggingface.co/docs/text-generation-inference/reference/api_reference",
    ),
    Provider(  # a model's name is free: what the channel's models are priced by
        kind="midjourney-proxy",
        title="midjourney-proxy",
        base_url="http://127.0.0.1:8080",
        dialects=(MIDJOURNEY,),
        auth="mj-api-secret",
        keyless=True,
        generic=True,
        probe="/mj/task/list",
        source="https://github.com/novicezk/midjourney-proxy/blob/main/docs/api.md",
    ),
    Provider(
        kind="suno-api",
        title="Suno-API",
        base_url="http://127.0.0.1:8000",
        dialects=(SUNO,),
        keyless=True,
        generic=True,
        probe="/suno/account",
        source="https://github.com/Suno-API/Suno-API",
    ),
    Provider(
        kind="openai-compatible",
        title="OpenAI-compatible",
        base_url=None,
        dialects=(CHAT, COMPLETIONS, EMBEDDINGS, *AUDIO, MODERATIONS, RERANK, IMAGES),
        keyless=True,
        generic=True,
    ),
    Provider(
        kind="responses-compatible",
        title="Responses-compatible",
        base_url=None,
        dialects=(RESPONSES,),
        keyless=True,
        generic=True,
    ),
    Provider(
        kind="anthropic-compatible",
        title="Anthropic-compatible",
        base_url=None,
        dialects=(MESSAGES,),
        auth="x-api-key",
        keyless=True,
        generic=True,
        probe="/v1/models?limit=1000",
    ),
    Provider(
        kind="gemini-compatible",
        title="Gemini-compatible",
        base_url=None,
        dialects=(GEMINI,),
        auth="x-goog-api-key",
        keyless=True,
        generic=True,
        probe="/v1beta/models?pageSize=1000",
    ),
)
KINDS = {provider.kind: provider for provider in PROVIDERS}


def spoken(channel: Channel, model: str) -> tuple[str, ...]:
    """The dialects in which a channel can be asked for an upstream model, the preferred first."""
    for pattern, dialects in KINDS[channel.provider].speaks:
        if re.search(pattern, model):
            return tuple(name for name in dialects if name in channel.dialects) or channel.dialects
    return channel.dialects


_VERSION = re.compile(r"/v\d[a-z0-9]*$")


def root(provider: Provider, base_url: str, dialect: str) -> str:
    """The base URL of a dialect on a channel with this one."""
    own = provider.roots.get(dialect.partition(":")[0])
    return base_url if own is None else beside(base_url, own)


def beside(base_url: str, reference: str) -> str:
    """A reference, resolved against a base URL without its version."""
    return urljoin(_VERSION.sub("", base_url) + "/", reference)


_BLANK = re.compile(r"\{([A-Z0-9_|]+)(?:=([a-z0-9-]+))?\}")
"""A variable in a base URL, `{NAME}`; `|` stands between several that may hold it, `=` before what holds if none
does."""


class Missing(LookupError):
    """A variable that a base URL needs is not set. Its text names it."""


def filled(base_url: str, environ: Mapping[str, str]) -> str:
    """A base URL with the environment's values in its blanks. Raises Missing."""

    def value(blank: re.Match[str]) -> str:
        names = blank[1].split("|")
        found = next((environ[name] for name in names if environ.get(name)), blank[2])
        if found is None:
            raise Missing(" or ".join(names))
        return found.rstrip("/")

    return _VERTEX.sub(_vertex, _BLANK.sub(value, base_url))


_VERTEX = re.compile(r"//(global|us|eu)-aiplatform\.")


def _vertex(host: re.Match[str]) -> str:
    """Google's locations of many regions have hosts of other forms than its regions
    (https://cloud.google.com/vertex-ai/docs/general/locations)."""
    return "//aiplatform." if host[1] == "global" else f"//aiplatform.{host[1]}.rep."


def variables() -> frozenset[str]:
    """All variables of the environment that make channels."""
    blanks = [name for provider in PROVIDERS for found in _BLANK.findall(provider.base_url or "") for name in found[:1]]
    names = [name for blank in blanks for name in blank.split("|")]
    return frozenset(names).union(*(provider.key_envs for provider in PROVIDERS))
