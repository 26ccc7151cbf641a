"""`reporting.reconciliations`: the headers of observations, for both roles that report."""

from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import Engine

from ingest.log.observation import Drift, ObservationHeader
from ingest.log.observe import append_header
from tests import model
from tests.fold_all import query
from tests.observing import FIRST, SECOND, listed, observe, write_header

DOCUMENTED = """
select count(*) filter (where col_description(a.attrelid, a.attnum) is null), count(*)
from pg_attribute a
where a.attrelid = 'reporting.reconciliations'::regclass and a.attnum > 0
"""


@pytest.fixture
def reconciled(database: str, operator: Engine) -> str:
    """Two observations, among bodies that are no JSON and a delivery that claims to be one."""
    model.append(database, [model.body(1), model.body(2), b"not JSON", b'{"type": "rosterlog.observation", "data": 1}'])
    observe(operator, listed(2, 1, bib=3), look=SECOND)  # overtaken
    write_header(operator, listed(1, 2, bib=7), listed(2, 1, bib=7))
    looked = ObservationHeader(
        "number", datetime(2026, 5, 4, tzinfo=UTC), (), Drift(missing=1), Drift(missing=1), 6, bytes(32)
    )
    with operator.begin() as connection_:
        append_header(connection_, "movemint", SECOND, looked)
    return database


@pytest.mark.parametrize("role", ["rosterlog_reporting", "rosterlog_reporting_pii"])
def test_promise_15_what_was_compared_and_found_is_a_view_of_the_headers(reconciled: str, role: str) -> None:
    with psycopg.connect(reconciled, autocommit=True) as connection:
        connection.execute(f"set role {role}".encode())
        cursor = connection.execute("select * from reporting.reconciliations order by position")
        names = [column.name for column in cursor.description or ()]
        first, second = (dict(zip(names, row, strict=True)) for row in cursor.fetchall())
        # A condition of the reader's is no reason to read other bodies as JSON.
        only = connection.execute("select position from reporting.reconciliations where rows_read > 400").fetchall()
    received = first.pop("received_at")
    assert query(reconciled, "select received_at from event_log where position = 6") == [(received,)]
    assert first == {
        "source": "movemint", "position": 6, "observation_id": FIRST.observation_id, "kind": "file",
        "taken_at": datetime(2026, 5, 3, 10, tzinfo=UTC), "event_ids": ["501"], "matched_by": ["id"],
        "file_sha256": "ab" * 32, "rows_read": 412, "pages_read": None, "missing": 0, "stale": 2, "unlisted": 0,
        "unknowable": 1, "stale_columns": {"bib": 2}, "missing_after": 0, "stale_after": 1, "unlisted_after": 0,
        "unknowable_after": 1, "overtaken": 1, "withheld": 0, "listed_digest": "11" * 32, "roster_digest": "22" * 32,
        "compared_at_position": 2, "compared_at_chain": "07" * 32,
    }  # fmt: skip
    assert (second["kind"], second["event_ids"], second["matched_by"], second["file_sha256"], second["rows_read"]) == (
        "number", None, [], None, None,
    )  # fmt: skip
    assert only == [(6,)]


def test_every_column_is_documented(database: str) -> None:
    assert query(database, DOCUMENTED) == [(0, 26)]


def test_headers_are_found_by_an_index(reconciled: str) -> None:
    """A log of a million deliveries is not read for a dozen of them."""
    with psycopg.connect(reconciled) as connection:
        connection.execute("set enable_seqscan = off")
        plan = str(connection.execute("explain select * from reporting.reconciliations").fetchall())
    assert "event_log_without_subject" in plan
