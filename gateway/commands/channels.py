"""Channels, routes, models and prices: where calls go and what they cost."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import click

import models.channel
import models.health
import models.price
import models.route
from models import change
from models.base import session
from models.writer import write

from .. import clock, ids
from ..config import Settings
from ..providers import pool
from ..providers.registry import DIALECTS, KINDS, PROVIDERS, Missing, Provider, filled
from ..relay.orders import MOST_ATTEMPTS
from ..routing import catalogue
from ..routing import channels as live
from ..vault import NoSecret, Vault, installation_secret
from . import _probe
from ._say import Failure, Misuse, house, say, table, verb

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")
_MOST = 1_000_000


def open_rooms(settings: Settings) -> None:
    """Make channels and providers usable in this process. Raises Failure."""
    live.open(_vault(settings))
    pool.open(settings)
    with session():
        change.poll()


def _vault(settings: Settings) -> Vault:
    try:
        return Vault(installation_secret(settings.secret, settings.data))
    except NoSecret as error:
        raise Failure(str(error)) from error


@click.group()
def channels() -> None:
    """Configured accounts at providers."""


@channels.command("add")
@click.option("--provider", required=True, help="Kind: " + ", ".join(provider.kind for provider in PROVIDERS) + ".")
@click.option("--name", help="Default: the kind, with - for a dot.")
@click.option("--namespace", help="What its models' names begin with.")
@click.option("--base-url", help="As the vendor's own SDK takes it.")
@click.option("--key", help="The key itself, env:VARIABLE, or - to read it from standard input.")
@click.option("--models", "names", default="*", show_default=True, help="Upstream names, 'a,b', or '*' for any.")
@click.option("--priority", type=click.IntRange(-_MOST, _MOST), default=0, help="Low is tried first; 0 if not given.")
@click.option("--weight", type=click.IntRange(1, _MOST), default=1, help="Share inside a priority; 1 if not given.")
@click.option("--free", is_flag=True, help="Calls cost nothing: one's own machines.")
@click.option("--dialects", help=f"What it speaks, if not what its kind speaks: {','.join(DIALECTS)}.")
@verb
def channels_add(
    provider: str, name: str | None, namespace: str | None, base_url: str | None, key: str | None, names: str,
    priority: int, weight: int, free: bool, dialects: str | None,
) -> None:  # fmt: skip
    """Add a channel; it takes calls within a second."""
    settings = house()
    kind = KINDS.get(provider)
    if kind is None:
        raise Misuse(f"There is no provider {provider!r}. Use one of: {', '.join(KINDS)}.")
    name = kind.channel_name if name is None else name
    for label, value in (("--name", name), ("--namespace", namespace)):
        if value is not None and not _NAME.fullmatch(value):
            raise Misuse(f"{label} {value!r} must be up to 100 lower-case letters, digits and -, as in lab-2.")
    with session():
        if models.channel.find(name):
            raise Failure(f"There is a channel {name!r} already. Give another --name, or remove that one first.")
    base_url = _base_url(base_url, kind)
    secret, secret_env = _key(key)
    if not (secret or secret_env or kind.keyless):
        raise Misuse(f"{kind.title} needs a key. Add --key env:{kind.key_env or 'VARIABLE'}, or --key - to type it.")
    if secret and (flaw := pool.flaw(provider, secret)):
        raise Misuse(f"--key: {flaw}")
    listed = [part.strip() for part in names.split(",") if part.strip()]
    if not listed:
        raise Misuse(f"--models {names!r} names no models. Write upstream names, 'a,b', or '*' for any.")
    for part in listed:
        if part != "*":
            model_name(part.removeprefix("@"))
    spoken = None if dialects is None else [part.strip() for part in dialects.split(",")]
    if spoken and (unknown := [part for part in spoken if part not in DIALECTS]):
        raise Misuse(f"{unknown[0]!r} is no dialect. Use of: {', '.join(DIALECTS)}.")
    channel_id = ids.new("ch_")
    vault = _vault(settings)
    fields: dict[str, Any] = {
        "id": channel_id, "name": name, "provider": provider, "base_url": base_url,
        "namespace": namespace or kind.namespace(name), "secret_env": secret_env,
        "secret": vault.seal(secret, channel_id) if secret else None,
        "models": json.dumps(["*"] if "*" in listed else listed),
        "dialects": json.dumps(spoken) if spoken else None, "priority": priority, "weight": weight, "free": free,
        "enabled": True, "source": "operator", "created_at": clock.now_ms(),
    }  # fmt: skip
    write(lambda: models.channel.create(**fields))
    row = _row(name)
    served = ", ".join(f"{row['namespace']}/{model}".replace("*", "…") for model in row["models"])
    say(row, f"Channel {name} ({channel_id}) serves {served}. Try it: python -m gateway channels test {name}")


def model_name(text: str) -> None:
    """Raises Misuse for what no model can be called."""
    if not catalogue.NAME.fullmatch(text):
        raise Misuse(f"{text!r} is no model name. Use up to 200 letters, digits and . _ : @ + / -")


def _base_url(given: str | None, kind: Provider) -> str | None:
    """What a channel's row holds: None where the address is its provider's own."""
    if given is None:
        if kind.base_url is None:
            raise Misuse(f"{kind.kind} has no address of its own. Add --base-url, such as http://127.0.0.1:9000/v1")
        try:
            given = _own(kind, os.environ)
        except Missing as missing:
            raise Misuse(
                f"{kind.title}'s address is {kind.base_url}. Set {missing} in this shell, or add --base-url."
            ) from None
        if given is None:
            return None
    if problem := _unsound(given):
        raise Misuse(f"--base-url {given!r} {problem}")
    return given.rstrip("/")


def _own(kind: Provider, environ: Mapping[str, str]) -> str | None:
    """The address of an account, by the environment; None where a provider has one for all. Raises Missing."""
    found = filled(kind.base_url or "", environ)
    return None if found == kind.base_url else found


def _unsound(address: str) -> str | None:
    """Why nothing can be at an address."""
    try:
        parts = urlsplit(address)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # brackets of no IPv6 address, a port that is none
        sound = False
    if not sound or parts.username is not None or parts.query or parts.fragment:
        return "must be an http or https address without user, query and fragment."
    if not re.fullmatch(r"[\x21-\x7e]+", address):
        return "holds a space or a character that no address has. Write it without."
    return None


def _key(given: str | None) -> tuple[str | None, str | None]:
    """(the secret, or the variable that holds it)."""
    if given is None:
        return None, None
    if given == "-":
        typed = click.prompt("Key", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.read()
        given = typed.strip()
    elif given.startswith("env:"):
        variable = given[4:]
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,199}", variable):
            raise Misuse(f"--key {given!r} names no variable. Write env:OPENAI_API_KEY, for one.")
        return None, variable
    if given.startswith("{"):  # Google's keys are documents
        with contextlib.suppress(ValueError):
            return json.dumps(json.loads(given)), None
    if not given or not given.isprintable() or not given.isascii() or " " in given:
        raise Misuse("The key is empty or holds characters that no key has. Give it as the provider shows it.")
    return given, None


def _row(name: str) -> dict[str, Any]:
    with session():
        found = models.channel.find(name)
        resting = models.health.of(found.id) if found is not None else []
    if found is None:
        raise Failure(f"There is no channel {name!r}. See: python -m gateway channels list")
    return {
        "id": found.id, "name": found.name, "provider": found.provider, "namespace": found.namespace,
        "base_url": found.base_url or KINDS[found.provider].base_url if found.provider in KINDS else found.base_url,
        "key": "stored" if found.secret else f"env:{found.secret_env}" if found.secret_env else None,
        "models": json.loads(found.models), "dialects": json.loads(found.dialects) if found.dialects else None,
        "priority": found.priority, "weight": found.weight, "free": found.free, "enabled": found.enabled,
        "source": found.source, "resting": [f"{row.model or '*'}: {row.cause}" for row in resting],
    }  # fmt: skip


@channels.command("list")
@verb
def channels_list() -> None:
    """All channels."""
    house()
    with session():
        names = [channel.name for channel in models.channel.everyone()]
    columns = ("name", "provider", "namespace", "models", "base_url", "key", "free", "enabled", "source", "resting")
    table([_row(name) for name in names], columns, "No channels.")


@channels.command("test")
@click.argument("name")
@verb
def channels_test(name: str) -> None:
    """Ask a channel's provider, and say in words what works."""
    settings = house()
    _row(name)
    open_rooms(settings)
    with session():
        found = models.channel.find(name)
    assert found is not None
    channel = live.thaw(found)
    problem = _probe.problem(channel, found.secret_env)
    if problem is not None:
        raise Failure(f"Channel {name}: {problem.what} {problem.mend}")
    tried = list(_probe.trials(channel))
    said = {
        "name": name, "ok": all(one.wrong is None for one in tried if one.model), "dialects": list(channel.dialects),
        "tried": [one._asdict() for one in tried],
    }  # fmt: skip
    how = "answers, takes the key" if channel.secret else "answers"
    lines = [f"Channel {name} {how} and is asked in: {', '.join(channel.dialects)}."]
    lines += [f"  {_tried(one)}" for one in tried]
    refused = [one.dialect for one in tried if one.model is not None and one.wrong is not None and not one.streamed]
    if refused and len(refused) < len({one.dialect for one in tried}):
        spoken = ",".join(dialect for dialect in channel.dialects if dialect not in refused)
        lines.append(f"If it does not speak {', '.join(refused)}, add the channel with --dialects {spoken}")
    say(said, "\n".join(lines))


