"""Writes states into a build: roster, answers, history; in the caller's transaction."""

from collections.abc import Iterable, Mapping, Sequence

from pydantic_core import to_json
from sqlalchemy import Connection, text

from ingest.exact_json import write_json
from ingest.log.read import read_at
from projections.folding.copy import Row, copy
from projections.folding.projection import Rows, Track
from projections.participants.answers import Answer, question_key
from projections.participants.fields import COLUMN_NAMES
from projections.participants.keys import row_keys
from projections.participants.newest import Accepted, Advanced, Known, advance, may_say_the_same
from projections.participants.state import LONGEST_COMPARED, State, content_in, content_of
from projections.participants.table import (
    participant_answers,
    participant_answers_build,
    participant_history_build,
    participant_history_keyed,
    participants_build,
    participants_keyed,
)

ROSTER_TABLE, ANSWERS_TABLE, HISTORY_TABLE = (
    table.name for table in (participants_build, participant_answers_build, participant_history_build)
)
WRITTEN_COLUMNS = {
    ROSTER_TABLE: [column.name for column in participants_keyed.c],
    ANSWERS_TABLE: [column.name for column in participant_answers.c],
    HISTORY_TABLE: [column.name for column in participant_history_keyed.c],
}
_new = tuple.__new__  # of an `Accepted`, in half of the time that its constructor takes
_NO_ERRORS = "{}"
_EVENT_ID = COLUMN_NAMES.index("event_id")


def save(connection: Connection, track: Track, states: Sequence[State]) -> None:
    """Write the newest state of each participant, and move each superseded state to the history.

    A state that says the same as the one before it leaves every row as it is.
    """
    known = _known(connection, track, {state.participant_id for state in states})
    advanced = advance(states, known, _stored(connection, track, states, known), content_of)
    _end(connection, track, advanced.ends)
    for table, rows in _rows(track.source, advanced).items():
        copy(connection, track.build.table(table), WRITTEN_COLUMNS[table], rows)


def load(source: str, people: Sequence[Sequence[State]]) -> Rows:
    """The rows of participants that a build has no rows of. `people`: per participant all states in the log's order."""
    # Nearly every participant has a single state, which no event can have superseded.
    newest = [_new(Accepted, (states[0], states[0].position, 0)) for states in people if len(states) == 1]
    superseded: list[Accepted[State]] = []
    for states in people:
        if len(states) > 1:
            advanced = advance(states, {}, {}, content_of)
            newest.extend(advanced.newest)
            superseded.extend(advanced.superseded)
    return _rows(source, Advanced(newest, superseded, {}))


def _rows(source: str, advanced: Advanced[State]) -> Rows:
    # Made while they are sent, so that PostgreSQL writes the first ones while the others are made.
    return {
        ROSTER_TABLE: (_row(source, state, first) for state, first, _ in advanced.newest),
        ANSWERS_TABLE: (
            _answer_row(source, state, place, answer)
            for state, _, _ in advanced.newest
            for place, answer in enumerate(state.answers, 1)
        ),
        HISTORY_TABLE: (
            _row(source, state, first, str(until), _as_json(state.answers))
            for state, first, until in advanced.superseded
        ),
    }


def _answer_row(source: str, state: State, place: int, answer: Answer) -> Row:
    key = question_key(answer.question_id, answer.question)
    return (source, state.participant_id, str(place), *answer, str(state.position), key, state.values[_EVENT_ID])


def _as_json(answers: Sequence[Answer]) -> str:
    """The answers of a superseded state, as the database writes them when it moves a state to the history."""
    rows = [
        {
            "question_id": question_id or None,
            "question": question,
            "answer": answer or None,
            "question_key": question_key(question_id, question),
        }
        for question_id, question, answer in answers
    ]
    return to_json(rows).decode() if rows else ""


def _row(source: str, state: State, first_position: int, *ended: str) -> Row:
    return (
        source,
        state.participant_id,
        *state.values,
        str(first_position),
        str(state.position),
        state.received_at,
        state.origin,
        state.unlisted_at,
        to_json(state.errors).decode() if state.errors else _NO_ERRORS,
        "" if state.attributes is None else write_json(state.attributes).decode(),
        *ended,
        *row_keys(state.values),
    )


def _known(connection: Connection, track: Track, ids: Iterable[str]) -> dict[str, Known]:
    query = text(f"""
        select participant_id, first_position, position, updated_at
        from {track.build.table(ROSTER_TABLE)}
        where source = :source and participant_id = any (cast(:ids as text[]))
    """)  # noqa: S608 - our own tables
    return {row[0]: Known(*row[1:]) for row in connection.execute(query, {"source": track.source, "ids": list(ids)})}


def _stored(
    connection: Connection, track: Track, states: Sequence[State], known: Mapping[str, Known]
) -> dict[str, bytes | None]:
    """By participant the content of the stored state, if one of these states may say the same."""
    known_of = [(state, known[state.participant_id]) for state in states if state.participant_id in known]
    positions = {before.position for state, before in known_of if may_say_the_same(state, before)}
    if not positions:
        return {}
    events = read_at(connection, track.source, positions, LONGEST_COMPARED)
    return {event.subject: content_in(event.body) for event in events if event.subject and event.body}


def _end(connection: Connection, track: Track, ends: dict[str, int]) -> None:
    """Move superseded states from the roster to the history, with their answers."""
    if not ends:
        return
    columns = ", ".join(WRITTEN_COLUMNS[ROSTER_TABLE])
    move = text(f"""
        with ended as (
          delete from {track.build.table(ROSTER_TABLE)} p
          using unnest(cast(:ids as text[]), cast(:ends as bigint[])) as superseded (participant_id, until_position)
          where p.source = :source and p.participant_id = superseded.participant_id
          returning p.*, superseded.until_position
        ), unanswered as (
          delete from {track.build.table(ANSWERS_TABLE)} a
          using unnest(cast(:ids as text[])) as superseded (participant_id)
          -- With its place an answer is found by the primary key alone: the planner takes other indexes for as quick.
          where a.source = :source and a.participant_id = superseded.participant_id and a.place > 0
          returning a.participant_id, a.place, a.question_id, a.question, a.answer, a.question_key
        ), answered as (
          select
            participant_id as id,
            jsonb_agg(to_jsonb(u) - 'participant_id' - 'place' order by place) as answers
          from unanswered u
          group by participant_id
        )
        insert into {track.build.table(HISTORY_TABLE)} ({columns}, until_position, answers)
        select {columns}, until_position, answers
        from ended
        left join answered on id = participant_id
    """)  # noqa: S608 - our own tables
    connection.execute(move, {"source": track.source, "ids": list(ends), "ends": list(ends.values())})
