"""The book of models and prices that the operator took, if any: its lines, compressed. One row."""

from .base import BlobField, CharField, IntegerField, Row, rows
from .change import touch


class Pricebook(Row):
    id = IntegerField(primary_key=True)
    digest = CharField()
    body = BlobField()


def put(digest: str, body: bytes) -> None:
    Pricebook.insert(id=1, digest=digest, body=body).on_conflict(
        conflict_target=[Pricebook.id], update={Pricebook.digest: digest, Pricebook.body: body}
    ).execute()
    touch()


def remove() -> None:
    """Go back to the book that comes with the gateway."""
    Pricebook.delete().execute()
    touch()


def digest() -> str | None:
    """Which book was taken; None for the built-in one."""
    found = rows("SELECT digest FROM pricebook WHERE id = 1")
    return str(found[0][0]) if found else None


def body() -> bytes:
    """The lines of the book that was taken, compressed."""
    return bytes(Pricebook.get_by_id(1).body)
