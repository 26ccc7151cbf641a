"""`/metrics`: the readings of a server's parts and of its database, in the format that the scraper asks for."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from importlib.metadata import version
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from ingest.metrics import BUILD_INFO, METRICS, PROCESS_METRICS, Histogram, Metric, Reading
from ingest.web.figures import DatabaseFigures
from ingest.web.problems import problem
from ingest.web.process_readings import process_readings

_FORMATS = ("text/plain; version=0.0.4;", "text/plain; version=1.0.0;", "application/openmetrics-text; version=1.0.0;")
_NO_TOTAL = "What the server's other processes counted cannot be had now; ask again."
OwnReadings = Callable[[], Iterable[Reading]]
Total = Callable[[list[Reading]], Awaitable[list[Reading]]]
"""Makes a process's readings those of the whole server; raises `TimeoutError` if they cannot be had now."""


async def of_one_process(own: list[Reading]) -> list[Reading]:
    """The total of a server that is one process."""
    return [*own, *process_readings([os.getpid()])]


class Metrics:
    """`own`: what gives the process's readings, and `total` those of all. `figures`: the database's; None for a server
    that may not read it.
    """

    def __init__(
        self, own: Sequence[OwnReadings], figures: DatabaseFigures | None, total: Total = of_one_process
    ) -> None:
        self._own = own
        self._figures = figures
        self._total = total
        self._writing = asyncio.Lock()
        self._pages: dict[str, tuple[float, bytes]] = {}  # by content type, with the time until which each is kept

    async def answer(self, request: Request) -> Response:
        """All readings; those of the database only while it answers."""
        encode, content_type = _encoder(request.headers.get("accept", ""))
        async with self._writing:  # one page at a time, however many scrape
            kept_until, page = self._pages.get(content_type, (0.0, b""))
            if time.monotonic() >= kept_until:
                try:
                    registry = await self._read()
                except TimeoutError:
                    return problem(503, _NO_TOTAL, {"Retry-After": "2"})
                begun = time.monotonic()
                page = await asyncio.to_thread(encode, registry)
                # As long as it took to write: scrapes of thousands of sources leave half of the time to deliveries.
                self._pages[content_type] = 2 * time.monotonic() - begun, page
        return Response(page, headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    def own(self) -> list[Reading]:
        """What this process has counted, and holds."""
        return [reading for own in self._own for reading in own()]

    async def _read(self) -> CollectorRegistry:
        readings = [Reading(BUILD_INFO, (version("rosterlog"),), 1.0), *await self._total(self.own())]
        if self._figures is not None:
            readings += await self._figures.read()
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Readings(readings))
        return registry

    async def close(self) -> None:
        if self._figures is not None:
            await self._figures.close()


def _encoder(accept: str) -> tuple[Callable[[Collector], bytes], str]:
    """What writes the format that is asked for; the usual one if there is no such format."""
    try:
        encode, content_type = choose_encoder(accept)
    except (TypeError, ValueError):
        return choose_encoder("")
    return (encode, content_type) if content_type.startswith(_FORMATS) else choose_encoder("")


class _Readings(Collector):
    """The readings as the library takes them."""

    def __init__(self, readings: Iterable[Reading]) -> None:
        self._by_metric: dict[Metric, list[Reading]] = {}
        for reading in readings:
            self._by_metric.setdefault(reading.metric, []).append(reading)

    def collect(self) -> Iterator[Family]:
        for metric in (*METRICS, *PROCESS_METRICS):
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
