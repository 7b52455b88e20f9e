"""The wiring: `create_app(settings)` connects the database, opens the rooms and hangs in the blueprints."""

from __future__ import annotations

from flask import Flask

from gateway import config, journal, rounds, store
from gateway.access import idempotency
from gateway.api import (
    _door,
    account,
    audio,
    chat,
    completions,
    embeddings,
    gemini,
    health,
    images,
    messages,
    moderations,
    openapi,
    rerank,
    responses,
)
from gateway.api import models as model_list
from gateway.billing import sweep
from gateway.config import Settings
from gateway.providers import pool
from gateway.relay.load import LOOK_S, load
from gateway.routing import bulletin, channels, discovery
from gateway.vault import Vault, installation_secret
from models import base, change, checkpoint, writer

BLUEPRINTS = (
    account.blueprint, audio.blueprint, chat.blueprint, completions.blueprint, embeddings.blueprint, gemini.blueprint,
    health.blueprint, images.blueprint, messages.blueprint, model_list.blueprint,
    moderations.blueprint, openapi.blueprint, rerank.blueprint, responses.blueprint,
)  # fmt: skip


def create_app(settings: Settings, *, serving: bool = False) -> Flask:
    """The gateway as a WSGI app. serving: in a worker with an event loop, with its writer and its rounds."""
    config.use(settings)
    if serving:
        journal.open(settings.log)
    base.connect(settings.database_url, serving=serving)
    channels.open(Vault(installation_secret(settings.secret, settings.data)))
    pool.open(settings)
    store.open(settings)
    bulletin.open(settings)
    try:
        with base.session():
            change.poll()
    except base.DatabaseError:
        if not serving:  # a worker that starts while the database is away answers 503 until it is back
            raise
    app = Flask("gateway", static_folder=None)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    _door.install(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    if serving:
        writer.start(settings.durability)
        rounds.start(_rounds())
    return app


def _rounds() -> tuple[rounds.Round, ...]:
    """All periodic work, by name and period, once in each worker."""
    sweeper = sweep.Sweeper()
    checkpointer = checkpoint.Checkpointer()

    def poll() -> None:
        with base.session():
            change.poll()

    return (
        rounds.Round("change poll", 0.3, poll),
        rounds.Round("load", LOOK_S, load.look),
        rounds.Round("health", bulletin.POLL_S, bulletin.tick),
        rounds.Round("beat and sweep", sweep.BEAT_S, sweeper.tick),
        rounds.Round("forget outcomes", 60, idempotency.forget),
        rounds.Round("discovery", 5, discovery.tick),
        rounds.Round("remove media", 60, store.tick),
        rounds.Round("checkpoint", 0.5, lambda: checkpointer.due() and checkpointer.tick(), in_thread=True),
    )
