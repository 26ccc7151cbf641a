"""A source copied to another database, and moved to it: the passes, the turns of both places, the proof of both ends.

No delivery is taken at two places: the new one takes the source's only once the old one refuses them and all that it
had is copied. Killed anywhere, the same command goes on.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from ingest.failures import Failure, WrongUsage
from ingest.log.beside import ERASURES, copy_beside, differing_tables, rows_beside, write_beside
from ingest.log.copying import chain_at, copy_log, events_to
from ingest.log.whereabouts import ARRIVING, MOVED, SourcePlace, Turn, turn, whereabouts
from ingest.sqlstate import constraint
from projections.folding.erasures import follow_lifted
from projections.folding.projection import Projection

_FEW = 500  # events that a pass copied, after which the rest takes no time worth mentioning
_MOST_PASSES, _LAST_PASSES = 20, 5
_ERASURES_AT_ONCE = 100
_LIVE_NAME = "api_token_live_name"  # no two live tokens have the same name


@dataclass(frozen=True, slots=True)
class Move:
    """What is moved, and how. The engines are in the operator's role; the places are the databases in words.

    `limit`: events that are refolded at a time. `advance` gets the number of events copied each time.
    """

    source: str
    old: Engine
    new: Engine
    old_place: str
    new_place: str
    projections: Sequence[Projection]
    limit: int
    advance: Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Moved:
    """What was proved: both logs have these events up to `head`, where one of them ends, with the same chain value.

    `beside`: the tables in which they differ, since something happens all the time. `since`: events that the old log
    has after that. `seconds`: for which no place took deliveries; None if it was only copied, or had moved before.
    """

    head: int
    chain: bytes
    events: int
    beside: Sequence[str]
    since: int
    seconds: float | None = None


def copy_source(move: Move) -> Moved:
    """Copy what the new database lacks of a source whose deliveries go on. Raises `WrongUsage` if it may not be."""
    move_id = _begin(move)
    if move_id is not None:
        _pass(move, move_id)
    return _proved(move)


def move_source(move: Move) -> Moved:
    """Copy a source, let the old place refuse its deliveries, copy the rest, and let the new place take them.

    Raises `WrongUsage` if it may not be.
    """
    move_id = _begin(move)
    if move_id is None:
        return _proved(move)
    for _ in range(_MOST_PASSES):
        if _pass(move, move_id) < _FEW:
            break
    _proved(move)
    begun = time.monotonic()
    with move.new.connect() as connection:
        arrived = whereabouts(connection, move.source)
    left = _turn(move.old, move, Turn.LEAVE, move.new_place, arrived)
    _copy_rest(move, move_id, left.head)
    _turn(move.new, move, Turn.COMPLETE, move.old_place, left)
    seconds = time.monotonic() - begun
    return replace(_proved(move), seconds=seconds)


def _copy_rest(move: Move, move_id: UUID, head: int) -> None:
    """Copy until both places are the same: what is beside the log may change yet. Raises `Failure` if it goes on."""
    for _ in range(_LAST_PASSES):
        _pass(move, move_id)
        differing = differing_tables(move.old, move.new, move.source, head)
        if not differing:
            return
    raise Failure(
        f"{', '.join(differing)} of {move.source} changed all the time: its deliveries are answered 503 at both places "
        f"until rosterlog source move {move.source} is run again"
    )


def take_back(move: Move) -> None:
    """Let the old place take a source's deliveries again that has moved. Raises `WrongUsage` if anything was taken at
    the new place since.
    """
    old, new = _both(move)
    if old.state != MOVED:
        raise WrongUsage(f"{move.source} has not moved from {move.old_place}: there is nothing to take back")
    if new.move_id != old.move_id:
        raise WrongUsage(f"{move.source} has moved to {old.other_place}, and that is not {move.new_place}")
    _turn(move.new, move, Turn.DECLINE, move.old_place, old)
    _turn(move.old, move, Turn.STAY, move.new_place, old)


def _begin(move: Move) -> UUID | None:
    """The move's id, once the source arrives at the new place; None if it has moved there already."""
    old, new = _both(move)
    if old.state == ARRIVING:
        raise WrongUsage(f"{move.source} is not whole in {move.old_place}: it is being copied from {old.other_place}")
    if old.state == MOVED:
        if new.move_id != old.move_id:
            raise WrongUsage(f"{move.source} has moved to {old.other_place}, and that is not {move.new_place}")
        if new.state == MOVED:
            raise WrongUsage(f"{move.source} is being taken back: run rosterlog source move {move.source} --back again")
        return old.move_id if new.state == ARRIVING else None
    if not old.head:
        raise WrongUsage(f"{move.source} has no event in {move.old_place}: there is nothing to copy")
    arrived = _turn(move.new, move, Turn.ARRIVE, move.old_place, None)
    if arrived.head and chain_at(move.old, move.source, arrived.head) != arrived.chain:
        raise WrongUsage(
            f"the log of {move.source} in {move.new_place} is another one: it differs at position {arrived.head}"
        )
    return arrived.move_id


