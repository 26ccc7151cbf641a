"""The readings of several processes as those of one, and the lines in which they are said."""

import pytest

from ingest.lanes import Limits
from ingest.metrics import CONNECTIONS, DELIVERIES, DELIVERY_SECONDS, PROCESS_CPU, Histogram, Metric, Reading
from ingest.totals import Totals
from ingest.web.bounds import Bounds
from ingest.web.messages import Assignment, ProcessBeat, line_of, read_assignment, read_beat, said, understood
from projections.web.access.limits import Limit

STORED, REFUSED = ("movemint", "stored"), ("movemint", "too_large")


def seconds(*values: float) -> Histogram:
    histogram = Histogram(DELIVERY_SECONDS.bounds)
    for value in values:
        histogram.observe(value)
    return histogram


def readings(stored: float, clients: float, histogram: Histogram) -> list[Reading]:
    return [
        Reading(DELIVERIES, STORED, stored),
        Reading(CONNECTIONS, (), clients),
        Reading(DELIVERY_SECONDS, (), histogram),
    ]


def numbers(totals: Totals) -> dict[tuple[str, ...], float]:
    """Of a histogram its sum."""
    return {
        (each.metric.name, *each.labels): each.value.total if isinstance(each.value, Histogram) else each.value
        for each in totals.readings()
    }


def test_what_a_process_counted_stays_when_it_ends_and_what_it_held_goes() -> None:
    totals = Totals()
    totals.note(1, readings(5, 3, seconds(0.25, 0.5)))
    totals.note(2, readings(7, 4, seconds(1.0)))
    stored, clients, took = (DELIVERIES.name, *STORED), (CONNECTIONS.name,), (DELIVERY_SECONDS.name,)
    assert numbers(totals) == {stored: 12, clients: 7, took: 1.75}
    totals.end(1)
    assert numbers(totals) == {stored: 12, clients: 4, took: 1.75}
    totals.note(1, readings(1, 1, seconds(2.0)))  # its successor begins with nothing
    totals.note(1, [Reading(DELIVERIES, STORED, 2), Reading(DELIVERIES, REFUSED, 1)])
    assert numbers(totals) == {stored: 14, clients: 5, took: 3.75, (DELIVERIES.name, *REFUSED): 1}
    totals.end(1)
    totals.end(2)
    totals.end(2)
    assert numbers(totals) == {stored: 14, took: 3.75, (DELIVERIES.name, *REFUSED): 1}


def test_readings_are_said_in_a_line_and_understood() -> None:
    sent = [*readings(5, 3, seconds(0.25, 99.0)), Reading(PROCESS_CPU, (), 0.5)]
    unknown = Reading(Metric("rosterlog_of_a_newer_release", "gauge", (), "", ""), (), 1.0)
    line = line_of(ProcessBeat([said(each) for each in [unknown, *sent]], asks=True))
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    beat = read_beat(line)
    assert beat.asks
    understood_readings = understood(beat.readings)
    assert [said(each) for each in understood_readings] == [said(each) for each in sent]
    histogram = understood_readings[2].value
    assert isinstance(histogram, Histogram)
    assert (histogram.bounds, sum(histogram.counts)) == (DELIVERY_SECONDS.bounds, 2)


def test_a_reading_is_said_as_it_was_then() -> None:
    histogram = seconds(0.25)
    before = said(Reading(DELIVERY_SECONDS, (), histogram))
    histogram.observe(0.25)
    assert said(Reading(DELIVERY_SECONDS, (), histogram)) != before


@pytest.mark.parametrize("line", [b"", b"\n", b"{}", b'{"readings": 7}', b"ready"])
def test_what_is_no_message_is_a_value_error(line: bytes) -> None:
    for read in (read_beat, read_assignment):
        with pytest.raises(ValueError, match=r"."):
            read(line)


def test_an_assignment_is_understood() -> None:
    for assignment in (Assignment(1, 2, "host=x password='y\n'", 5), Assignment(2, 2, "", 5, 6)):
        assert read_assignment(line_of(assignment)) == assignment


def test_bounds_are_divided_among_processes_rounded_up() -> None:
    """What must fit, fits in each of them: a largest body, a first request."""
    assert Bounds(connections=100, arriving_bytes=7).among(3) == Bounds(connections=34, arriving_bytes=3)
    assert Limits(5, 1_000, 2.0).among(2, largest_body=100) == Limits(3, 500, 2.0)
    assert Limits(1, 1_000, 2.0).among(4, largest_body=800) == Limits(1, 800, 2.0)
    assert Limit(1, 60).among(4) == Limit(0.25, 15)
    assert Limit(0.05, 0.5).among(1) == Limit(0.05, 1)
    for whole in (Bounds(), Bounds(connections=1)):
        assert whole.among(1) == whole
