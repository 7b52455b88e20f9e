"""Flask without what a gateway does not use: sessions, signals, teardowns, async views, hosts of several names.

Its `Response` leaves as it was made: werkzeug's own would be copied and looked through on its way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any

from flask import Flask
from flask.ctx import RequestContext
from flask.sessions import NullSession, SessionInterface
from werkzeug.routing import MapAdapter, Rule

_LINES = {status.value: f"{status.value} {status.phrase.upper()}" for status in HTTPStatus}


class Response:
    """What a view gives back. body: all of it, or pieces, which are closed when the caller leaves · headers: beside
    those of type and length."""

    def __init__(
        self,
        body: bytes | Iterator[bytes] = b"",
        status: int = 200,
        content_type: str = "application/json",
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.body, self.status_code = body, status
        self.headers = [("Content-Type", content_type), *headers]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """As a WSGI app (PEP 3333)."""
        body, status = self.body, self.status_code
        sized = [("Content-Length", str(len(body)))] if isinstance(body, bytes) else []
        start_response(_LINES.get(status) or f"{status} ERROR", [*sized, *self.headers])
        return (body,) if isinstance(body, bytes) else body


class _NoSessions(SessionInterface):
    _none = NullSession()

    def open_session(self, app: Flask, request: Any) -> NullSession:
        return self._none


class _Context(RequestContext):
    def match_request(self) -> None:
        """As Flask's; where nothing of a path is an argument, its rule is found once."""
        app, request = self.app, self.request
        assert isinstance(app, App)
        key = request.method, request.path
        rule = app.matched.get(key)
        if rule is not None:
            request.url_rule, request.view_args = rule, {}
            return
        super().match_request()
        found = request.url_rule
        if found is not None and not found.arguments:
            app.matched[key] = found


class App(Flask):
    """The gateway's Flask: hooks of the app alone are called, those of blueprints are not."""

    session_interface = _NoSessions()

    def __init__(self, name: str) -> None:
        super().__init__(name, static_folder=None)
        self.url_map.strict_slashes = False
        self.url_map.merge_slashes = False
        self.matched: dict[tuple[str, str], Rule] = {}

    def ensure_sync(self, func: Any) -> Any:
        return func

    def request_context(self, environ: dict[str, Any]) -> RequestContext:
        return _Context(self, environ)

    def create_url_adapter(self, request: Any) -> MapAdapter | None:
        if request is None:
            return super().create_url_adapter(None)
        return MapAdapter(
            self.url_map, "localhost", "/", "", "http", request.path, request.method, request.query_string
        )

    def full_dispatch_request(self) -> Any:
        try:
            found = self.preprocess_request()
            if found is None:
                found = self.dispatch_request()
        except Exception as error:
            found = self.handle_user_exception(error)
        return self.finalize_request(found)

    def finalize_request(self, rv: Any, from_error_handler: bool = False) -> Any:
        return self.process_response(rv if isinstance(rv, Response) else self.make_response(rv))

    def preprocess_request(self) -> Any:
        for hook in self.before_request_funcs.get(None, ()):
            found = hook()
            if found is not None:
                return found
        return None

    def process_response(self, response: Any) -> Any:
        for hook in self.after_request_funcs.get(None, ()):
            response = hook(response)
        return response

    def do_teardown_request(self, exc: BaseException | None = None) -> None:
        pass

    def do_teardown_appcontext(self, exc: BaseException | None = None) -> None:
        pass
