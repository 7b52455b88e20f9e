"""Weighs a request in one walk, and finds what it names: objects made upstream, addresses to fetch.

What all dialects share; each dialect's `request.py` knows its own members.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from ..call import Reference, Weight

UPSTREAM = {
    "file_id": "file", "file_ids": "file", "vector_store_ids": "vector store", "container": "container",
    "container_id": "container", "conversation": "conversation", "previous_response_id": "response",
    "cachedContent": "cached content", "cached_content": "cached content", "batch_id": "batch",
    "skill_id": "skill",
}  # fmt: skip
"""Members, wherever in a body, that name objects made upstream, and what they are (Law 8)."""

_ADDRESSES = frozenset({
    "image_url", "video_url", "audio_url", "file_url", "document_url", "server_url", "fileUri", "file_uri",
})  # fmt: skip
"""Members that name what somebody will fetch, wherever they stand in what is no plain text."""

_NOTES = frozenset({"metadata", "user"})
"""Members that say something about a call, and nobody looks up or fetches what stands there."""

_TYPE = re.compile(r"(?i:data:)([^;,]*)")
_ADDRESS = re.compile(r"\s*(https?://\S*)", re.IGNORECASE)
_DATA = re.compile(r"(?i:data:)|[A-Za-z0-9+/]{64,}={0,2}\Z")


def size(value: Any) -> int:
    """UTF-8 bytes of all text in a value, names of members included. What is inside of an object or array is written
    as JSON on its way to the model: there a literal counts by its length, and each place by its marks."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, dict):
        return sum(size(name) + _inner(inner) + 2 for name, inner in value.items())
    if isinstance(value, list):
        return sum(_inner(inner) + 2 for inner in value)
    return 0 if value is None else len(str(value))


def _inner(value: Any) -> int:
    if isinstance(value, str | dict | list):
        return size(value)
    return len(str(value))


def decoded(data: Any) -> int:
    """Bytes behind base64 text or a data URL, from above."""
    if not isinstance(data, str):
        return 0
    plain = data[:5].lower() == "data:" and ";base64" not in data[:256].partition(",")[0].lower()
    return len(data) if plain else len(data) * 3 // 4


class Scale:
    """The sums of one request. See `call.Weight`; references and urls as `call.Ask` has them."""

    def __init__(self) -> None:
        self.text = self.messages = self.tools = self.images = self.small_images = 0
        self.audio_bytes = self.file_bytes = 0
        self.unseen = False
        self.references: list[Reference] = []
        self.urls: list[tuple[str, str]] = []
        self._noted: set[str] = set()

    def weight(self) -> Weight:
        return Weight(
            text=self.text, messages=self.messages, tools=self.tools, images=self.images,
            small_images=self.small_images, audio_bytes=self.audio_bytes, file_bytes=self.file_bytes,
            unseen=self.unseen,
        )  # fmt: skip

    def fetched(self, url: Any, where: str) -> None:
        """Note an address that somebody will fetch, once; a data URL is none, nor is bare base64 (Perplexity)."""
        if isinstance(url, str) and url not in self._noted and not _DATA.match(url):
            self._noted.add(url)
            self.urls.append((url, where))

    def picture(self, image: Any, where: str, *, small: bool = False) -> None:
        """Note an image by its address or data URL. What says that it is something else weighs as that: some providers
        read a document or sound there too."""
        self.images += 1
        self.small_images += small
        self.fetched(image, where)
        kind = _TYPE.match(image) if isinstance(image, str) else None
        if kind is not None:
            self.posing(kind[1], image)

    def posing(self, media_type: Any, data: Any) -> None:
        """Note what stands where an image belongs, by the type that it claims."""
        family = media_type.strip().lower().partition("/")[0] if isinstance(media_type, str) else ""
        if family == "audio":
            self.audio_bytes += decoded(data)
        elif family not in ("", "image"):
            self.file_bytes += decoded(data)

    def search(self, value: Any, where: str, *, loose: bool = False) -> None:
        """Find names of upstream objects and addresses, at any depth. where: "" for a whole body · loose: nobody here
        knows these members, so what begins like an address is one, whatever it is called but `text`."""
        if isinstance(value, dict):
            under = f"{where}." if where else ""
            if value.get("type") == "url" or where.rpartition(".")[2] in _ADDRESSES:
                self.fetched(value.get("url"), f"{under}url")
            for name, inner in value.items():
                member = name.rpartition("[")[2].rstrip("]")  # a form may write mask[file_id]
                if member in _ADDRESSES:
                    self.fetched(inner, f"{under}{name}")
                if member in UPSTREAM:
                    self.refer(UPSTREAM[member], inner, f"{under}{name}")
                if member not in UPSTREAM or not isinstance(inner, str):  # a container names files of its own
                    self.search(inner, f"{under}{name}", loose=loose)
        elif isinstance(value, list):
            for place, inner in enumerate(value):
                self.search(inner, f"{where}[{place}]", loose=loose)
        elif loose and isinstance(value, str) and where.rpartition(".")[2] != "text":
            found = _ADDRESS.match(value)
            if found is not None:
                self.fetched(found[1], where)

    def top(self, values: Mapping[str, Any], known: Collection[str], *, loose: bool = False) -> None:
        """Find names of upstream objects among the top-level members, and all that `search` finds in those that nobody
        here knows. known: members that are weighed, or that name nothing."""
        for name, kind in UPSTREAM.items():
            if name in values:
                self.refer(kind, values[name], name)
        for name, value in values.items():
            if name not in known and name not in UPSTREAM and name not in _NOTES:
                self.search({name: value}, "", loose=loose)

    def refer(self, kind: str, value: Any, param: str) -> None:
        """Note what names an upstream object: an id, an object with one, or a list of either."""
        for identity in value if isinstance(value, list) else [value]:
            if isinstance(identity, dict):
                identity = identity.get("id")
            if isinstance(identity, str):
                self.unseen = True
                self.references.append(Reference(kind=kind, id=identity, param=param))
