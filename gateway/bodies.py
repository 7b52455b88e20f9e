"""Bodies that are no JSON: what is too long to be held in memory, and forms of fields and files.

`FormReader` takes a form apart as it comes (RFC 7578, RFC 2046 §5.1); what a file's bytes are put into is for others to
say. `Form` is one on its way out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol


class Pieces(Protocol):
    """A body that is too long to be held: given piece by piece, and again from its beginning as often as it is asked
    for."""

    def __len__(self) -> int:
        """Bytes in all."""
        ...

    def __iter__(self) -> Iterator[bytes]: ...


Body = bytes | Pieces


class Kept(Pieces, Protocol):
    """A long body that can be read in places, too."""

    def read(self, start: int, most: int) -> bytes:
        """Up to so many bytes from a place."""
        ...


def cut(content: bytes | Kept, start: int, most: int) -> bytes:
    """Up to so many bytes of a file from a place."""
    return content[start : start + most] if isinstance(content, bytes) else content.read(start, most)


def pieces(body: Body) -> Iterator[bytes]:
    """The bytes of a body, one piece at least where it has any."""
    return iter((body,) if isinstance(body, bytes) else body)


def joined(body: Body) -> bytes:
    """The bytes of a body that is not too long to be held."""
    return b"".join(pieces(body))


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in a form. filename: as it was sent, for the provider alone: no path, and kept nowhere · media_type: as it
    was told, "" where it was not."""

    filename: str = field(repr=False)
    media_type: str
    content: bytes | Kept = field(repr=False)


class Sink(Protocol):
    """Where the bytes of a file go as they come."""

    def write(self, data: bytes) -> None: ...

    def body(self) -> bytes | Kept:
        """What was written."""
        ...


class BadForm(ValueError):
    """The bytes are no form that can be read; the text says why."""


MOST_PARTS = 512
MOST_HEAD = 16_384
"""Bytes of the head of one part."""

MOST_TEXT = 4 << 20
"""Bytes of all fields that are no files."""

_BOUNDARY = re.compile(
    r"""multipart/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s";,]{1,70})(?![^\s;,]))""", re.I
)
_PARAMETER = re.compile(r';\s*+([A-Za-z*]++)\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"|([^\s";]++))')
_ESCAPED = re.compile(r'\\(["\\])')
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}")
_PLAIN = frozenset({"", "7bit", "8bit", "binary"})


def boundary(content_type: str) -> str | None:
    """What stands between the parts of a form, None where the type is none."""
    found = _BOUNDARY.match(content_type)
    return (found[1] or found[2]) if found else None


