"""Workers: which processes are alive, told by a number that each raises every few seconds."""

from .base import BigIntegerField, CharField, Row, rows, run


class Worker(Row):
    id = CharField(primary_key=True)
    beat = BigIntegerField()
    at = BigIntegerField()


def beat(worker_id: str, number: int, at: int) -> None:
    run(
        "INSERT INTO worker (id, beat, at) VALUES (?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET beat = excluded.beat, at = excluded.at",
        worker_id,
        number,
        at,
    )


def beats() -> dict[str, int]:
    """Worker → its number as last raised."""
    return dict(rows("SELECT id, beat FROM worker"))


def forget(worker_id: str) -> None:
    run("DELETE FROM worker WHERE id = ?", worker_id)
