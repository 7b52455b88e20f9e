"""gunicorn: gevent workers that stop politely. Read by `python -m gateway serve` and by a bare `gunicorn wsgi:app`."""

import os

import gevent
from gunicorn.workers.ggevent import GeventWorker

from gateway.config import CONNECTIONS, load

settings = load()


class Worker(GeventWorker):
    """A gevent worker that closes idle connections when it stops, instead of waiting for their clients."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._idle = {}

    def run(self):
        gevent.spawn(self._close_idle_when_stopping)
        super().run()

    def handle(self, listener, client, addr):
        handle = client.fileno()
        self._idle[handle] = client
        try:
            super().handle(listener, client, addr)
        finally:
            self._idle.pop(handle, None)

    def handle_request(self, listener_name, req, sock, addr):
        handle = sock.fileno()
        self._idle.pop(handle, None)
        try:
            return super().handle_request(listener_name, req, sock, addr)
        finally:
            self._idle[handle] = sock

    def _close_idle_when_stopping(self):
        while self.alive:
            gevent.sleep(0.1)
        while True:
            for sock in list(self._idle.values()):
                try:
                    sock.shutdown(2)
                except OSError:
                    pass
            gevent.sleep(0.2)


def worker_exit(server, worker):
    """Write what is still in the writer's hands."""
    from models import writer

    writer.stop()


wsgi_app = "wsgi:app"
bind = f"{settings.host}:{settings.port}"
workers = settings.workers
worker_class = Worker
worker_connections = CONNECTIONS
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108  # heart-beat files in memory
timeout = 60
graceful_timeout = 120
keepalive = 75
control_socket_disable = True
accesslog = None
loglevel = "warning"
