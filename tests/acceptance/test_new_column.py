"""A new column of the roster costs three lines: with them in a copy of the program the column is everywhere."""

import csv
import io
import json
import shutil
from pathlib import Path

import duckdb
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

from tests import ROOT, model
from tests.fold_all import drain, query
from tests.program import environ, free_port, get, run, running, status_of, until

pytestmark = pytest.mark.acceptance

REVISION = "0005_shirt"
# In which file, after which line, the line that is added.
LINES = {
    "projections/participants/fields.py": (
        '        _field("updated_at", Kind.TIME),\n',
        '        _field("shirt_size", others=("tee",)),\n',
    ),
    "migrations/columns.py": (
        '    Column("updated_at", "timestamptz", "When Movemint last changed the participant, as Movemint says."),\n',
        f'    Column("shirt_size", "text", "Size of the shirt.", since="{REVISION}"),\n',
    ),
    "projections/web/examples.py": (
        '    "updated_at": "2026-04-01T12:00:00Z",\n',
        '    "shirt_size": "M",\n',
    ),
}
SHOWN = {
    "table": "select shirt_size from participants_build where build = 2 and participant_id = '1'",
    "view": "select shirt_size from participants where participant_id = '1'",
    "history": "select shirt_size from participant_history where participant_id = '1'",
    "reporting": "select shirt_size from reporting.participants where participant_id = '1'",
    "reporting's history": "select distinct shirt_size from reporting.participant_history where participant_id = '1'",
    "as of a time": "select shirt_size from reporting.participants_as_of(now()) where participant_id = '1'",
}


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A copy of the program with the three lines, and the version that the template makes of them."""
    for room in ("ingest", "projections", "migrations"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    for file, (after, line) in LINES.items():
        path = tmp_path / file
        text = path.read_text(encoding="utf-8")
        assert text.count(after) == 1, f"{file} has changed: add the line elsewhere"
        path.write_text(text.replace(after, after + line), encoding="utf-8")
    config = Config()
    config.set_main_option("script_location", str(tmp_path / "migrations"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s")
    command.revision(config, "Adds the size of the shirt", rev_id=REVISION)
    return tmp_path


@pytest.mark.slow
def test_three_lines_and_the_column_is_everywhere(
    database: str, worker_engine: Engine, release: Path, tmp_path: Path
) -> None:
    model.append(database, [model.body(1, tee="M", bib="1"), model.body(2), model.body(1, tee="M", bib="2")])
    drain(worker_engine)  # as the release before folds
    env = environ(DATABASE_URL=database)
    assert run("migrate", env=env, cwd=release) == f"migrated from 0004_reporting to {REVISION}\n"
    assert "participants: 0 added, 0 removed, 1 changed\n  shirt_size: 1 changed" in run(
        "rebuild", "--yes", "--jobs", "1", env=env, cwd=release
    )
    for place, statement in SHOWN.items():
        assert query(database, statement) == [("M",)], place
    assert "| shirt_size | text | Size of the shirt. |" in run("report", "--dictionary", env=env, cwd=release)
    query(database, "select publish_these('movemint', '{1}')")
    assert query(database, "select shirt_size from published_participants") == [("M",)]

    port = free_port()
    token = run("token", "create", "reader", env=env, cwd=release).splitlines()[-1]
    with running("api", "--port", str(port), env=env, cwd=release):
        until(lambda: status_of(port, "/healthz") == 200)
        for path in ("/v1/participants?shirt_size=M", "/v1/participants?as_of=1&shirt_size__startswith=M"):
            [found] = get(port, path, token)[2]["data"]
            assert (found["participant_id"], found["shirt_size"]) == ("1", "M")
        document = get(port, "/openapi.json")[2]
    shape = document["components"]["schemas"]["Participant"]
    assert "shirt_size" in shape["properties"]
    assert "shirt_size__isnull" in json.dumps(document["components"]["parameters"])

    for name in ("csv", "parquet"):
        asked = ("--format", name, "--output", str(tmp_path / f"roster.{name}"))
        run("export", "participants", *asked, env=env, cwd=release)
    rows = csv.DictReader(io.StringIO((tmp_path / "roster.csv").read_text(encoding="utf-8")))
    assert [row["shirt_size"] for row in rows] == ["M", ""]
    with duckdb.connect() as parquet:
        sizes = parquet.execute(f"select shirt_size from '{tmp_path / 'roster.parquet'}' order by participant_id")
        assert sizes.fetchall() == [("M",), (None,)]
