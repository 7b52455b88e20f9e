"""Models and prices: what can be called here and what it costs."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click

import models.channel
import models.margin
import models.price
import models.pricebook
from models.base import session
from models.writer import write

from .. import book, clock, money
from ..billing import prices
from ..book.changes import changes, figures
from ..call import Channel, Leg, Price
from ..providers.registry import KINDS
from ..routing import catalogue
from ..routing import channels as live
from ._say import Failure, Misuse, house, say, table, verb
from .channels import model_name, open_rooms

UNITS = ("character", "second", "query", "image", "megapixel", "video", "song", "lyrics")
"""What can be sold by the piece here."""


@click.group("models")
def model_names() -> None:
    """What can be called."""


@model_names.command("list")
@click.option("--search", default="", help="Only names that contain this.")
@verb
def models_list(search: str) -> None:
    """All models that an enabled channel serves, with their prices; `lab/*` where it takes any name."""
    open_rooms(house())
    snapshot = live.current()
    wanted = search.lower()
    found = [name for name in catalogue.listed(snapshot) if wanted in name.lower()]
    rows = [_listed(name, catalogue.legs(snapshot, name)) for name in found]
    for channel in snapshot.by_id.values():
        name = f"{channel.namespace}/*"
        if channel.models is None and KINDS[channel.provider].generic and wanted in name:
            rows.append(_listed(name, [(channel, "*")]))
    rows.sort(key=lambda row: str(row["id"]))
    columns = ("id", "input_mtok", "output_mtok", "pieces", "context", "max_output", "channels")
    table(rows, columns, "No such model.")


def _listed(name: str, legs: list[tuple[Channel, str]]) -> dict[str, Any]:
    known = book.current().find(name)
    price = _cheapest(name, legs)
    pieces = [f"{kind} {money.plain(nanos / money.NANOS)}" for kind, nanos in _pieces(price)] if price else []
    return {
        "id": name,
        "owned_by": known.model.author if known is not None else catalogue.owner(name),
        "mode": known.model.mode if known is not None else None,
        **_shown(price),
        "pieces": pieces or None,
        "channels": [channel.name for channel, _ in legs],
    }


def _cheapest(name: str, legs: Iterable[tuple[Channel, str]]) -> Price | None:
    """The price of the cheapest way to call a name, by input and output."""
    found = [price for channel, upstream in legs if (price := _price(channel, upstream, name)) is not None]
    return min(found, key=lambda price: sum(price.rates.get(bucket, 0) for bucket in ("input", "output")), default=None)


def _price(channel: Channel, upstream: str, name: str) -> Price | None:
    return prices.of_leg(Leg(channel=channel, model=upstream, dialect="chat"), name)


def _shown(price: Price | None) -> dict[str, Any]:
    if price is None:
        return {"input_mtok": None, "output_mtok": None, "context": None, "max_output": None, "version": None}
    found: dict[str, Any] = {f"{bucket}_mtok": _usd(rate) for bucket, rate in price.rates.items()}
    found |= {f"{kind}_usd": money.plain(nanos / money.NANOS) for kind, nanos in _pieces(price)}
    none = None if price.units and not price.rates else "0"  # what is sold by the piece only has no such price
    return {
        "input_mtok": none, "output_mtok": none, **found, "context": price.context, "max_output": price.max_output,
        "version": price.version,
    }  # fmt: skip


def _pieces(price: Price) -> list[tuple[str, Decimal]]:
    """What is paid by the piece, in nano-dollars: what a provider does on the way, and what is sold so."""
    return [*price.fees.items(), *price.units.items()]


def _usd(rate: Decimal) -> str:
    """Nano-dollars a token as dollars a million."""
    return money.plain(rate / 1_000)


@click.group("prices")
def price_list() -> None:
    """What models cost."""


def _rate(option: str, text: str, required: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(option, required=required, metavar="USD", help=f"Dollars a million tokens: {text}.")


@price_list.command("set")
@click.argument("model")
@_rate("--input-mtok", "input; with --output-mtok or --unit")
@_rate("--output-mtok", "output")
@_rate("--cached-mtok", "input read from a cache")
@_rate("--cache-write-mtok", "input written to a cache")
@_rate("--cache-write-1h-mtok", "input written to a cache for an hour")
@_rate("--reasoning-mtok", "reasoning")
@_rate("--audio-in-mtok", "sound heard")
@_rate("--audio-out-mtok", "sound spoken")
@_rate("--image-in-mtok", "images seen")
@_rate("--image-out-mtok", "images made")
@click.option("--fee", "fees", multiple=True, metavar="KIND=USD", help="Dollars each time, as web_search=0.01.")
@click.option("--unit", "units", multiple=True, metavar="KIND=USD", help=f"Dollars for each {', '.join(UNITS)}.")
@click.option("--context", type=click.IntRange(1, 1 << 31), help="Context window in tokens.")
@click.option("--max-output", type=click.IntRange(1, 1 << 31), help="Most output tokens of one answer.")
@verb
def prices_set(
    model: str,
    fees: tuple[str, ...],
    units: tuple[str, ...],
    context: int | None,
    max_output: int | None,
    **rates: str | None,
) -> None:
    """Set what MODEL costs; `namespace/*` sets it for all of a namespace. It goes before the book, has no margin, and
    holds within a second. What is sold by the piece only, as speech by the character, has no price for tokens."""
    if not units and None in (rates["input_mtok"], rates["output_mtok"]):
        raise Misuse("--input-mtok and --output-mtok are needed, or --unit for what is sold by the piece")
    open_rooms(house())
    model_name(model.removesuffix("/*"))
    model = catalogue.canonical(live.current(), model)
    facts: dict[str, Any] = {}
    for option, value in rates.items():
        if value is not None:
            facts[_BUCKETS[option]] = _decimal(f"--{option.replace('_', '-')}", value)
    for fee in fees:
        kind, equals, value = fee.partition("=")
        if not equals or not kind.isidentifier():
            raise Misuse(f"--fee {fee!r} must be KIND=USD, as in web_search=0.01")
        facts.setdefault("fees", {})[kind] = _decimal(f"--fee {kind}=", value)
    for unit in units:
        kind, equals, value = unit.partition("=")
        if not equals or kind not in UNITS:
            raise Misuse(f"--unit {unit!r} must be one of {', '.join(UNITS)} and dollars, as in second=0.0001")
        facts.setdefault("units", {})[kind] = _decimal(f"--unit {kind}=", value)
    facts |= {name: value for name, value in (("context", context), ("max_output", max_output)) if value is not None}
    at = clock.now_ms()
    write(models.price.put, model, facts, at)
    known = book.current().find(model)
    shown = {"model": model, **_shown(prices.from_facts(facts, at, known.model if known is not None else None))}
    pieces = "".join(f" ${shown[f'{kind}_usd']} a {kind}." for kind in facts.get("units", ()))
    pieces += "".join(f" ${usd} each {kind}." for kind, usd in facts.get("fees", {}).items())
    tokens = (
        f" ${shown['input_mtok']} in, ${shown['output_mtok']} out, a million tokens." if shown["input_mtok"] else ""
    )
    say(shown, f"{model}:{tokens}{pieces}")


_BUCKETS = {
    "input_mtok": "input", "output_mtok": "output", "cached_mtok": "cached_read", "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h", "reasoning_mtok": "reasoning", "audio_in_mtok": "audio_in",
    "audio_out_mtok": "audio_out", "image_in_mtok": "image_in", "image_out_mtok": "image_out",
}  # fmt: skip


def _decimal(option: str, value: str) -> str:
    try:
        amount = Decimal(value)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount <= 1_000_000 or amount != round(amount, 12):
        raise Misuse(f"{option} {value!r} must be dollars from 0 to 1000000, as in 2.50, with at most twelve decimals.")
    return money.plain(abs(amount))


@price_list.command("show")
@click.argument("model")
@verb
def prices_show(model: str) -> None:
    """What MODEL costs on each channel that serves it, and who says so."""
    open_rooms(house())
    name = catalogue.canonical(live.current(), model)
    legs = catalogue.legs(live.current(), model)
    price = _cheapest(name, legs) or prices.find(model)
    known = book.current().find(model)
    offers = known.model.offers if known is not None else ()
    if price is None and not offers:
        raise Failure(
            f"{model} has no price. Set one: python -m gateway prices set {name} --input-mtok USD --output-mtok USD"
        )
    shown: dict[str, Any] = {"model": name, **_shown(price)}
    shown["channels"] = [
        {"channel": channel.name, "upstream_model": upstream, **_shown(_price(channel, upstream, name))}
        for channel, upstream in legs
    ]
    shown["book"] = [
        {
            "provider": offer.provider,
            "names": offer.names,
            **dict(figures(offer)),
            "source": offer.source,
            "date": offer.date,
        }
        for offer in offers
    ]
    say(shown, "\n".join(_lines(name, price, legs, offers)))


def _lines(
    name: str, price: Price | None, legs: list[tuple[Channel, str]], offers: Iterable[book.Offer]
) -> Iterator[str]:
    """What an operator reads: the price, where it is paid, and what the book says of everybody who offers the model."""
    yield f"{name}: {_sentence(price) if price is not None else 'no price for tokens'}"
    for channel, upstream in legs:
        found = _price(channel, upstream, name)
        told = "no price, so it is refused there" if found is None else _sentence(found)
        yield f"  on channel {channel.name} as {upstream}: {told}"
    if not legs:
        yield "  No enabled channel serves it."
    for offer in offers:
        yield f"  {offer.provider}, read on {offer.date} at {offer.source}"
        yield from (f"    {line}" for line in _figures(offer))


def _figures(offer: book.Offer) -> Iterator[str]:
    """The figures of an offer, a line for each tier and step, and one for what is paid by the piece."""
    for name, tier in offer.tiers.items():
        if tier.usd:
            yield f"{name or 'tokens'}: {_listing(tier.usd)}"
        for tokens, usd in tier.above:
            yield f"{name or 'tokens'} above {tokens} of input: {_listing(usd)}"
    for unit, variants in offer.variants.items():
        yield f"{unit}: {_listing(variants)}"
    pieces = {**offer.fees, **{unit: usd for unit, usd in offer.units.items() if unit not in offer.variants}}
    if pieces:
        yield f"each: {_listing(pieces)}"
    yield from (f"{unit}: a call counts as {count} at least" for unit, count in offer.least.items())


def _listing(usd: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ${dollars}" for name, dollars in usd.items())


def _sentence(price: Price) -> str:
    if price.free:
        return "free"
    rates = ", ".join(f"{bucket} ${_usd(rate)}" for bucket, rate in price.rates.items())
    said = [f"{rates} a million tokens"] if rates else []
    said += [f"{kind} ${money.plain(nanos / money.NANOS)} each" for kind, nanos in _pieces(price)]
    said += [f"a call counts as {count} {unit}s at least" for unit, count in price.least.items()]
    return f"{', '.join(said)} ({price.version})"


@price_list.command("remove")
@click.argument("model")
@verb
def prices_remove(model: str) -> None:
    """Forget what was set for MODEL; the book's price holds again. Holds within a second."""
    open_rooms(house())
    model = catalogue.canonical(live.current(), model)
    if not write(models.price.remove, model):
        raise Failure(f"No price was set for {model!r}. See what holds: python -m gateway models list")
    left = "Another price holds for it now." if prices.find(model) else "Without a price, calls of it are refused."
    say({"model": model, "removed": True}, f"The price of {model} is removed. {left}")


