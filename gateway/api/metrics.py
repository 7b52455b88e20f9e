"""`/metrics`: what the workers of this machine have counted, in Prometheus' text format.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from flask import Blueprint, Response

from models import ledger
from models.base import DatabaseError, session

from .. import __version__, counts
from ..money import NANOS
from ..routing import bulletin, channels

blueprint = Blueprint("metrics", __name__)
_log = logging.getLogger("gateway.metrics")


@blueprint.get("/metrics")
def show() -> Response:
    """Counters of all workers, for Prometheus.

    Asked from the gateway's own machine, and not through a proxy, it needs no key; else one of the account `operator`.
    """
    from prometheus_client import CollectorRegistry, exposition  # not imported before somebody asks

    registry = CollectorRegistry()
    registry.register(_Counted())
    return Response(exposition.generate_latest(registry), content_type=exposition.CONTENT_TYPE_PLAIN_0_0_4)


class _Counted:
    """A collector as prometheus_client asks it."""

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        reading = counts.read()
        for family in counts.FAMILIES.values():
            name, series = f"gateway_{family.name}", reading.series[family.name]
            if isinstance(family, counts.Histogram):
                histogram = HistogramMetricFamily(name, family.help, labels=family.labels)
                bounds = [*map(str, map(float, family.bounds)), "+Inf"]
                for labels, (*cells, total) in series.items():
                    buckets = list(zip(bounds, accumulate(cells), strict=True))
                    histogram.add_metric(labels, buckets, total * family.unit)
                yield histogram
            else:
                counter = CounterMetricFamily(name, family.help, labels=family.labels)
                for labels, (count,) in series.items():
                    counter.add_metric(labels, count * family.unit if family.unit != 1 else count)
                yield counter
        yield _gauge("workers", "Workers that live.", reading.workers)
        yield _gauge("calls_in_hand", "Requests that the workers answer now.", reading.in_hand)
        yield _gauge("calls_at_most", "How many they take before they refuse more.", reading.at_most)
        yield _gauge("info", "The gateway's version.", 1, version=__version__)
        yield _resting()
        yield from _database()


def _gauge(name: str, help: str, value: float, **labels: str) -> Any:
    from prometheus_client.core import GaugeMetricFamily

    gauge = GaugeMetricFamily(f"gateway_{name}", help, labels=tuple(labels))
    gauge.add_metric(tuple(labels.values()), value)
    return gauge


def _resting() -> Any:
    from prometheus_client.core import GaugeMetricFamily

    names = {channel.id: channel.name for channel in channels.current().by_id.values()}
    gauge = GaugeMetricFamily(
        "gateway_resting", "Models of a channel that rest now, after failures.", labels=("channel", "cause")
    )
    for (channel, cause), count in bulletin.resting().items():
        if channel in names:
            gauge.add_metric((names[channel], cause), count)
    return gauge


def _database() -> Iterator[Any]:
    """What only the database knows. It may be away, and all else is told then, too."""
    try:
        with session():
            holds, nanos = ledger.open_holds()
    except (DatabaseError, OSError) as error:
        _log.warning("the database does not tell of holds: %s", type(error).__name__)
        yield _gauge("database_up", "Whether the database answers.", 0)
        return
    yield _gauge("database_up", "Whether the database answers.", 1)
    yield _gauge("holds", "Calls that credit is held for, of all machines on this database.", holds)
    yield _gauge("held_usd", "What is held for them, in dollars.", nanos / NANOS)