def _tried(one: _probe.Trial) -> str:
    """One trial in words: `chat: gpt-4o-mini answers whole in 312 ms and counts its tokens`."""
    if one.model is None:
        return f"{one.dialect}: not tried, {one.wrong}; name one with --models"
    how = "in pieces" if one.streamed else "whole"
    if one.wrong is not None:
        return f"{one.dialect}: {one.model} does not answer {how}: {one.wrong}"
    counts = "counts its tokens" if one.counted else "does not count its tokens, so they are estimated"
    return f"{one.dialect}: {one.model} answers {how} in {one.ms} ms and {counts}"


def _switch(name: str, enabled: bool) -> None:
    house()
    row = _row(name)
    write(lambda: models.channel.change(row["id"], enabled=enabled))
    say(_row(name), f"Channel {name} is {'enabled' if enabled else 'disabled'}.")


@channels.command("enable")
@click.argument("name")
@verb
def channels_enable(name: str) -> None:
    """Take calls again."""
    _switch(name, True)


@channels.command("disable")
@click.argument("name")
@verb
def channels_disable(name: str) -> None:
    """Take no more calls."""
    _switch(name, False)


@channels.command("remove")
@click.argument("name")
@verb
def channels_remove(name: str) -> None:
    """Forget a channel and its key."""
    house()
    row = _row(name)
    with session():
        used = [model for model, legs in models.route.everyone().items() if any(leg[0] == row["id"] for leg in legs)]
    if used:
        raise Failure(f"A route uses channel {name}. First: python -m gateway routes remove {used[0]}")
    if row["source"] != "operator":
        raise Failure(f"Channel {name} is made at every start ({row['source']}). Use: channels disable {name}")
    write(models.channel.remove, row["id"])
    say({"name": name, "removed": True}, f"Channel {name} is removed.")


