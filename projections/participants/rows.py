"""Writes folded events into the participants table. Their transaction is the caller's, and so is the checkpoint."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic_core import to_json
from sqlalchemy import Connection, DateTime, Text, any_, literal, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError

from ingest.log.event import Event
from projections import quarantine
from projections.outcome import Parked, Passed
from projections.participants.fold import State, fold, is_newer
from projections.participants.table import participants

NAME = "participants"

# The types whose generic name is not PostgreSQL's; a collation is the table's own affair.
_TYPE_NAMES = {DateTime: "timestamptz", Text: "text"}
_COLUMNS = [column.name for column in participants.c]
_TYPES = ", ".join(f"{column.name} {_TYPE_NAMES.get(type(column.type)) or column.type}" for column in participants.c)
_UPSERT = text(f"""
insert into participants ({", ".join(_COLUMNS)})
select {", ".join(_COLUMNS)}
from jsonb_to_recordset(cast(:rows as jsonb)) as given ({_TYPES})
on conflict on constraint participants_pkey do update
set {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name not in ("source", "participant_id"))}
""")  # noqa: S608 - names of our own columns

# SQLSTATE classes that blame the data: bad values, broken constraints, limits of a row or an index.
_BLAMES_THE_DATA = ("22", "23", "54")


@dataclass(frozen=True, slots=True)
class _Current:
    """What decides whether a later event is newer than the row there is."""

    first_position: int
    position: int
    updated_at: datetime | None


def apply(connection: Connection, source: str, events: Sequence[Event]) -> list[Passed]:
    """Fold events, in order, into the table. One that cannot be is parked alone; gives those passed."""
    outcomes = [_fold_or_park(event) for event in events]
    try:
        with connection.begin_nested():
            _save(connection, source, outcomes)
    except DBAPIError as error:
        if not _blames_the_data(error):
            raise
        for outcome in outcomes:
            _save_alone(connection, source, outcome)
    return [outcome for outcome in outcomes if isinstance(outcome, Passed)]


def _fold_or_park(event: Event) -> State | Parked | Passed:
    try:
        return fold(event)
    except Exception as error:
        return Parked(event.position, event.subject, f"the fold failed with {type(error).__name__}")


def _save_alone(connection: Connection, source: str, outcome: State | Parked | Passed) -> None:
    try:
        with connection.begin_nested():
            _save(connection, source, [outcome])
    except DBAPIError as error:
        if not isinstance(outcome, State) or not _blames_the_data(error):
            raise
        reason = f"PostgreSQL refused the row with {_sqlstate(error)}"
        quarantine.park(connection, NAME, source, [Parked(outcome.position, outcome.participant_id, reason)])


def _save(connection: Connection, source: str, outcomes: Sequence[State | Parked | Passed]) -> None:
    states = [outcome for outcome in outcomes if isinstance(outcome, State)]
    good = {state.participant_id: state.position for state in states}
    parked = [outcome for outcome in outcomes if isinstance(outcome, Parked)]
    _upsert(connection, source, states)
    quarantine.park(
        connection, NAME, source, [one for one in parked if one.position > good.get(one.participant_id or "", 0)]
    )
    quarantine.heal(connection, NAME, source, good)


def _upsert(connection: Connection, source: str, states: Sequence[State]) -> None:
    """Write the newest state of each participant. One after the other, so that any split into batches ends the same."""
    if not states:
        return
    current = _current(connection, source, [state.participant_id for state in states])
    newest: dict[str, State] = {}
    for state in states:
        known = current.get(state.participant_id)
        if known is not None and not is_newer(state, known.updated_at, known.position):
            continue
        first = known.first_position if known else state.position
        current[state.participant_id] = _Current(first, state.position, state.updated_at)
        newest[state.participant_id] = state
    rows = [_row(source, state, current[id_].first_position) for id_, state in newest.items()]
    if rows:
        connection.execute(_UPSERT, {"rows": to_json(rows).decode()})


def _current(connection: Connection, source: str, ids: list[str]) -> dict[str, _Current]:
    table = participants.c
    wanted = any_(literal(ids, postgresql.ARRAY(table.participant_id.type)))
    found = select(table.participant_id, table.first_position, table.position, table.updated_at).where(
        table.source == source, table.participant_id == wanted
    )
    return {row[0]: _Current(*row[1:]) for row in connection.execute(found)}


def _row(source: str, state: State, first_position: int) -> dict[str, object]:
    return {
        "source": source,
        "participant_id": state.participant_id,
        **state.values,
        "first_position": first_position,
        "position": state.position,
        "received_at": state.received_at,
        "field_errors": state.errors,
        "attributes": state.attributes,
    }


def _sqlstate(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def _blames_the_data(error: DBAPIError) -> bool:
    return not error.connection_invalidated and _sqlstate(error)[:2] in _BLAMES_THE_DATA