@price_list.command("margin", context_settings={"ignore_unknown_options": True})  # -5 is a percentage
@click.argument("target", required=False)
@click.argument("percent", required=False)
@verb
def prices_margin(target: str | None, percent: str | None) -> None:
    """Add PERCENT to the book's prices of `channel:NAME` or `author:NAME`; 0 forgets it, nothing lists all.

    A channel's margin goes before its author's. Prices that were set by hand have none.
    """
    house()
    if target is None:
        _list_margins()
        return
    kind, _, name = target.partition(":")
    if kind not in ("channel", "author") or not name:
        raise Misuse(f"{target!r} must be channel:NAME or author:NAME, as in author:openai")
    amount = _percent(percent)
    key = f"author:{name}"
    if kind == "channel":
        with session():
            found = models.channel.find(name)
        if found is None:
            raise Failure(f"There is no channel {name!r}. See: python -m gateway channels list")
        key = f"channel:{found.id}"
    elif not any(model.author == name for model in book.current().models.values()):
        raise Failure(f"The book has no author {name!r}. See: python -m gateway models list")
    if Decimal(amount) == 0:
        write(models.margin.remove, key)
    else:
        write(models.margin.put, key, amount)
    say({"target": target, "percent": float(amount)}, f"{target}: {amount} % on the book's prices.")


