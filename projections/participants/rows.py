"""Writes folded states into a build: roster, answers, history. Transactions are the caller's."""

from collections.abc import Iterable, Sequence

from pydantic_core import to_json
from sqlalchemy import Connection, text

from projections.folding.builds import Build
from projections.folding.copy import Row, copy
from projections.folding.projection import Rows
from projections.participants.fold import Changes, Known, Lasting, State, advance
from projections.participants.table import (
    participant_answers,
    participant_answers_build,
    participant_history,
    participant_history_build,
    participants,
    participants_build,
)

ROSTER, ANSWERS, HISTORY = (
    table.name for table in (participants_build, participant_answers_build, participant_history_build)
)
COLUMNS = {
    ROSTER: [column.name for column in participants.c],
    ANSWERS: [column.name for column in participant_answers.c],
    HISTORY: [column.name for column in participant_history.c],
}
_NO_ERRORS = "{}"


def save(connection: Connection, build: Build, source: str, states: Sequence[State]) -> None:
    """Write the newest state of each participant, and keep each that it supersedes with the position of its end."""
    known = _known(connection, build, source, {state.participant_id for state in states})
    changes = advance(states, known)
    _end(connection, build, source, changes.ends)
    for table, rows in _rows(source, changes).items():
        copy(connection, build.table(table), COLUMNS[table], rows)


def load(source: str, people: Sequence[Sequence[State]]) -> Rows:
    """The rows of people of whom there are none yet, each with all of their states in the log's order."""
    # Nearly everybody has one state, which nothing can have superseded.
    changes = Changes([Lasting(one[0], one[0].position, 0) for one in people if len(one) == 1], [], {})
    for states in people:
        if len(states) > 1:
            newest, superseded, _ = advance(states, {})
            changes.newest.extend(newest)
            changes.superseded.extend(superseded)
    return _rows(source, changes)


def _rows(source: str, changes: Changes) -> Rows:
    return {
        ROSTER: [_row(source, state, first) for state, first, _ in changes.newest],
        ANSWERS: [
            (source, state.participant_id, str(place), *answer, str(state.position))
            for state, _, _ in changes.newest
            for place, answer in enumerate(state.answers, 1)
        ],
        HISTORY: [_row(source, one.state, one.first_position, one.until_position) for one in changes.superseded],
    }


def _row(source: str, state: State, first_position: int, *until: int) -> Row:
    return (
        source,
        state.participant_id,
        *state.values,
        str(first_position),
        str(state.position),
        state.received_at,
        to_json(state.errors).decode() if state.errors else _NO_ERRORS,
        "" if state.attributes is None else to_json(state.attributes).decode(),
        *map(str, until),
    )


def _known(connection: Connection, build: Build, source: str, ids: Iterable[str]) -> dict[str, Known]:
    found = text(f"""
        select participant_id, first_position, position, updated_at
        from {build.table(ROSTER)}
        where source = :source and participant_id = any (cast(:ids as text[]))
    """)  # noqa: S608 - our own tables
    return {row[0]: Known(*row[1:]) for row in connection.execute(found, {"source": source, "ids": list(ids)})}


def _end(connection: Connection, build: Build, source: str, ends: dict[str, int]) -> None:
    """Move the states that gave way from the roster into the history, and their answers out of the way."""
    if not ends:
        return
    columns = ", ".join(COLUMNS[ROSTER])
    move = text(f"""
        with ended as (
          delete from {build.table(ROSTER)} p
          using unnest(cast(:ids as text[]), cast(:ends as bigint[])) as given (participant_id, until_position)
          where p.source = :source and p.participant_id = given.participant_id
          returning p.*, given.until_position
        ), unanswered as (
          delete from {build.table(ANSWERS)} a
          where a.source = :source and a.participant_id = any (cast(:ids as text[]))
        )
        insert into {build.table(HISTORY)} ({columns}, until_position)
        select {columns}, until_position from ended
    """)  # noqa: S608 - our own tables
    connection.execute(move, {"source": source, "ids": list(ends), "ends": list(ends.values())})
