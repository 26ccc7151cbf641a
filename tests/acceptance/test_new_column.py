"""A new column of the roster costs three lines: with them in a copy of the program the column is everywhere."""

import csv
import io
import shutil
from pathlib import Path

import duckdb
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

from tests import HEAD, NEXT, ROOT, model
from tests.fold_all import drain, query
from tests.program import environ, free_port, get, run, running, status_of, until

pytestmark = pytest.mark.acceptance

REVISION = f"{NEXT}_lucky"
# In which file, after which line, the line that is added.
LINES = {
    "projections/participants/fields.py": (
        '        _field("updated_at", Kind.TIME),\n',
        '        _field("lucky_number", others=("charm",)),\n',
    ),
    "migrations/columns.py": (
        '    Column("updated_at", "timestamptz", "When Movemint last changed the participant, as Movemint says."),\n',
        f'    Column("lucky_number", "text", "The number that brings luck.", since="{REVISION}"),\n',
    ),
    "projections/web/examples.py": (
        '    "updated_at": "2026-04-01T12:00:00Z",\n',
        '    "lucky_number": "M",\n',
    ),
}
SHOWN = {
    "table": "select lucky_number from participants_build where build = 2 and participant_id = '1'",
    "view": "select lucky_number from participants where participant_id = '1'",
    "history": "select lucky_number from participant_history where participant_id = '1'",
    "reporting": "select lucky_number from reporting.participants where participant_id = '1'",
    "reporting's history": "select distinct lucky_number from reporting.participant_history where participant_id = '1'",
    "as of a time": "select lucky_number from reporting.participants_as_of(now()) where participant_id = '1'",
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
    command.revision(config, "Adds the lucky number", rev_id=REVISION)
    return tmp_path


@pytest.mark.slow
def test_three_lines_and_the_column_is_everywhere(
    database: str, worker_engine: Engine, release: Path, tmp_path: Path
) -> None:
    model.append(database, [model.body(1, charm="M", bib="1"), model.body(2), model.body(1, charm="M", bib="2")])
    drain(worker_engine)  # as the release before folds
    env = environ(DATABASE_URL=database)
    assert run("migrate", env=env, cwd=release).endswith(f"\nmigrated from {HEAD} to {REVISION}\n")
    assert "participants: 0 added, 0 removed, 1 changed\n  lucky_number: 1 changed" in run(
        "rebuild", "--yes", "--jobs", "1", env=env, cwd=release
    )
    for place, statement in SHOWN.items():
        assert query(database, statement) == [("M",)], place
    assert "| lucky_number | text | The number that brings luck. |" in run(
        "report", "--dictionary", env=env, cwd=release
    )
    query(database, "select publish_these('movemint', '{1}')")
    assert query(database, "select lucky_number from published_participants") == [("M",)]

    port = free_port()
    token = run("token", "create", "reader", env=env, cwd=release).splitlines()[-1]
    with running("api", "--port", str(port), env=env, cwd=release):
        until(lambda: status_of(port, "/healthz") == 200)
        for path in ("/v1/participants?lucky_number=M", "/v1/participants?as_of=1&lucky_number__startswith=M"):
            [participant] = get(port, path, token)[2]["data"]
            assert (participant["participant_id"], participant["lucky_number"]) == ("1", "M")
        document = get(port, "/openapi.json")[2]
    shape = document["components"]["schemas"]["Participant"]
    assert "lucky_number" in shape["properties"]
    assert "lucky_number__isnull" in document["components"]["schemas"]["Filters"]["properties"]

    for name in ("csv", "parquet"):
        asked = ("--format", name, "--output", str(tmp_path / f"roster.{name}"))
        run("export", "participants", *asked, env=env, cwd=release)
    rows = csv.DictReader(io.StringIO((tmp_path / "roster.csv").read_text(encoding="utf-8")))
    assert [row["lucky_number"] for row in rows] == ["M", ""]
    with duckdb.connect() as parquet:
        sizes = parquet.execute(f"select lucky_number from '{tmp_path / 'roster.parquet'}' order by participant_id")
        assert sizes.fetchall() == [("M",), (None,)]
