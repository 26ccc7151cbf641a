"""Every example of docs/reporting.md is run: psql, pandas, DuckDB, and a copy in a second PostgreSQL that follows."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine

from ingest import postgres
from projections.participants.projection import projection as participants_by
from projections.rebuild.swap import swap
from tests import model
from tests.doc_examples import DELIVERIES, DOCS, MARATHON, check, examples, programs
from tests.fold_all import build_anew, drain
from tests.other_definition import OTHER_FIELDS
from tests.program import environ, run, running, until

pytestmark = pytest.mark.acceptance

SHOWN = "source, participant_id, event_id, status, first_name, bib, age_band, first_position, position, received_at"


@pytest.fixture
def warehouse() -> Iterator[str]:
    """Another PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="rosterlog-warehouse-") as folder:
        Path(folder).chmod(0o711)
        with postgres.server(Path(folder) / "data", print) as other:
            yield other.conninfo


@pytest.mark.slow
def test_every_example_answers_what_is_written_and_the_copy_follows(
    database: str, worker_engine: Engine, warehouse: str, tmp_path: Path
) -> None:
    model.append(database, DELIVERIES)
    drain(worker_engine)
    path = programs(tmp_path, psql=postgres.find_program("psql"))
    env = environ(DATABASE_URL=database, PYTHONPATH=str(DOCS.parent), PATH=path)
    given = conninfo_to_dict(database)
    env |= {
        "WAREHOUSE": warehouse,
        "REPORTS": str(DOCS.parent / "projections" / "reports"),
        "FROM_WAREHOUSE": f"postgresql://warehouse:choose%20your%20own@127.0.0.1:{given['port']}/{given['dbname']}",
    }
    documented = examples("reporting.md")
    assert len(documented) >= 7
    for command, answer in documented:
        said = check(command, answer, env, tmp_path)
        if said.startswith("postgresql://"):
            env["URL"] = said.strip()
    with psycopg.connect(warehouse, autocommit=True) as copy, psycopg.connect(database, autocommit=True) as here:
        try:
            follows(copy, here, worker_engine, env)
        finally:
            copy.execute("drop subscription roster")


def follows(
    copy: psycopg.Connection[Any], here: psycopg.Connection[Any], worker_engine: Engine, env: dict[str, str]
) -> None:
    def is_the_same() -> bool:
        kept = copy.execute(f"select {SHOWN} from published_participants order by 1, 2".encode()).fetchall()
        shown = here.execute(f"select {SHOWN} from reporting.participants order by 1, 2".encode()).fetchall()
        return kept == shown

    database = env["DATABASE_URL"]
    with running("worker", env=env):
        until(is_the_same)
        model.append(database, [model.body(number, **MARATHON, race_number="7") for number in range(200, 900)])
        model.append(database, [model.body(102, first_name="Lukas")])
        model.append(database, [model.body(1, first_name="Other")], "other")
        until(lambda: count(here) == 704 and is_the_same())
        run("erase", "103", "--reason", "asked for it", "--yes", env=env)
        until(lambda: count(copy, "published_participants") == 703 and is_the_same())
        # A rebuild by another definition changes every bib, and with it which build is live.
        other = participants_by(OTHER_FIELDS)
        swap(worker_engine, other, build_anew(worker_engine, other), 100)
        assert here.execute("select count(*) from reporting.participants where bib = '7'").fetchone() == (700,)
        until(is_the_same)


def count(connection: psycopg.Connection[Any], table: str = "reporting.participants") -> int:
    row = connection.execute(f"select count(*) from {table}".encode()).fetchone()
    return row[0] if row else 0