def _percent(text: str | None) -> str:
    try:
        amount = Decimal(text or "")
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not -100 < amount <= 10_000 or amount != round(amount, 4):
        raise Misuse(f"The margin {text!r} must be percent above -100, as in 10 or 2.5")
    return money.plain(amount)


def _list_margins() -> None:
    with session():
        names = {channel.id: channel.name for channel in models.channel.everyone()}
        found = models.margin.everyone()
    rows = []
    for key, percent in sorted(found.items()):
        kind, _, identity = key.partition(":")
        rows.append({"target": f"{kind}:{names.get(identity, identity)}", "percent": float(percent)})
    table(rows, ("target", "percent"), "No margins: what is charged is what the book says.")


@price_list.command("update")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@verb
def prices_update(file: Path | None, dry_run: bool) -> None:
    """Take the price book in FILE, or go back to the one that comes with the gateway. What would change is shown."""
    open_rooms(house())
    live.current()
    old = book.current()
    try:
        body = file.read_bytes() if file is not None else b""
        new = book.read(body) if file is not None else book.built_in()
    except (OSError, ValueError) as error:
        raise Failure(f"{file} cannot be taken: {error}. Make one with: make pricebook") from None
    if not new.models:
        raise Failure(f"{file} has no models. Make one with: make pricebook")
    found = list(changes(old, new))
    if not dry_run:
        write(models.pricebook.put, new.digest, zlib.compress(body)) if file is not None else write(
            models.pricebook.remove
        )
    done = "would be" if dry_run else "are"
    said = {"from": old.version, "to": new.version, "taken": not dry_run, "changes": [one._asdict() for one in found]}
    lines = [f"{one.model} at {one.provider}: {one.what} {_dollars(one.old)} → {_dollars(one.new)}" for one in found]
    lines.append(f"{len(found)} prices {done} changed, from book {old.version} to {new.version}.")
    say(said, "\n".join(lines))


def _dollars(usd: str | None) -> str:
    return "nothing" if usd is None else f"${usd}"


__all__ = ["model_names", "price_list"]
