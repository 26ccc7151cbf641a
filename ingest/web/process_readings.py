"""What the operating system says of our processes: their CPU, memory and descriptors."""

from collections.abc import Iterable

from prometheus_client import ProcessCollector

from ingest.metrics import PROCESS_CPU, PROCESS_METRICS, PROCESS_STARTED, Reading

_BY_NAME = {metric.name: metric for metric in PROCESS_METRICS}


def process_readings(pids: Iterable[int], cpu_before: float = 0.0) -> list[Reading]:
    """These processes together; they started when the first one did. What cannot be read is left out.

    `cpu_before`: seconds that processes spent which have ended.
    """
    sums: dict[str, float] = {}
    for pid in pids:
        for name, value in _samples(pid):
            if name == PROCESS_STARTED.name:
                sums[name] = min(value, sums.get(name, value))
            else:
                sums[name] = sums.get(name, 0.0) + value
    if PROCESS_CPU.name in sums:
        sums[PROCESS_CPU.name] += cpu_before
    return [Reading(_BY_NAME[name], (), value) for name, value in sums.items() if name in _BY_NAME]


def _samples(pid: int) -> list[tuple[str, float]]:
    families = ProcessCollector(pid=lambda: pid, registry=None).collect()
    return [(sample.name, sample.value) for family in families for sample in family.samples]
