"""The wiring: `create_app(settings)` connects the database, opens the rooms and hangs in the blueprints."""

from __future__ import annotations

from functools import cache

from gateway import book, config, counts, journal, rounds, store
from gateway.access import idempotency
from gateway.api import (
    _door,
    account,
    audio,
    batches,
    chat,
    completions,
    embeddings,
    files,
    gemini,
    health,
    images,
    messages,
    metrics,
    moderations,
    openapi,
    rerank,
    responses,
    tasks,
    videos,
)
from gateway.api import models as model_list
from gateway.api._app import App
from gateway.billing import sweep
from gateway.config import Settings
from gateway.providers import pool
from gateway.relay.load import LOOK_S, PULSE_S, Pulse, load
from gateway.routing import bulletin, channels, discovery
from gateway.tasks import runner, seals
from gateway.vault import Vault, installation_secret
from models import base, change, checkpoint, writer

BLUEPRINTS = (
    account.blueprint, audio.blueprint, batches.blueprint, chat.blueprint, completions.blueprint, embeddings.blueprint,
    files.blueprint, gemini.blueprint, health.blueprint, images.blueprint, messages.blueprint, metrics.blueprint,
    model_list.blueprint, moderations.blueprint, openapi.blueprint, rerank.blueprint, responses.blueprint,
    tasks.blueprint, videos.blueprint,
)  # fmt: skip


def create_app(settings: Settings, *, serving: bool = False) -> App:
    """The gateway as a WSGI app. serving: in a worker with an event loop, with its writer and its rounds."""
    config.use(settings)
    if serving:
        journal.open(settings.log)
    base.connect(settings.database_url, serving=serving)
    vault = Vault(installation_secret(settings.secret, settings.data))
    channels.open(vault)
    seals.open(vault)
    pool.open(settings)
    store.open(settings)
    store.files.open(vault)
    bulletin.open(settings)
    try:
        with base.session():
            change.poll()
    except base.DatabaseError:
        if not serving:  # a worker that starts while the database is away answers 503 until it is back
            raise
    if serving:
        writer.start(settings.durability, _written)
        rounds.start(_rounds())
    return wired()


@cache
def wired() -> App:
    """The app with all its paths: the same whatever the settings are."""
    app = App("gateway")
    _door.install(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    return app


def prepare() -> None:
    """Make what is the same for all workers, so that those which are forked now have it: a new one then takes less time
    from the calls that run beside it."""
    wired()
    book.built_in()


def _written(writes: int, seconds: float) -> None:
    """Count what the writer tells of a group."""
    if writes:
        counts.WRITES.observe((), writes)
        counts.WRITE_S.observe((), seconds)
    else:
        counts.WRITES_FAILED.add(())


def _rounds() -> tuple[rounds.Round, ...]:
    """All periodic work, by name and period, once in each worker."""
    sweeper = sweep.Sweeper()
    checkpointer = checkpoint.Checkpointer()
    tasks_runner = runner.Runner(config.current().data)

    def poll() -> None:
        with base.session():
            change.poll()

    return (
        rounds.Round("change poll", 0.3, poll),
        rounds.Round("load", LOOK_S, load.look),
        rounds.Round("pulse", PULSE_S, Pulse().beat),
        rounds.Round("health", bulletin.POLL_S, bulletin.tick),
        rounds.Round("beat and sweep", sweep.BEAT_S, sweeper.tick),
        rounds.Round("forget outcomes", 60, idempotency.forget),
        rounds.Round("tasks", runner.TICK_S, tasks_runner.tick),
        rounds.Round("discovery", 5, discovery.tick),
        rounds.Round("remove media", 60, store.tick),
        rounds.Round("checkpoint", 0.5, lambda: checkpointer.due() and checkpointer.tick(), in_thread=True),
    )
