"""The WSGI entry point: `gunicorn wsgi:app`, with gevent's patch before everything else."""

import gc

from gevent import monkey

monkey.patch_all(os=False, signal=False)

from app import create_app
from gateway import config

app = create_app(config.current(), serving=True)  # the master's: what is in a file by now may be half written, or wrong

gc.collect()
gc.freeze()  # what is here stays, and need not be looked through again and again
gc.set_threshold(10_000, 20, 50)
