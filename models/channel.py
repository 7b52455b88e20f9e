"""Channels: configured accounts at providers. Installation-wide; secrets are sealed by the gateway's vault."""

from typing import Any

from .base import BigIntegerField, BlobField, BooleanField, CharField, IntegerField, Row, TextField
from .change import touch


class Channel(Row):
    id = CharField(primary_key=True)
    name = CharField(unique=True)
    provider = CharField()
    namespace = CharField()
    base_url = TextField(null=True)
    secret = BlobField(null=True)
    secret_env = CharField(null=True)
    models = TextField()
    dialects = TextField(null=True)
    priority = IntegerField(default=0)
    weight = IntegerField(default=1)
    free = BooleanField(default=False)
    enabled = BooleanField(default=True)
    source = CharField()
    created_at = BigIntegerField()


def create(**fields: Any) -> None:
    Channel.create(**fields)
    touch()


def change(channel_id: str, **fields: Any) -> None:
    Channel.update(**fields).where(Channel.id == channel_id).execute()
    touch()


def remove(channel_id: str) -> None:
    Channel.delete().where(Channel.id == channel_id).execute()
    touch()


def find(name_or_id: str) -> Channel | None:
    return Channel.get_or_none(Channel.name == name_or_id) or Channel.get_or_none(Channel.id == name_or_id)


def everyone() -> list[Channel]:
    return list(Channel.select().order_by(Channel.priority, Channel.created_at, Channel.name))
