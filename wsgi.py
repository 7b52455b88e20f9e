"""The WSGI entry point: `gunicorn wsgi:app`, with gevent's patch before everything else."""

from gevent import monkey

monkey.patch_all()

from app import create_app
from gateway import config

app = create_app(config.load(), serving=True)
