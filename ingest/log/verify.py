"""Reads the whole log of a source for `proof` to check. Memory does not grow with the log.

A second query finds digests that are stored twice: one pass could find them only by keeping all digests.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from psycopg.abc import Buffer
from sqlalchemy import Connection, Engine, select, text

from ingest.log.proof import BEGINNING, PROVED_COLUMNS, Noted, Proof, UnknownSecret, check_each
from ingest.log.read import head_of
from ingest.log.table import event_log

_EVENTS = f"""
copy (
  select {PROVED_COLUMNS}
  from event_log
  where source = %(source)s and (%(since)s = 0 or position > %(since)s)
  order by position
) to stdout (format binary)
"""  # noqa: S608 - our own columns
_HEADER = 19  # bytes that COPY sends before the first row
_TRAILER = 2  # bytes that it sends after the last

_NAMED = text("""
select e.position
from erasures r
cross join unnest(r.digests) as named (digest)
join event_log e on e.source = r.source and e.digest = named.digest
  and (e.subject = r.subject or e.subject is null)
where r.source = :source
""")

_TWICE = text("""
with twice as (
  select digest, min(position) as first_position
  from event_log
  where source = :source and digest in (
    select digest from event_log where source = :source group by digest having count(*) > 1
  )
  group by digest
)
select e.position, twice.first_position
from event_log e
join twice on twice.digest = e.digest
where e.source = :source and e.position > twice.first_position
order by e.position
limit 1000
""")


def verify(
    engine: Engine,
    source: str,
    noted: Noted | None,
    secrets: Sequence[bytes] | None,
    progress: Callable[[int], None],
) -> Proof:
    """Check every event of a source, or those after a noted position; with secrets, their signatures too.

    All is read in one snapshot, so appends may go on. `progress` gets the number of events checked since its last
    call. Deliveries that are stored twice are searched for in the whole source in any case.
    """
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        head = head_of(connection, source)
        proof = Proof(source, 1, head, BEGINNING, unknown_secret=None if secrets is None else UnknownSecret())
        if noted is None or _begin_after(connection, proof, noted):
            _check(connection, proof, secrets, progress)
        proof.chain = _chain_at(connection, source, head) or BEGINNING
    return proof


def _check(
    connection: Connection, proof: Proof, secrets: Sequence[bytes] | None, progress: Callable[[int], None]
) -> None:
    named = set(connection.execute(_NAMED, {"source": proof.source}).scalars())
    # The chain covers UTF-8, whatever the encoding of this machine's locale.
    connection.execute(text("set local client_encoding = 'UTF8'"))
    with connection.connection.driver_connection.cursor().copy(  # type: ignore[union-attr]
        _EVENTS, {"source": proof.source, "since": proof.first - 1}
    ) as copied:
        check_each(_rows(copied), proof, named, secrets, progress)
    for row in connection.execute(_TWICE, {"source": proof.source}):
        proof.add(row.position, f"stored twice: the same delivery is at position {row.first_position}")
    unknown = proof.unknown_secret
    if unknown is not None and unknown.events:
        which = f"{unknown.events} events from position {unknown.first} to {unknown.last}"
        proof.add(unknown.first, f"signed with a secret no longer known: {which}; give retired secrets too, last")


def _begin_after(connection: Connection, proof: Proof, noted: Noted) -> bool:
    """Let the proof begin after the noted position; False if the log ends before it."""
    proof.first, proof.chain = noted.position + 1, noted.chain
    if noted.position > proof.head:
        proof.add(proof.head + 1, f"missing: the log ends at {proof.head}, but position {noted.position} was noted")
        return False
    stored = _chain_at(connection, proof.source, noted.position) if noted.position else BEGINNING
    if stored is None:
        proof.add(noted.position, "missing")
    elif stored != noted.chain:
        problem = "the chain value is not the one noted: this event or one before it was altered since"
        proof.add(noted.position, problem)
        proof.chain = stored
    return True


def _chain_at(connection: Connection, source: str, position: int) -> bytes | None:
    at_position = (event_log.c.source == source) & (event_log.c.position == position)
    return connection.execute(select(event_log.c.chain).where(at_position)).scalars().first()


def _rows(copied: Iterable[Buffer]) -> Iterator[bytes]:
    """The rows, without the header and the trailer of COPY's binary format."""
    chunks = iter(copied)
    first = bytes(next(chunks))[_HEADER:]
    return (bytes(row) for row in chain((first,), chunks) if len(row) > _TRAILER)