@click.group()
def routes() -> None:
    """Public model names and the legs behind them."""


@routes.command("set")
@click.argument("model")
@click.argument("legs", nargs=-1, required=True, metavar="CHANNEL:UPSTREAM-MODEL…")
@verb
def routes_set(model: str, legs: tuple[str, ...]) -> None:
    """Serve MODEL by these legs, in this order."""
    house()
    model_name(model)
    found: list[tuple[str, str]] = []
    for leg in legs:
        name, colon, upstream = leg.partition(":")
        if not colon or not catalogue.NAME.fullmatch(upstream.removeprefix("@")):
            raise Misuse(f"{leg!r} is no leg. Write channel-name:upstream-model, as in sandbox:echo")
        with session():
            channel = models.channel.find(name)
        if channel is None:
            raise Failure(f"There is no channel {name!r}. See: python -m gateway channels list")
        found.append((channel.id, upstream))
    write(models.route.put, model, found)
    said: dict[str, Any] = {"model": model, "legs": list(legs)}
    text = f"{model} → {', '.join(legs)}"
    if len(legs) > MOST_ATTEMPTS:
        said["note"] = f"One call tries at most {MOST_ATTEMPTS} legs, the first that can serve it."
        text += f"\n{said['note']}"
    say(said, text)


@routes.command("list")
@verb
def routes_list() -> None:
    """All routes."""
    house()
    with session():
        names = {channel.id: channel.name for channel in models.channel.everyone()}
        found = models.route.everyone()
    rows = [
        {"model": model, "legs": [f"{names.get(channel, '?')}:{upstream}" for channel, upstream in legs]}
        for model, legs in found.items()
    ]
    table(rows, ("model", "legs"), "No routes. Models are called as namespace/model.")


