"""`late_arrivals`: what arrived too late to change anything, and whose newest state is ahead of now."""

from sqlalchemy import Engine

from ingest.database import REPORTING_PII_ROLE, sync_engine
from projections.participants.ahead import ahead_of_time
from tests import model
from tests.fold_all import drain
from tests.integration.reports.test_reports import rows, somebody
from tests.zoned_people import report_rows

AHEAD = "2999-01-01T00:00:00Z"


def test_late_arrivals_name_who_is_ahead_of_now(database: str, worker_engine: Engine) -> None:
    model.append(database, [
        somebody(1, "2026-03-02", updated_at="2999-01-01T00:00:00Z", status="active"),
        somebody(1, "2026-03-03", status="cancelled"),
    ])  # fmt: skip
    drain(worker_engine)
    engine = sync_engine(database, REPORTING_PII_ROLE)
    [(participant_id, position, _, newest, updated_at, days_ahead)] = rows(engine, "late_arrivals")
    assert (participant_id, position, newest, updated_at) == ("1", "2", "1", "2999-01-01 00:00:00+00:00")
    assert int(days_ahead) > 300_000
    engine.dispose()


def test_everybody_whom_status_counts_as_ahead_of_now_is_named_once(
    database: str, engine: Engine, worker_engine: Engine
) -> None:
    """Also those since whom nothing arrived, and though there are many late deliveries."""
    model.append(database, [
        *(model.body(id_, updated_at=AHEAD) for id_ in (1, 2, 3)),
        *(somebody(id_, f"2026-03-{day:02}") for id_ in (3, 4) for day in (9, 8, 7)),
    ])  # fmt: skip
    drain(worker_engine)
    shown = report_rows(database, "late_arrivals")
    ahead = [row for row in shown if row["days_ahead"] is not None]
    with engine.connect() as connection:
        assert ahead_of_time(connection, ["movemint"]) == {"movemint": len({row["participant_id"] for row in ahead})}
    assert [row["participant_id"] for row in shown] == [*"333", *"21", *"44"]
    assert [(row["position"], row["newest_position"]) for row in shown[3:5]] == [(2, 2), (1, 1)]
    assert report_rows(database, "late_arrivals", most="3") == shown[:3]
    assert report_rows(database, "late_arrivals", since="2999-01-01") == []
