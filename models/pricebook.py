"""The book of models and prices that the operator took, if any: its lines, compressed. One row."""

from .base import BlobField, CharField, IntegerField, Row, rows
from .change import touch


class Pricebook(Row):
    id = IntegerField(primary_key=True)
    version = CharField()
    body = BlobField()


def put(version: str, body: bytes) -> None:
    Pricebook.insert(id=1, version=version, body=body).on_conflict(
        conflict_target=[Pricebook.id], update={Pricebook.version: version, Pricebook.body: body}
    ).execute()
    touch()


def remove() -> None:
    """Go back to the book that comes with the gateway."""
    Pricebook.delete().execute()
    touch()


def version() -> str | None:
    """The version of the book that was taken; None for the built-in one."""
    found = rows("SELECT version FROM pricebook WHERE id = 1")
    return str(found[0][0]) if found else None


def body() -> bytes:
    """The lines of the book that was taken, compressed."""
    return bytes(Pricebook.get_by_id(1).body)
