"""What stands beside the log of a source: compared with that of another database, and copied where it differs."""

from collections.abc import Iterator, Sequence
from uuid import UUID

from sqlalchemy import Connection, Engine, text

ERASURES = "erasures"
_REDELIVERIES = "event_redelivery"
_AT_ONCE = 100_000  # positions whose redeliveries are compared, and copied, together
_ALL = (0, 2**63 - 1)
# `roster_change` comes last: to carry out an erasure where the source arrives numbers a change there.
_OTHERS = ("api_token", "redelivery_hour", "reconciliation", "first_absence", "dismissed_event", "roster_change")
_MARK = text("select beside_mark(:source, :table, :after, :last)")
_ROWS = text("select b::text from beside_rows(:source, :table, :after, :last) as b")
_COPY = text("select copy_beside(:source, :move_id, :table, cast(:rows as jsonb), :after, :last)")

_Part = tuple[str, tuple[int, int]]  # a table, and the positions


def copy_beside(old: Engine, new: Engine, source: str, move_id: UUID, head: int) -> None:
    """Copy what differs, but the erasures, up to a position. Both engines are in the operator's role."""
    for part in _differing(old, new, source, _parts(head)):
        rows = _rows(old, source, part)
        with new.begin() as connection:
            write_beside(connection, source, move_id, part[0], rows, part[1])


def differing_tables(old: Engine, new: Engine, source: str, head: int) -> list[str]:
    """The tables in which the two databases differ about a source, up to a position of its log."""
    parts = [(ERASURES, _ALL), *_parts(head)]
    return list(dict.fromkeys(table for table, _ in _differing(old, new, source, parts)))


def rows_beside(engine: Engine, source: str, table: str) -> list[str]:
    """The rows of a table about a source, each as JSON, always in the same form."""
    return _rows(engine, source, (table, _ALL))


def write_beside(
    connection: Connection, source: str, move_id: UUID, table: str, rows: Sequence[str], between: tuple[int, int] = _ALL
) -> None:
    """Write rows where the source arrives, in the caller's transaction."""
    after, last = between
    asked = {"source": source, "move_id": move_id, "table": table, "rows": f"[{','.join(rows)}]"}
    connection.execute(_COPY, {**asked, "after": after, "last": last})


def _parts(head: int) -> list[_Part]:
    redeliveries = [(_REDELIVERIES, (after, after + _AT_ONCE)) for after in range(0, head, _AT_ONCE)]
    return [*redeliveries, *((table, _ALL) for table in _OTHERS)]


def _differing(old: Engine, new: Engine, source: str, parts: Sequence[_Part]) -> Iterator[_Part]:
    return (part for part in parts if _mark(old, source, part) != _mark(new, source, part))


def _mark(engine: Engine, source: str, part: _Part) -> str:
    with engine.connect() as connection:
        mark: str = connection.execute(_MARK, _asked(source, part)).scalar_one()
    return mark


def _rows(engine: Engine, source: str, part: _Part) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(_ROWS, _asked(source, part)).scalars())


def _asked(source: str, part: _Part) -> dict[str, object]:
    table, (after, last) = part
    return {"source": source, "table": table, "after": after, "last": last}
