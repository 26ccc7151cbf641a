"""An independent model of the roster, and ways to make deliveries. The model shares no code with the fold."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import psycopg

from ingest.delivery import read_envelope

SECRET = b"a secret of the tests"


class OwnBody(bytes):
    """The body of an event that rosterlog itself appends, without a signature; the same bytes may be delivered."""


def body(id_: object, **fields: object) -> bytes:
    """A delivery's body about one participant."""
    return json.dumps({"type": "event.participant.created", "data": {"object": {"id": id_, **fields}}}).encode()


def again(content: bytes, number: int) -> bytes:
    """The same object in a delivery of its own: something beside `data` is another."""
    return content[:-1] + b', "attempt": %d}' % number


def own_body(id_: object, number: int, *, is_listed: bool = True, **fields: object) -> OwnBody:
    """The body of an observed participant, in the observation of this number."""
    type_ = "rosterlog.participant.observed" if is_listed else "rosterlog.participant.unlisted"
    return OwnBody(json.dumps({"type": type_, "look": number, "data": {"object": {"id": id_, **fields}}}).encode())


def signature(content: bytes, secret: bytes = SECRET) -> str:
    return hmac.new(secret, content, hashlib.sha256).hexdigest()


def append(conninfo: str, bodies: Iterable[bytes], source: str = "movemint") -> list[tuple[int, bool]]:
    """Append bodies one commit each; gives position and whether it was new."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        return [
            append_own(connection, content, source)
            if isinstance(content, OwnBody)
            else append_on(connection, [content], source)[0]
            for content in bodies
        ]


def append_own(connection: psycopg.Connection[Any], content: OwnBody, source: str = "movemint") -> tuple[int, bool]:
    """Append an observed participant as compared with everything that the log has."""
    document = json.loads(content)
    row = connection.execute(
        "select event_position, outcome from append_observations(%s, array[%s::bytea], array[%s], array[%s], "
        "array[coalesce((select max(position) from event_log where source = %s), 0)])",
        [source, content, document["type"], str(document["data"]["object"]["id"]), source],
    ).fetchone()
    assert row is not None
    return row[0], row[1] == "appended"


def append_on(
    connection: psycopg.Connection[Any], bodies: list[bytes], source: str = "movemint"
) -> list[tuple[int, bool]]:
    envelopes = [read_envelope(content) for content in bodies]
    types, subjects = [envelope.event_type for envelope in envelopes], [envelope.subject for envelope in envelopes]
    return append_as(connection, bodies, types, subjects, source)


def append_as(
    connection: psycopg.Connection[Any],
    bodies: list[bytes],
    types: Sequence[str | None],
    subjects: Sequence[str | None],
    source: str = "movemint",
) -> list[tuple[int, bool]]:
    """Append under these types and subjects, whatever is in the bodies."""
    rows = connection.execute(
        "select event_position, is_stored from append_events(%s, %s::bytea[], %s::text[], %s::text[], %s::text[])",
        (source, bodies, [signature(content) for content in bodies], list(types), list(subjects)),
    )
    return [(position, stored) for position, stored in rows.fetchall()]


def roster(bodies: Iterable[bytes]) -> dict[str, tuple[int, int, str | None]]:
    """What the roster must show after these distinct deliveries: id -> first position, position, first name."""
    state: dict[str, tuple[int, int, str | None, datetime | None]] = {}
    for position, content in enumerate(bodies, 1):
        try:
            participant = json.loads(content)["data"]["object"]
        except (ValueError, KeyError, TypeError):
            continue
        id_, name = str(participant["id"]), participant.get("first_name")
        updated = participant.get("updated_at")
        moment = datetime.fromisoformat(updated) if updated else None
        old = state.get(id_)
        if old is None:
            state[id_] = (position, position, name, moment)
        elif moment is None or old[3] is None or moment >= old[3]:
            state[id_] = (old[0], position, name, moment)
    return {id_: row[:3] for id_, row in state.items()}


def stored_roster(conninfo: str, source: str = "movemint") -> dict[str, tuple[int, int, str | None]]:
    with psycopg.connect(conninfo) as connection:
        rows = connection.execute(
            "select participant_id, first_position, position, first_name from participants where source = %s", [source]
        )
        return {row[0]: (row[1], row[2], row[3]) for row in rows}


def stored_bodies(conninfo: str, source: str = "movemint") -> list[bytes]:
    with psycopg.connect(conninfo) as connection:
        rows = connection.execute("select body from event_log where source = %s order by position", [source])
        return [row[0] for row in rows]


def chains(conninfo: str, source: str = "movemint") -> list[bytes]:
    """The chain value of each event as this computes it: over the previous one and every other column."""
    with psycopg.connect(conninfo) as connection:
        events = connection.execute(
            "select position, (extract(epoch from received_at - '2000-01-01Z'::timestamptz) * 1000000)::bigint, "
            "source, event_type, subject, body, signature from event_log where source = %s order by position",
            [source],
        ).fetchall()

    def field(value: str | None) -> bytes:
        return b"\xff" * 4 if value is None else len(value.encode()).to_bytes(4, "big") + value.encode()

    values = [bytes(32)]
    for position, micros, source_, event_type, subject, content, signed in events:
        place = position.to_bytes(8, "big") + micros.to_bytes(8, "big") + hashlib.sha256(content).digest()
        texts = field(source_) + field(event_type) + field(subject) + field(signed)
        values.append(hashlib.sha256(values[-1] + place + texts).digest())
    return values[1:]