def _both(move: Move) -> tuple[SourcePlace, SourcePlace]:
    with move.old.connect() as old, move.new.connect() as new:
        return whereabouts(old, move.source), whereabouts(new, move.source)


def _turn(engine: Engine, move: Move, what: Turn, other_place: str, known: SourcePlace | None) -> SourcePlace:
    with engine.begin() as connection:
        is_done, found = turn(connection, move.source, what, other_place, known)
    if not is_done:
        raise WrongUsage(_why_not(move, what, found))
    return found


def _why_not(move: Move, what: Turn, found: SourcePlace) -> str:
    source = move.source
    if what is Turn.ARRIVE:
        return (
            f"{move.new_place} has a log of {source} of its own, of {found.head} events: a source is copied to where "
            "there is none of it"
        )
    if what is Turn.DECLINE and found.state is None:
        return (
            f"{move.new_place} has taken deliveries of {source} since: move it back from there, with DATABASE_URL and "
            "ROSTERLOG_TO_DATABASE_URL the other way round"
        )
    return f"{source} was moved by another command meanwhile: look at rosterlog source list at both places"


def _pass(move: Move, move_id: UUID) -> int:
    """Copy what the new place lacks now; gives how many events that were."""
    with move.new.connect() as connection:
        before = whereabouts(connection, move.source).head
    take_erasures = partial(_copy_erasures, move, move_id)
    take_erasures()
    head = copy_log(move.old, move.new, move.source, move_id, before, take_erasures, move.advance)
    take_erasures()
    try:
        copy_beside(move.old, move.new, move.source, move_id, head)
    except IntegrityError as error:
        if constraint(error) != _LIVE_NAME:
            raise
        raise WrongUsage(
            f"a token of {move.source} has the name of another source's in {move.new_place}: revoke one of the two, "
            "which rosterlog token list shows"
        ) from None
    return head - before


def _copy_erasures(move: Move, move_id: UUID) -> None:
    """Copy the erasures that the new place lacks, or knows otherwise; those of a participant in one transaction."""
    known = {*rows_beside(move.new, move.source, ERASURES)}
    new = [row for row in rows_beside(move.old, move.source, ERASURES) if row not in known]
    by_subject: dict[str, list[str]] = {}
    lifted: set[str] = set()
    for row in new:
        erasure = json.loads(row)
        by_subject.setdefault(erasure["subject"], []).append(row)
        if erasure["lifted_at"] is not None:
            lifted.add(erasure["subject"])
    for subject in lifted:
        rows = by_subject.pop(subject)
        follow_lifted(
            move.new, move.projections, move.source, subject, partial(_write_erasures, move, move_id, rows), move.limit
        )
    rest = [row for rows in by_subject.values() for row in rows]
    for begin in range(0, len(rest), _ERASURES_AT_ONCE):
        with move.new.begin() as connection:
            _write_erasures(move, move_id, rest[begin : begin + _ERASURES_AT_ONCE], connection)


def _write_erasures(move: Move, move_id: UUID, rows: Sequence[str], connection: Connection) -> None:
    write_beside(connection, move.source, move_id, ERASURES, rows)


def _proved(move: Move) -> Moved:
    """Compare both ends. Raises `Failure` if the logs are not the same up to where the shorter one ends."""
    old, new = _both(move)
    head = min(old.head, new.head)
    chains = [chain_at(engine, move.source, head) for engine in (move.old, move.new)]
    events = [events_to(engine, move.source, head) for engine in (move.old, move.new)]
    if chains[0] is None or chains[0] != chains[1] or events != [head, head]:
        raise Failure(
            f"the logs of {move.source} differ up to position {head}: run rosterlog verify at both places; keep both"
        )
    beside = differing_tables(move.old, move.new, move.source, head) if new.state == ARRIVING else []
    return Moved(head, chains[0], head, beside, old.head - head)
