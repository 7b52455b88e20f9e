"""The least that Flask on gunicorn's gevent workers can be: every call is read and answered with the same bytes.

Run as `gunicorn -k gevent bench.constant:app`; no gateway on these parts can use less than this.
"""

from __future__ import annotations

from flask import Flask, Response, request

ANSWER = (
    b'{"id":"chatcmpl-bench","object":"chat.completion","created":1750000000,"model":"bench","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"Red, blue and yellow."},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":24,"completion_tokens":16,"total_tokens":40}}'
)

app = Flask(__name__, static_folder=None)


@app.post("/v1/chat/completions")
def chat() -> Response:
    request.get_data()
    return Response(ANSWER, mimetype="application/json")