class FormReader:
    """Takes a form apart.

    parts: (name, text or Upload) of all that are whole, in their order · fingerprint: tells the form from any other,
    whatever its boundary.
    """

    def __init__(self, boundary: str, sink: Callable[[], Sink]) -> None:
        self.parts: list[tuple[str, str | Upload]] = []
        self.fingerprint = hashlib.sha256()
        self._mark = b"\r\n--" + boundary.encode("latin-1")
        self._sink = sink
        self._rest = bytearray(b"\r\n")  # the first mark may be the first line
        self._state = self._preamble
        self._left = MOST_TEXT
        self._name = self._filename = self._type = ""
        self._text: bytearray | None = None
        self._file: Sink | None = None
        self._hash = hashlib.sha256()
        self.done = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises BadForm and what a sink raises."""
        self._rest += data
        while not self.done and self._state():
            pass
        if self.done:
            self._rest.clear()  # an epilogue means nothing

    def end(self) -> None:
        """The body has ended. Raises BadForm."""
        if not self.done:
            raise BadForm("it ends before its last boundary")

    # each takes what it can, and says whether more can be taken

    def _preamble(self) -> bool:
        at = self._rest.find(self._mark)
        if at < 0:
            if len(self._rest) > MOST_HEAD:
                raise BadForm("its boundary does not come")
            return False
        del self._rest[: at + len(self._mark)]
        self._state = self._line
        return True

    def _line(self) -> bool:
        """The rest of the line of a mark."""
        if self._rest.startswith(b"--"):
            self.done = True
            return False
        at = self._rest.find(b"\r\n")
        if at < 0:
            if len(self._rest) > 200:
                raise BadForm("a line with its boundary does not end")
            return False
        if self._rest[:at].strip(b" \t"):
            raise BadForm("a line with its boundary has more in it")
        del self._rest[:at]  # the line break stays: the head may be empty
        self._state = self._head
        return True

    def _head(self) -> bool:
        at = self._rest.find(b"\r\n\r\n")
        if at < 0 or at > MOST_HEAD:
            if len(self._rest) > MOST_HEAD:
                raise BadForm("the head of a part is too long")
            return False
        if len(self.parts) >= MOST_PARTS:
            raise BadForm(f"it has more than {MOST_PARTS} parts")
        self._begin(bytes(self._rest[:at]))
        del self._rest[: at + 4]
        self._state = self._content
        return True

    def _begin(self, head: bytes) -> None:
        try:
            lines = head.decode().split("\r\n")
        except UnicodeDecodeError:
            raise BadForm("the head of a part is not UTF-8") from None
        named = {name.strip().lower(): value for name, _, value in (line.partition(":") for line in lines)}
        if named.get("content-transfer-encoding", "").strip().lower() not in _PLAIN:
            raise BadForm("a part is encoded; send it as it is")
        said = {
            name.lower(): _ESCAPED.sub(r"\1", quoted) if quoted else bare
            for name, quoted, bare in _PARAMETER.findall(named.get("content-disposition", ""))
        }
        if not said.get("name"):
            raise BadForm("a part has no name")
        self._name = said["name"]
        told = named.get("content-type", "").partition(";")[0].strip()
        self._type = told.lower() if _TYPE.fullmatch(told) else ""
        self._hash = hashlib.sha256()
        if "filename" in said or "filename*" in said:
            self._filename = said.get("filename", "")
            self._file, self._text = self._sink(), None
        else:
            self._filename, self._file, self._text = "", None, bytearray()

    def _content(self) -> bool:
        at = self._rest.find(self._mark)
        upto = at if at >= 0 else len(self._rest) - len(self._mark) + 1
        if upto > 0:
            self._take(bytes(self._rest[:upto]))
            del self._rest[:upto]
        if at < 0:
            return False
        del self._rest[: len(self._mark)]
        self._finish()
        self._state = self._line
        return True

    def _take(self, data: bytes) -> None:
        self._hash.update(data)
        if self._file is not None:
            self._file.write(data)
            return
        assert self._text is not None
        self._left -= len(data)
        if self._left < 0:
            raise BadForm(f"its fields that are no files have more than {MOST_TEXT} bytes")
        self._text += data

    def _finish(self) -> None:
        made = self._made()
        if made is None:
            return
        about = (self._name, self._filename, self._type, self._hash.hexdigest())
        self.fingerprint.update(repr(about).encode("utf-8", "surrogatepass"))
        self.parts.append((self._name, made))

    def _made(self) -> str | Upload | None:
        if self._text is not None:
            try:
                return self._text.decode()
            except UnicodeDecodeError:
                raise BadForm("a field is not UTF-8") from None
        assert self._file is not None
        content = self._file.body()
        if not self._filename and not len(content):  # what a browser sends where no file was chosen
            return None
        return Upload(self._filename, self._type, content)


class Form:
    """A form on its way out: a body in pieces. parts: (name, text or Upload), in order · boundary: must be in none
    of them, so nobody may guess it."""

    def __init__(self, parts: Sequence[tuple[str, str | Upload]], boundary: str) -> None:
        self.parts = tuple(parts)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._mark = boundary.encode()

    def _heads(self) -> Iterator[tuple[bytes, Body]]:
        for name, value in self.parts:
            head = f'Content-Disposition: form-data; name="{_quoted(name)}"'
            if isinstance(value, Upload):
                head += f'; filename="{_quoted(value.filename or "file")}"'
                head += f"\r\nContent-Type: {value.media_type or 'application/octet-stream'}"
            content = value.content if isinstance(value, Upload) else value.encode("utf-8", "surrogatepass")
            yield b"--" + self._mark + b"\r\n" + head.encode("utf-8", "replace") + b"\r\n\r\n", content

    def __len__(self) -> int:
        return sum(len(head) + len(content) + 2 for head, content in self._heads()) + len(self._mark) + 6

    def __iter__(self) -> Iterator[bytes]:
        for head, content in self._heads():
            yield head
            yield from pieces(content)
            yield b"\r\n"
        yield b"--" + self._mark + b"--\r\n"


def _quoted(text: str) -> str:
    """A name as browsers put it into a header (https://html.spec.whatwg.org/#multipart-form-data); but a backslash,
    which they leave alone, is one that hides no quotation mark from who reads quoted strings (RFC 9110, 5.6.4)."""
    return text.replace("\\", "\\\\").replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
