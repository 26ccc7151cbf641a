"""`/metrics`: the readings of a server's parts and of its database, in the format that the scraper asks for."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import version
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from ingest.metrics import BUILD_INFO, METRICS, Histogram, Metric, Reading
from ingest.web.figures import DatabaseFigures

OwnReadings = Callable[[], Iterable[Reading]]


class Metrics:
    """`own`: what gives the process's readings. `figures`: the database's; None for a server that may not read it."""

    def __init__(self, own: Sequence[OwnReadings], figures: DatabaseFigures | None) -> None:
        self._own = own
        self._figures = figures

    async def answer(self, request: Request) -> Response:
        """All readings; those of the database only while it answers within a second."""
        readings = [Reading(BUILD_INFO, (version("rosterlog"),), 1.0)]
        readings += [reading for own in self._own for reading in own()]
        if self._figures is not None:
            readings += await self._figures.read()
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Readings(readings))
        ProcessCollector(registry=registry)
        content = await asyncio.to_thread(encode, registry)  # much work if there are many sources
        return Response(content, headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    async def close(self) -> None:
        if self._figures is not None:
            await self._figures.close()


class _Readings(Collector):
    """The readings as the library takes them."""

    def __init__(self, readings: Iterable[Reading]) -> None:
        self._by_metric: dict[Metric, list[Reading]] = {}
        for reading in readings:
            self._by_metric.setdefault(reading.metric, []).append(reading)

    def collect(self) -> Iterator[Family]:
        for metric in METRICS:
            if metric in self._by_metric:
                yield _family(metric, self._by_metric[metric])


def _family(metric: Metric, readings: Sequence[Reading]) -> Family:
    family: CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
    if metric.kind == "histogram":
        family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        for reading in readings:
            assert isinstance(reading.value, Histogram)  # noqa: S101 - of a histogram
            family.add_metric(reading.labels, _buckets(reading.value), reading.value.total)
        return family
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.name, metric.help, labels=metric.labels)
    for reading in readings:
        assert not isinstance(reading.value, Histogram)  # noqa: S101 - of a counter or a gauge
        family.add_metric(reading.labels, reading.value)
    return family


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    bounds = [str(float(bound)) for bound in histogram.bounds]
    return list(zip([*bounds, "+Inf"], accumulate(histogram.counts), strict=True))
