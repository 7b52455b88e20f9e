"""gunicorn's settings, read by `python -m gateway serve` and by a bare `gunicorn wsgi:app`.

The master imports the gateway, and its workers are forked off it: a worker starts sooner, in memory that
is shared. What a module makes when it is imported must therefore be the same for all of them.
"""

import gc
import logging
import os
import sys

from gevent import monkey

monkey.patch_all(os=False, signal=False)  # before the gateway is there; forks and signals of the master stay gunicorn's

from gateway import counts, journal
from gateway.commands.serving import prepared
from gateway.config import CONNECTIONS, load, use  # gunicorn has a setting `config`
from gateway.server import Log, Worker, forked

settings = load()
use(settings)
journal.open(settings.log)


def on_starting(server):
    """Before the port opens: bring the database up to date, and on the first start print a key."""
    import app

    app.prepare()
    gc.collect()
    gc.freeze()  # pages that no collection writes to stay shared
    if not forked(lambda: prepared(settings)):
        sys.exit(1)
    counts.share()


def on_reload(server):
    """Before new workers start: the same, for what has changed since."""
    if not forked(lambda: prepared(settings)):
        raise RuntimeError("the database could not be brought up to date")


def when_ready(server):
    logging.getLogger("gateway.server").info("serving on %s with %s workers", settings.public_url, settings.workers)


def pre_fork(server, worker):
    worker.seat = counts.free_seat(other.seat for other in server.WORKERS.values())


def post_fork(server, worker):
    counts.sit(worker.seat)


def child_exit(server, worker):
    counts.leave(worker.seat)


def worker_exit(server, worker):
    """Write what is still in the writer's hands."""
    from models import writer

    writer.stop()


wsgi_app = "wsgi:app"
bind = f"[{settings.host}]:{settings.port}" if ":" in settings.host else f"{settings.host}:{settings.port}"
workers = settings.workers
worker_class = Worker
logger_class = Log
worker_connections = CONNECTIONS
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108  # heart-beat files in memory
timeout = 60
graceful_timeout = 120
keepalive = 75
control_socket_disable = True
forwarded_allow_ips = ""  # no header of whoever calls says what path or scheme was meant, not even a local proxy's
forwarder_headers = ""
secure_scheme_headers: dict[str, str] = {}
accesslog = None
loglevel = "warning"
