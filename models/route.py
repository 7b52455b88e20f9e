"""Routes: a public model name → ordered legs, each a channel's id and the name that its provider uses."""

import json

from .base import CharField, Row, TextField
from .change import touch


class Route(Row):
    model = CharField(primary_key=True)
    legs = TextField()


def put(model: str, legs: list[tuple[str, str]]) -> None:
    text = json.dumps(legs)
    Route.insert(model=model, legs=text).on_conflict(conflict_target=[Route.model], update={Route.legs: text}).execute()
    touch()


def remove(model: str) -> bool:
    gone = Route.delete().where(Route.model == model).execute() == 1
    touch()
    return bool(gone)


def everyone() -> dict[str, list[tuple[str, str]]]:
    """All routes: model → (channel id, upstream model), in order."""
    return {
        route.model: [(channel, model) for channel, model in json.loads(route.legs)]
        for route in Route.select().order_by(Route.model)
    }
