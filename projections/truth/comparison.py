"""Compares a file with the roster: reads both as lines, pairs these, judges what differs, and guards the conclusion."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from itertools import islice

from sqlalchemy import Connection, text

from ingest.delivery import JsonObject
from projections.folding import checkpoint
from projections.folding.projection import Projection, Track
from projections.participants.fields import COLUMN_NAMES, Fields
from projections.truth import guards
from projections.truth.buckets import BUCKETS
from projections.truth.cells import converting, reads_iso_otherwise
from projections.truth.digests import SetDigests
from projections.truth.drift import DriftKind, DriftTally, RosterDifference, Why
from projections.truth.lines import RowForm, RowsRead, lines_of
from projections.truth.listing import Listing
from projections.truth.matching import KeyOf, Matching, check_matching, key_reader
from projections.truth.pairing import ListedTwice, Pair, paired_by_id, paired_by_key
from projections.truth.roster_lines import ComparedScope, RosterLines, roster_lines
from projections.truth.sides import BothSides
from projections.truth.values import DATED, UNLISTED_AT, ListedValues
from projections.truth.verdict import AT_A_TIME, Judge

_EVENT, _UPDATED = "event_id", "updated_at"
_TAKEN = text("select position_at(:source, :moment)")

TakeDifference = Callable[[RosterDifference], None]


@dataclass(frozen=True, slots=True)
class FileLook:
    """An observation: a file, which of its headings is which column, and what is known of it.

    `forms`: of dates, as `date_forms` gives them. `empties`: columns of which an empty cell says that there is nothing.
    `expected`: rows that there have to be, at least. `grace`: how long before it was taken the list may have been made.
    `has_file_time`: `taken_at` is when the file was changed last. `is_of_one_time`: its pages were read in one go.
    """

    listing: Listing
    columns: Mapping[str, str]
    matching: Matching
    taken_at: datetime
    forms: tuple[str, ...] = ()
    empties: frozenset[str] = field(default_factory=frozenset)
    expected: int | None = None
    grace: timedelta = timedelta(0)
    has_file_time: bool = False
    is_of_one_time: bool = True

    def reading(self) -> JsonObject:
        """How the file is read, without its headings, which might be anything: the place of each column, from 1."""
        places = {self.columns.get(heading): place for place, heading in enumerate(self.listing.headings, 1)}
        return {
            "columns": {column: place for column, place in places.items() if column},
            "date_forms": [*self.forms],
            "empty_means_empty": sorted(self.empties),
        }


def scope_of(
    connection: Connection, projection: Projection, source: str, event_ids: tuple[str, ...] | None
) -> ComparedScope:
    """The scope of a comparison, at the position that the roster has in the connection's snapshot.

    Raises `NothingConcluded` if there is no roster yet, or if it was folded otherwise than this program folds.
    """
    build = guards.folded_build(connection, projection)
    position = checkpoint.positions(connection, build).get(source, 0)
    return ComparedScope(Track(projection, build, source), position, event_ids)


def compare_listing(
    connection: Connection,
    scope: ComparedScope,
    look: FileLook,
    fields: Fields,
    take: TakeDifference,
    *,
    has_digests: bool = False,
    allowed_unlisted: int = 0,
) -> DriftTally:
    """Compare a file with the roster, in the connection's snapshot. `take` gets each difference.

    Nothing that it got holds if this raises `NothingConcluded`. `has_digests`: the tally gets those of both sides.
    `allowed_unlisted`: so many may be all people of named events.
    """
    form, values = form_of_rows(scope.event_ids, look, fields)
    taken = _position(connection, scope, look.taken_at - look.grace)
    judge = Judge(connection, scope, values, taken, cache(look.listing.digest))
    digests = SetDigests(values, has_id=not look.matching.is_by_id) if has_digests else None
    tally = DriftTally(scope.position)

    def note(difference: RosterDifference) -> None:
        tally.add(difference)
        take(difference)

    with closing(BothSides(keeps_alike=has_digests or not look.matching.is_by_id)) as sides:
        with roster_lines(connection, scope, look.matching, values.columns) as on_roster:
            seen = _read_both(look, form, on_roster, sides, tally)
        for number in seen.without_key:
            note(RosterDifference(DriftKind.UNKNOWABLE, None, {}, why=Why.WITHOUT_KEY, row=number))
        pairs = _pairs(sides, look.matching, tally, digests)
        while some := [*islice(pairs, AT_A_TIME)]:
            for difference in judge.differences(some):
                note(difference)
    tally.digests = None if digests is None else (digests.listed, digests.roster)
    _add_judged(judge, tally)
    updated = next((heading for heading, column in look.columns.items() if column == _UPDATED), "")
    guards.check_times(judge, tally, updated, _position(connection, scope, look.taken_at))
    guards.check_conclusion(scope, judge, tally, allowed_unlisted)
    return tally


def _position(connection: Connection, scope: ComparedScope, moment: datetime) -> int:
    """The last position that was received by then."""
    position: int = connection.execute(_TAKEN, {"source": scope.source, "moment": moment}).scalar_one()
    return position


def _add_judged(judge: Judge, tally: DriftTally) -> None:
    judge.met += tally.agreeing
    tally.agreeing += judge.same
    tally.written_down = judge.written_down.total()
    tally.unreadable = judge.unreadable


def _read_both(look: FileLook, form: RowForm, on_roster: RosterLines, sides: BothSides, tally: DriftTally) -> RowsRead:
    """Read file and roster at the same time. Raises `NothingConcluded` if the file is not whole."""
    seen = RowsRead()
    for part in lines_of(look.listing.parts(), form, seen):
        # PostgreSQL writes the next lines while rows of the file are read. Both sides get on alike, so that fewer wait.
        ready = on_roster.ready(len(part))
        tally.on_roster += len(ready)
        try:
            sides.add(part, ready)
        except ListedTwice:
            guards.check_unchanged(look.listing)  # perhaps it is being written
            raise
    guards.check_read(look.listing, seen, look.expected)
    for rest in on_roster.rest():
        sides.add((), rest)
        tally.on_roster += len(rest)
    tally.rows, tally.agreeing = seen.rows, sides.alike
    return seen


def form_of_rows(event_ids: tuple[str, ...] | None, look: FileLook, fields: Fields) -> tuple[RowForm, ListedValues]:
    """How rows become lines, and the values in these. Raises `NothingConcluded`.

    A file without a column of events that is compared with one event says of everybody that they are in it. Of
    everybody it says that they are listed.
    """
    convert = converting(fields, look.forms)
    headings = map(look.columns.get, look.listing.headings)
    places = {column: place for place, column in enumerate(headings) if column}
    columns = tuple(column for column in places if column in COLUMN_NAMES)
    key_columns, key_of = look.matching.columns, key_reader(look.matching, convert)
    of_event: tuple[str, ...] = ()
    if _EVENT not in places and event_ids is not None and len(event_ids) == 1:
        of_event = event_ids
        if _EVENT in key_columns:
            key_columns, key_of = key_columns[:-1], _with(of_event, key_of)
    check_matching(look.matching, key_columns, places)
    key_places = tuple(places[column] for column in key_columns)
    compared = tuple(places[column] for column in columns)
    dated = [number for number, column in enumerate(columns) if column in DATED]
    form = RowForm(
        len(look.listing.headings),
        key_places,
        key_of,
        compared,
        (*of_event, ""),
        guarded=look.listing.is_csv,
        is_plain_key=look.matching.is_by_id,
        other_days=frozenset(dated) if reads_iso_otherwise(look.forms) else frozenset(),
    )
    more = (_EVENT, UNLISTED_AT) if of_event else (UNLISTED_AT,)
    return form, ListedValues((*columns, *more), convert, look.empties | {UNLISTED_AT})


def _with(constants: tuple[str, ...], key_of: KeyOf) -> KeyOf:
    """A key of which the last parts are constants."""
    return lambda cells: key_of((*cells, *constants))


def _pairs(sides: BothSides, matching: Matching, tally: DriftTally, digests: SetDigests | None) -> Iterator[Pair]:
    """The pairs that are not alike; those that are, are counted."""
    pair = paired_by_id if matching.is_by_id else paired_by_key
    for bucket in range(BUCKETS):
        of_file, of_roster = sides.lines(bucket)
        equal, pairs = pair(of_file, of_roster)
        if digests is not None:
            digests.add(of_file, of_roster)
        tally.agreeing += equal
        for one in pairs:
            if one.listed == one.stored and one.why is None:
                tally.agreeing += 1
            else:
                yield one
