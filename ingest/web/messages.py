"""What a supervisor and its server processes say to each other: one line of JSON each. Pure."""

from collections.abc import Iterable

import msgspec

from ingest.metrics import METRICS, PROCESS_METRICS, Histogram, Labels, Reading

LineReading = tuple[str, Labels, float | tuple[list[int], float]]

_BY_NAME = {metric.name: metric for metric in (*METRICS, *PROCESS_METRICS)}


class Assignment(msgspec.Struct, frozen=True):
    """The supervisor's first line: which of how many processes a server is, the database in use, and the descriptors of
    the sockets on which it listens.
    """

    number: int
    processes: int
    conninfo: str
    listener: int
    observed: int | None = None


class ProcessBeat(msgspec.Struct, frozen=True):
    """A line of a server process: the readings that have changed since its last one. `asks`: it wants to know those of
    all processes, which is the one other thing that a supervisor says.
    """

    readings: list[LineReading]
    asks: bool = False


read_assignment = msgspec.json.Decoder(Assignment).decode
read_beat = msgspec.json.Decoder(ProcessBeat).decode
_read_readings = msgspec.json.Decoder(list[LineReading]).decode


def line_of(message: Assignment | ProcessBeat | list[LineReading]) -> bytes:
    """A message as it is sent."""
    return msgspec.json.encode(message) + b"\n"


def said(reading: Reading) -> LineReading:
    """A reading as it is sent."""
    value = reading.value
    if isinstance(value, Histogram):
        return reading.metric.name, reading.labels, (value.counts.copy(), value.total)
    return reading.metric.name, reading.labels, value


def understood(readings: Iterable[LineReading]) -> list[Reading]:
    """Readings that came. A metric that is not known is left out: the others may be of a newer release."""
    return [_reading(each) for each in readings if each[0] in _BY_NAME]


def read_readings(line: bytes) -> list[Reading]:
    """The readings of a line. Raises `ValueError` if there are none in it."""
    return understood(_read_readings(line))


def _reading(line_reading: LineReading) -> Reading:
    name, labels, value = line_reading
    metric = _BY_NAME[name]
    if not isinstance(value, tuple):
        return Reading(metric, labels, value)
    histogram = Histogram(metric.bounds)
    histogram.counts, histogram.total = value
    return Reading(metric, labels, histogram)
