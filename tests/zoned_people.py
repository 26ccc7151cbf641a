"""People who registered for races in several time zones, also on days of 23 and 25 hours, and how they are folded."""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from ingest.database import REPORTING_PII_ROLE, WORKER_ROLE, sync_engine
from projections.catalogue import catalogue
from projections.folding import tries
from projections.folding.projection import Projection
from projections.reports.report import reports, run_report, values_of
from tests import model

Projections = tuple[Projection, ...]

FRIDAY_20_IN_DENVER = "2026-05-02T02:00:00Z"
FIELDS = """
[events."501"]
starts_on = 2026-06-20
previous = "431"
[events."431"]
starts_on = "2025-06-21"
[events."777"]
time_zone = "Pacific/Kiritimati"
"""


def somebody(id_: int, event_id: int, registered: str | None, **fields: object) -> bytes:
    return model.body(id_, event_id=event_id, event_name=f"Race {event_id}", created_at=registered, **fields)


BODIES = [
    *(somebody(number, 501, FRIDAY_20_IN_DENVER, dob="2008-06-01") for number in range(1, 13)),
    somebody(20, 431, "2025-05-03T02:00:00Z", dob="2008-06-22", age=50),
    somebody(30, 777, "2026-05-01T09:59:59Z", dob="2008-05-02"),
    somebody(31, 777, "2026-05-01T10:00:00Z", dob="2008-05-02"),
    somebody(40, 600, "2026-03-08T06:59:59Z", age=30),
    somebody(41, 600, "2026-03-09T05:59:59Z"),
    somebody(42, 600, "2026-03-09T06:00:00Z"),
    somebody(43, 600, "2026-11-02T06:59:59.999999Z"),
    somebody(44, 600, "2026-11-02T07:00:00Z"),
    somebody(45, 600, "2026-11-02"),
    somebody(46, 600, None),
]
DAYS_OF_600 = {"2026-03-07": 1, "2026-03-08": 1, "2026-03-09": 1, "2026-11-01": 1, "2026-11-02": 2}
# With dates at the edges of what a column takes, or beyond them.
EDGES = [
    somebody(90, 777, "0002-01-01T00:00:00Z", dob="0002-01-01", updated_at="0002-01-01", checked_in_at="9998-12-31"),
    somebody(91, 501, "9998-12-31T23:59:59Z", dob="9998-12-31", updated_at="9998-12-31T23:59:59Z"),
    somebody(92, 600, "0001-01-01T00:00:00", dob="9999-12-31", updated_at="9999-12-31T23:59:59Z"),
    somebody(93, 777, "9998-12-31", checked_in_at="0002-01-01T00:00:00+23:59"),
    somebody(94, 777, "0002-01-01", checked_in_at="9998-12-31T23:59:59-23:59"),
    somebody(90, 777, "9998-12-31T23:59:59Z", dob="0002-01-01", updated_at="9998-12-31T23:59:59Z"),
]


def zoned_catalogue(folder: Path) -> Projections:
    """As with `ROSTERLOG_TIME_ZONE=America/Denver` and a file of these fields."""
    file = folder / "fields.toml"
    file.write_text(FIELDS)
    return catalogue(file, "America/Denver")


def fold_by(projections: Projections, conninfo: str, bodies: list[bytes]) -> str:
    """Append bodies and fold them live, three at a time; gives the connection string."""
    model.append(conninfo, bodies)
    engine = sync_engine(conninfo, WORKER_ROLE)
    drain_by(engine, projections)
    engine.dispose()
    return conninfo


def drain_by(engine: Engine, projections: Projections) -> None:
    for projection in projections:
        while tries.run_once(engine, projection, "movemint", 3):
            pass


def report_rows(conninfo: str, name: str, **given: str) -> list[dict[str, Any]]:
    """What a ready report says."""
    engine = sync_engine(conninfo, REPORTING_PII_ROLE)
    with engine.connect() as connection:
        found = run_report(connection, reports()[name], "movemint", values_of(reports()[name], given))
    engine.dispose()
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]