@routes.command("remove")
@click.argument("model")
@verb
def routes_remove(model: str) -> None:
    """Forget a route."""
    house()
    if not write(models.route.remove, model):
        raise Failure(f"There is no route {model!r}. See: python -m gateway routes list")
    say({"model": model, "removed": True}, f"The route {model} is removed.")


def keep_channels(sandbox: bool) -> None:
    """Upsert a channel for each provider whose key is in the environment; disable those whose key is gone.

    The sandbox is kept in the same way, by its setting. What the operator disabled stays disabled. Part of the start.
    """
    for provider in PROVIDERS:
        if provider.kind == "sandbox":
            _keep(provider, "built-in", {"base_url": None, "secret_env": None} if sandbox else None)
        elif provider.key_envs:
            _keep(provider, "env", _in_environment(provider))


def _in_environment(provider: Provider) -> dict[str, str | None] | None:
    """What the environment says of a provider: the variable of its key and the address of the account."""
    variable = next((name for name in provider.key_envs if os.environ.get(name)), None)
    if variable is None:
        return None
    try:
        base_url = _own(provider, os.environ)
    except Missing as missing:
        click.echo(f"{variable} makes no channel for {provider.title} without {missing}. Set that too.", err=True)
        return None
    if base_url is not None and (problem := _unsound(base_url)):
        click.echo(f"{variable} makes no channel for {provider.title}: the address {base_url!r} {problem}", err=True)
        return None
    return {"base_url": base_url, "secret_env": variable}


def _keep(provider: Provider, source: str, there: dict[str, str | None] | None) -> None:
    with session():
        row = models.channel.find(provider.channel_name)
    if row is None:
        if there is not None:
            write(_create_kept, provider, source, there)
        return
    if row.source == source and there is None and row.enabled:
        write(lambda: models.channel.change(row.id, enabled=False, source=f"{source}, gone"))
    elif row.source == f"{source}, gone" and there is not None:
        write(lambda: models.channel.change(row.id, enabled=True, source=source, **there))
    elif row.source == source and there is not None and any(getattr(row, name) != there[name] for name in there):
        write(lambda: models.channel.change(row.id, **there))


def sealed_elsewhere() -> list[str]:
    """Names of the channels whose stored key this installation's secret does not open."""
    with session():
        rows = [row for row in models.channel.everyone() if row.secret and row.provider in KINDS]
    return [row.name for row in rows if live.thaw(row).secret is None]


def _create_kept(provider: Provider, source: str, there: dict[str, str | None]) -> None:
    name = provider.channel_name
    models.channel.create(
        id=ids.new("ch_"), name=name, provider=provider.kind, namespace=provider.namespace(name),
        models=json.dumps(["*"]), enabled=True, source=source, created_at=clock.now_ms(), **there,
    )  # fmt: skip
