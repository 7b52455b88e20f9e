"""The plain things that walk through the house.

A `Caller` makes a `Call`; routing finds its `Leg`s; each attempt sends an `Outbound` and gets a `Wire`; what goes wrong
at a provider is a `Fault`; what was said back is metered and leaves as a `Reply`. No room owns these, and none of them
knows Flask, requests or SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Literal, NamedTuple, Protocol

from .bodies import Body
from .neutral.parts import Media
from .neutral.reply import ANY, Usage, Variant
from .neutral.request import ChatRequest
from .splice import Scan


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """A plan as it applies: requests a minute, tokens a minute, requests a day, calls at once; the only models.

    pattern: of which models alone calls are counted, or "" for all.
    """

    rpm: int | None = None
    tpm: int | None = None
    rpd: int | None = None
    parallel: int | None = None
    models: tuple[str, ...] = ()
    pattern: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls: one key of one account, and what it may do.

    models, endpoints, addresses: the only ones, where there are any · limits: (scope, plan) of the account and of the
    key, all of which hold · budget: the key has one.
    """

    account_id: str
    account: str
    key_id: str
    models: tuple[str, ...]
    expires_at: int | None
    limits: tuple[tuple[str, Limits], ...]
    endpoints: tuple[str, ...] = ()
    addresses: tuple[IPv4Network | IPv6Network, ...] = ()
    budget: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """How heavy the input is, before any provider has counted it.

    text: UTF-8 bytes of all text, names and schemas · messages, tools: how many · images: (all, of which small) ·
    audio_bytes, file_bytes: decoded · unseen: there is input that is not in the body (an uploaded file).
    """

    text: int = 0
    messages: int = 0
    tools: int = 0
    images: int = 0
    small_images: int = 0
    audio_bytes: int = 0
    file_bytes: int = 0
    unseen: bool = False

    def bound(self, image_tokens: int) -> int:
        """Input tokens from above. A token is at least a byte; what providers wrap around is added by fixed figures:
        128 a call (templates, system lines), 8 a message, 640 where tools are offered (their preamble) and 16 each."""
        return (
            128
            + self.text
            + 8 * self.messages
            + (640 + 16 * self.tools if self.tools else 0)
            + image_tokens * (self.images - self.small_images)
            + image_tokens // 16 * self.small_images
            + self.audio_bytes // 100
            + self.file_bytes
        )

    def guess(self) -> int:
        """Input tokens as they may well be: four bytes a token."""
        text = -(-self.text // 4) + 4 * self.messages
        return text + 85 * self.images + self.audio_bytes // 400 + self.file_bytes // 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A member of the body that names an object made upstream (Law 8): its kind, id and the caller's field name."""

    kind: str
    id: str
    param: str


class Hosted(NamedTuple):
    """Something that a request makes the provider do beside answering, and bills: a tool that it runs.

    param: the caller's field · kind: web_search, file_search, code_interpreter, …, one word for all dialects · most:
    how often it may run, where the body says so.
    """

    param: str
    kind: str
    most: int | None = None


class Piece(NamedTuple):
    """Something that is made and sold by the piece. unit: second, video, song, … · amount: how many · variant: which
    kind of it, where kinds cost differently, as `720p`."""

    unit: str
    amount: Decimal
    variant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What the gateway must know of a request, whatever its dialect.

    fallbacks: models to try where the first cannot serve · n: choices · limit: most output tokens a choice, as asked ·
    thoughts: so many of them are for thoughts, and the limit must be above · batch: inputs that are read apart, each in
    a context window of its own · only: the caller's fields that no other dialect has words for · wants_usage: the
    client wants a usage frame · audio_in, audio_out: sound is sent, is asked for · image_out: pictures are asked for ·
    hosted: what the provider does beside · search_size: how much a web search shall find: low, medium, high · tier:
    service tier · urls: (address, the caller's field) of what somebody fetches · seal: tells the last thought that only
    the account which made it can open · units: what of it is sold by the piece, from above: character, second, query,
    image, megapixel · tops: more of a unit than this nobody can count, where `units` does not say so · variant: of
    which kind those are · makes: what is to be made in minutes, in each unit that it may be sold by · rigid: it has no
    output limit that could be lowered for a light wallet · raw: its answer is no text and no events but bytes of a type
    that only the provider knows · answers: what a whole one is.
    """

    model: str
    fallbacks: tuple[str, ...] = ()
    stream: bool = False
    n: int = 1
    limit: int | None = None
    thoughts: int = 0
    batch: int = 1
    only: tuple[str, ...] = ()
    wants_usage: bool = False
    audio_in: bool = False
    audio_out: bool = False
    image_out: bool = False
    hosted: tuple[Hosted, ...] = ()
    search_size: str | None = None
    tier: str | None = None
    weight: Weight = Weight()
    references: tuple[Reference, ...] = ()
    urls: tuple[tuple[str, str], ...] = ()
    seal: str | None = None
    units: Mapping[str, int] = field(default_factory=dict)
    tops: Mapping[str, int] = field(default_factory=dict)
    variant: Variant = ANY
    makes: tuple[Piece, ...] = ()
    rigid: bool = False
    raw: bool = False
    answers: str = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Steer:
    """How the caller wants a call to be routed. Names are of channels, of kinds of providers or of namespaces.

    order: who is tried first, in this order · only: nobody else · ignore: never these · sort: by price, latency or
    throughput instead of by priority and weight · max_price: the most in dollars, for a million tokens of `prompt` and
    `completion`, for a `request` · require_parameters: nobody who would lose something · allow_fallbacks: else nobody
    but those in `order`, or the first one.
    """

    order: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    sort: str | None = None
    max_price: Mapping[str, Decimal] = field(default_factory=dict)
    require_parameters: bool = False
    allow_fallbacks: bool = True


Rates = Mapping[str, Decimal]
"""Nano-dollars by class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a model costs, in nano-dollars, and how much it takes.

    A class without a rate of its own takes its parent's (cached_read, cache_write, audio_in: input; reasoning,
    audio_out: output) unless that would be too cheap; `billing.prices` says which must be there. rates: a token, by
    class · above: (tokens of input, rates) for calls with more input than that, all of it · tiers: service tiers with
    rates and steps of their own · fees: each time that the provider runs a tool (`Hosted`'s kinds), or a `request` ·
    sized: fees by how much a search shall find, and units by their variant (`high/1024x1536`, `512x512`, `2k`) ·
    units: each character, second, query, image, … where that is sold, beside tokens or instead of them · least: as so
    many of a unit a call counts at least · idle_hosted: tools that a provider would run may be offered beside the
    caller's own; none is run, so none costs anything.
    """

    rates: Rates
    context: int
    max_output: int
    version: str
    above: tuple[tuple[int, Rates], ...] = ()
    tiers: Mapping[str, tuple[Rates, tuple[tuple[int, Rates], ...]]] = field(default_factory=dict)
    fees: Rates = field(default_factory=dict)
    sized: Mapping[str, Rates] = field(default_factory=dict)
    units: Rates = field(default_factory=dict)
    least: Mapping[str, int] = field(default_factory=dict)
    image_tokens: int = 1_600
    idle_hosted: bool = False

    @property
    def free(self) -> bool:
        return not any((*self.rates.values(), *self.fees.values(), *self.units.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A configured account at a provider, as the workers keep it.

    models: upstream names, or None for any.
    """

    id: str
    name: str
    provider: str
    namespace: str
    base_url: str
    secret: str | None = field(repr=False)
    models: tuple[str, ...] | None
    dialects: tuple[str, ...]
    priority: int
    weight: int
    free: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Accent:
    """How a provider departs from a dialect for everybody, clients that speak it themselves too (`dialects.accents`).

    unknown: members that it refuses: left out, a loss · needless: members that it refuses and does what they ask for
    anyway: left out · renamed: (member, its name there) · in_messages: members of a message that it refuses, a loss ·
    developer: it knows that role; `system` is said otherwise · call_ids: how many letters and digits it wants a tool
    call's id to be of, if it cares.
    """

    unknown: tuple[str, ...] = ()
    needless: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    in_messages: tuple[str, ...] = ()
    developer: bool = True
    call_ids: int | None = None


_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How a model at a provider departs from the dialect that it is spoken to in. `providers.profiles` has the facts.
    All but the accent is for requests that are translated: who speaks the dialect knows the model.

    Its words: limit_name: what its Chat calls an output limit · switch: how its Chat is told to think: by `effort`
    (`reasoning_effort`), `thinking` (`{"type": …}`), `enable_thinking` or `reasoning` (`{"effort": …}`) · thoughts: the
    names under which its Chat takes earlier thoughts back, None for whichever they came under · insists: it refuses
    tool calls without their thoughts · adds: members that what is rendered for it always has · knows: features that it
    has words for and its dialect has not.

    Its limits: lacks: features that it does not bear · lacks_thinking: nor these while it thinks · hottest: its highest
    temperature · one_of: temperature or top_p, not both · strict: it holds arguments to a schema · system_in_place: it
    takes messages of the role system between others · signs: it refuses its own calls without their signature.

    Its thoughts: thinks: at all · always: it cannot help it · rests: not unless it is asked to · efforts: those that it
    knows, least first; None where nothing is known, () where it knows none · adaptive: as it sees fit, guided by an
    effort · budgets: within a budget of tokens, of least_budget or more · levels: by level, so that an effort needs no
    budget.

    Its time, in seconds, where it takes more than most, whoever asks: first_byte_s, idle_s: of a stream · whole_s: to
    the last byte.
    """

    accent: Accent = Accent()
    limit_name: str = "max_tokens"
    switch: Literal["effort", "thinking", "enable_thinking", "reasoning"] = "effort"
    thoughts: tuple[str, ...] | None = None
    insists: bool = False
    adds: tuple[tuple[str, Any], ...] = ()
    knows: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    lacks_thinking: tuple[str, ...] = ()
    hottest: float = 2
    one_of: bool = False
    strict: bool = True
    system_in_place: bool = False
    signs: bool = False
    thinks: bool = True
    always: bool = False
    rests: bool = False
    efforts: tuple[str, ...] | None = None
    adaptive: bool = False
    budgets: bool = True
    least_budget: int = 0
    levels: bool = True
    first_byte_s: float = 0
    idle_s: float = 0
    whole_s: float = 0

    def effort(self, asked: str) -> str | None:
        """The effort for one that was asked for: the highest that it knows up to that, else its least; None where it
        knows none. Who asks for thoughts is not given `none`."""
        if asked == "none" and self.always:
            return self.efforts[0] if self.efforts else None
        if self.efforts is None or asked in self.efforts:
            return asked
        known = [one for one in self.efforts if one != "none"] or list(self.efforts)
        most = _EFFORTS.index(asked) if asked in _EFFORTS else _EFFORTS.index("medium")
        below = [one for one in known if one not in _EFFORTS or _EFFORTS.index(one) <= most]
        return next(iter(below[-1:] or known[:1]), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One way to serve a call: channel, upstream model, dialect. public: the name by which the caller asked for that
    model · profile: how that model departs from the dialect ·
    price: attached by billing · losses: `field=verdict` of what this leg's dialect cannot say."""

    channel: Channel
    model: str
    dialect: str
    public: str = ""
    profile: Profile = Profile()
    price: Price | None = None
    losses: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The model as its own namespace calls it."""
        return f"{self.channel.namespace}/{self.model}"


@dataclass(slots=True)
class Attempt:
    """What became of one leg, for the receipt. status: the provider's, or the fault's cause."""

    channel: str
    status: int | str
    ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a call claims whose caller named it by an Idempotency-Key (`access.idempotency`).

    id: what that name is stored as · fingerprint: of the request, by a secret of the caller's · secret: seals the
    outcome.
    """

    id: str
    fingerprint: str
    secret: bytes = field(repr=False)


@dataclass(slots=True, kw_only=True)
class Share:
    """What pays for a call that has no hold of its own: part of the hold of a batch, whose line it is.

    batch_id, number: which line · take: makes sure that the batch holds so much for it; raises GatewayError 402 · keep:
    the outcome as it is stored with the settlement · amount: nano-dollars that were taken.
    """

    batch_id: str
    number: int
    take: Callable[[int], None]
    keep: Callable[[Reply], bytes]
    amount: int = 0


def content_url(public_url: str, family: str, identity: str, number: int) -> str:
    """The address of result `number` of a call or task, of a family: images, videos, audio."""
    return f"{public_url}/v1/{family}/{identity}/content?index={number}"


@dataclass(slots=True)
class Call:
    """One inbound exchange, from admission to receipt.

    id: the generation's, made by us · model: as the caller wrote it · names: of all models that may answer, each as it
    was written and by its id · headers: the few of the client's that may go
    upstream · strict: what would be lost is refused instead · held: nano-dollars set aside · cap: the output limit that
    the wallet forces, if it forces one · request: the body in neutral words, once a leg of another dialect needs them ·
    fetched: media behind addresses, once they were fetched · theirs: providers' ids of what the body names by ours ·
    below: the path below the dialect's own that is asked for (`/compact`), which no other dialect has · rates: where
    the caller's limits stand · leg: the one that is being tried, or was tried last · steer: the way that the caller
    wants · dry: it is only told what would be done · claim: to be made once only · copied: what is behind the
    provider's addresses in its reply, type and bytes; those that could not be fetched are not there · public_url: where
    clients reach the gateway · share: it is a line of a batch.
    """

    id: str
    request_id: str
    caller: Caller
    surface: str
    dialect: str
    body: Scan
    ask: Ask
    created_ms: int
    started: float
    headers: Mapping[str, str]
    names: tuple[str, ...] = ()
    strict: bool = False
    held: int = 0
    cap: int | None = None
    request: ChatRequest | None = None
    fetched: dict[str, Media] = field(default_factory=dict)
    theirs: dict[str, str] = field(default_factory=dict)
    below: str = ""
    attempts: list[Attempt] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    rates: tuple[Any, ...] = ()
    leg: Leg | None = None
    steer: Steer = Steer()
    dry: bool = False
    claim: Claim | None = None
    share: Share | None = None
    copied: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    public_url: str = ""

    @property
    def model(self) -> str:
        """As the caller wrote it: the one that answers, once one of several does."""
        return (self.leg.public if self.leg is not None else "") or self.ask.model

    def content_url(self, family: str, number: int) -> str:
        """Where a result of this call is fetched by who owns it."""
        return content_url(self.public_url, family, self.id, number)

    def lost(self, leg: Leg | None, meter: Meter | None = None) -> list[str]:
        """What was not said: members that are the gateway's own and not heeded, what the leg's dialect lacks, and what
        the caller's lacks of the answer."""
        return [*self.losses, *(leg.losses if leg is not None else ()), *(meter.lost if meter is not None else ())]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound:
    """One request to a provider. path: below the channel's base URL · model: the upstream name, which body or path hold
    too · account_id: for the sandbox's memory only · method: GET and DELETE have no body · slow_s: how long the head of
    its answer may take, where that is more than the settings say · content_type: of its body."""

    channel: Channel
    dialect: str
    model: str
    path: str
    body: Body
    headers: Mapping[str, str]
    stream: bool
    account_id: str
    method: Literal["POST", "GET", "DELETE"] = "POST"
    slow_s: float = 0
    content_type: str = "application/json"


class Wire(Protocol):
    """A provider's answer as it arrives. `read` may be interrupted by a timeout and called again; nothing is lost."""

    status: int
    headers: Mapping[str, str]

    def read(self) -> bytes:
        """The next bytes, b"" at the end. Raises Fault when the answer breaks off."""
        ...

    def close(self) -> None: ...


Cause = Literal["request", "account", "limited", "unreachable", "timeout", "server", "malformed"]


class Fault(Exception):
    """Why a leg failed.

    cause: `request` the body is the caller's to mend · `account` our account there · `limited` its rate limit ·
    `unreachable` it never got the request · `timeout` · `server` 5xx · `malformed` an answer that means nothing.
    status: the provider's · message, param, code: its own words, kept only for `request` (Law 9) · ours: they are the
    gateway's, and param is the caller's own field · silent: the connection ended before a byte of an answer.
    """

    def __init__(
        self,
        cause: Cause,
        *,
        status: int = 0,
        message: str = "",
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        ours: bool = False,
        silent: bool = False,
    ) -> None:
        super().__init__(f"{cause} {status or ''}".strip())
        self.cause = cause
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.retry_after = retry_after
        self.headers = headers
        self.ours = ours
        self.silent = silent


class File(NamedTuple):
    """Something made that is kept for the caller (`store`). kind: the family of paths that it is fetched at · number:
    which result of the call."""

    kind: str
    number: int
    media_type: str
    data: bytes


class ClientGone(BaseException):
    """The client has left; thrown into whoever waits for a provider on its behalf."""


@dataclass(slots=True)
class Meter:
    """What a reply said and took, as far as it has come.

    usage: as reported, None until then · guess: what it must have taken where nobody reports anything, if the reply's
    carrier knows better than by its bytes · final: it came at the end, so that it counts everything · out_bytes: UTF-8
    bytes of output delivered · ran: how often tools of the provider's were seen to run, where that is not reported yet
    · units: output that is no text, by kind · finish: the choices' reasons · upstream_id: the provider's id for it ·
    made: (kind, id) of objects that the caller may refer to later; the reply itself, by the provider's id, is one where
    it is kept · files: what the reply names by addresses of ours, to be kept before it goes out · lost: what it says
    and the caller's dialect cannot show, as `answer.image=drop`.
    """

    usage: Usage | None = None
    guess: Usage | None = None
    final: bool = True
    out_bytes: int = 0
    ran: dict[str, int] = field(default_factory=dict)
    units: dict[str, int] = field(default_factory=dict)
    finish: str | None = None
    upstream_id: str | None = None
    made: list[tuple[str, str]] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Reply:
    """What goes back to the caller. body: all of it, or pieces; pieces are closed when the caller leaves."""

    status: int
    content_type: str
    headers: list[tuple[str, str]]
    body: bytes | Iterator[bytes]
