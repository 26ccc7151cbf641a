"""Appends observations to the log as events of rosterlog's own; the database function `append_observations` does it.

Only a member of the operator's role may. Deliveries wait no longer than for one batch of them.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from enum import StrEnum
from socket import SHUT_RDWR, socket
from typing import NamedTuple

import psycopg
from sqlalchemy import Connection, Engine

from ingest.database import driver_connection
from ingest.log.observation import (
    Observation,
    ObservationHeader,
    ObservedParticipant,
    header_body,
    participant_body,
)
from ingest.log.own_types import OBSERVATION_MADE

_MOST_AT_ONCE = 500  # events of one transaction, which holds back the deliveries of its source
_BYTES_AT_ONCE = 4_194_304  # of bodies
_TURN_SECONDS = 0.0005  # after which the thread that makes a batch lets go on the one that appends
_LAST_SECONDS = 3.0  # for a batch that is under way when the program is told to end, and for taking it back
_APPEND = b"""
select event_position, outcome
from append_observations(%b, %b::bytea[], %b::text[], %b::text[], %b::bigint[])
order by ordinal
"""

_Event = tuple[bytes, str, str | None, int | None]  # body, type, subject and base


class Fate(StrEnum):
    """What became of an event: see the database function."""

    APPENDED = "appended"
    KNOWN = "known"
    OVERTAKEN = "overtaken"
    WITHHELD = "withheld"


class ObservationReceipt(NamedTuple):
    """What became of one event, and its position; None if it is not in the log."""

    position: int | None
    fate: Fate


_FATES = {fate.value: fate for fate in Fate}  # by its word: it is looked up for each event

Headed = Callable[[Counter[Fate]], ObservationHeader]
"""Makes the header once it is known what became of the participants."""
TakeReceipts = Callable[[Sequence[ObservationReceipt]], None]
"""Gets what became of the next participants, in their order."""


def append_observed(
    connection: Connection, source: str, observation: Observation, observed: Iterable[ObservedParticipant]
) -> list[ObservationReceipt]:
    """Append participants, each at most once, in the caller's transaction; gives one receipt each, in their order.

    The source's deliveries wait until the transaction ends.
    """
    return _append(connection, source, [*_events(observation, observed)])


def append_header(
    connection: Connection, source: str, observation: Observation, header: ObservationHeader
) -> ObservationReceipt:
    """Append the header of an observation, in the caller's transaction."""
    [receipt] = _append(connection, source, [(header_body(observation, header), OBSERVATION_MADE, None, None)])
    return receipt


def write_down(
    operator: Engine,
    source: str,
    observation: Observation,
    observed: Iterable[ObservedParticipant],
    headed: Headed,
    take: TakeReceipts = lambda _receipts: None,
) -> tuple[Counter[Fate], ObservationReceipt]:
    """Append an observation: its participants in batches of a commit each, and the header with the last of them.

    Gives what became of the participants, and the header's receipt; `take` gets each batch's receipts, before the
    header is made. A batch is appended while the next one is made. Stopped anywhere, whole events are in the log
    without a header; the next observation compares with them.
    """
    fates: Counter[Fate] = Counter()

    def append(connection: Connection, events: Sequence[_Event]) -> list[ObservationReceipt]:
        with connection.begin():
            return _append(connection, source, events)

    def note(receipts: Sequence[ObservationReceipt]) -> None:
        fates.update(receipt.fate for receipt in receipts)
        take(receipts)

    batches = _batches(_events(observation, observed))
    batch, following = next(batches, []), next(batches, None)
    with operator.connect() as connection:
        with ThreadPoolExecutor(1) as beside, _short_turns():
            while following is not None:
                appending = beside.submit(append, connection, batch)
                with _not_waited_for_if_left(appending, connection):
                    batch, following = following, next(batches, None)
                    note(appending.result())
        with connection.begin():
            note(_append(connection, source, batch))
            return fates, append_header(connection, source, observation, headed(fates))


@contextmanager
def _short_turns() -> Iterator[None]:
    """Let threads take turns more often: one that appends has little to do between its waits, each time after another.

    By Python's own 5 ms it waits for its turn several times a batch, and the server with it.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


@contextmanager
def _not_waited_for_if_left(appending: Future[list[ObservationReceipt]], connection: Connection) -> Iterator[None]:
    """Let a signal end the program although another thread waits for the database, which may never answer."""
    try:
        yield
    except BaseException:
        wait([appending], _LAST_SECONDS)
        if not appending.done():
            driver = driver_connection(connection)
            with suppress(psycopg.Error):
                driver.cancel_safe(timeout=_LAST_SECONDS)
            with socket(fileno=os.dup(driver.fileno())) as shared:
                shared.shutdown(SHUT_RDWR)
            wait([appending])
            connection.invalidate()
        raise


def _events(observation: Observation, observed: Iterable[ObservedParticipant]) -> Iterator[_Event]:
    return ((participant_body(observation, each), each.event_type, each.subject, each.base) for each in observed)


def _batches(events: Iterable[_Event]) -> Iterator[Sequence[_Event]]:
    batch: list[_Event] = []
    held = 0
    for event in events:
        if batch and (len(batch) == _MOST_AT_ONCE or held + len(event[0]) > _BYTES_AT_ONCE):
            yield batch
            batch, held = [], 0
        batch.append(event)
        held += len(event[0])
    if batch:
        yield batch


def _append(connection: Connection, source: str, events: Sequence[_Event]) -> list[ObservationReceipt]:
    """By the driver alone, in whose binary form bodies cost both programs less."""
    if not events:
        return []
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 - the driver of our engines
    if not connection.in_transaction():
        connection.begin()  # a statement of the driver's does not, and then the caller's commit would commit nothing
    arrays = [[*values] for values in zip(*events, strict=True)]
    rows = driver.cursor(binary=True).execute(_APPEND, (source, *arrays)).fetchall()
    return [ObservationReceipt(position, _FATES[fate]) for position, fate in rows]
