"""Files that callers keep here, sent along with the calls that name them: whichever provider answers has them in its
body, and no provider need keep them.

The call is weighed anew with what was put in, so it is held for and charged like one that had the bytes from its
beginning. Ids that are not of files kept here are left for `routing.pins`.
"""

from __future__ import annotations

import base64
import json
import mimetypes
from dataclasses import replace

from .. import store
from ..call import Call
from ..dialects.inlined import WAYS, Held, inlined
from ..errors import GatewayError
from ..modalities import words
from ..splice import BadJson, Scan, edit, guard
from ..store import files
from .media import MOST_FILE, MOST_FILES, guessed


def bring(call: Call) -> None:
    """Put the content of the files that a call names, and that its account keeps here, into its body. Raises
    GatewayError 400, 413, 503, which names the field."""
    named = {one.id: one.param for one in call.ask.references if one.kind == "file"}
    found = [file for identity in named if (file := files.find(call.caller.account_id, identity)) is not None]
    if not found:
        return
    total = 0
    for file in found:
        total += file.bytes
        if file.bytes > MOST_FILE or total > MOST_FILES:
            raise GatewayError(
                413,
                f"{named[file.id]} names a file of {file.bytes} bytes. A call can carry files of {MOST_FILE} bytes, and"
                f" {MOST_FILES} in all. Send less.",
                param=named[file.id],
            )
    if call.dialect not in WAYS:
        raise _nowhere(named[found[0].id])
    changes = inlined(call.dialect, call.body.values, {file.id: _held(file) for file in found})
    written = {name: json.dumps(value, ensure_ascii=False, separators=(",", ":")) for name, value in changes.items()}
    try:
        if call.body.text:
            call.body = guard(edit(call.body, dict(written)))
        else:  # a form has values only
            call.body = Scan("", {**call.body.values, **changes}, [])
    except BadJson as problem:
        raise GatewayError(413, f"The request is too large with its files: {problem}. Send less.") from None
    told = {"model": call.ask.model, "stream": call.ask.stream}  # some say that in the path
    ask = words.NAMED[call.dialect].ask({**told, **call.body.values})
    others = (one for one in call.ask.references if one.kind != "file")  # the path may name some
    references = tuple(dict.fromkeys((*ask.references, *others)))
    call.ask = replace(
        ask, model=call.ask.model, stream=call.ask.stream, fallbacks=call.ask.fallbacks, references=references
    )
    kept = {file.id for file in found}
    left = next((one for one in call.ask.references if one.kind == "file" and one.id in kept), None)
    if left is not None:
        raise _nowhere(left.param)


def _nowhere(param: str) -> GatewayError:
    return GatewayError(
        400, f"{param} names a file that the gateway keeps, which cannot be used there. Put it into a message.",
        param=param,
    )  # fmt: skip


def _held(file: files.Found) -> Held:
    """A file's bytes. Raises GatewayError 503."""
    stored = next(iter(store.of(file.account_id, file.id)), None)
    try:
        if stored is None or stored.removed_at is not None:
            raise store.Lost
        data = b"".join(store.read(stored))
    except store.Lost:
        raise GatewayError(503, "The media store does not answer now. Retry in a while.", retry_after=5) from None
    name = files.name(file)
    told = stored.media_type
    if told == "application/octet-stream":
        told = guessed(data) or mimetypes.guess_type(name)[0] or told
    return Held(name, told, base64.b64encode(data).decode())
