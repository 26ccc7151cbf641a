"""`rosterlog reconcile`: our own exports agree, whoever is planted is found, and what is unusable concludes nothing."""

import csv
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from tests import model
from tests.fold_all import drain, forget_projections, query
from tests.program import environ, free_port, run, running, status_json, status_of, until

pytestmark = pytest.mark.acceptance

KINDS = ("missing", "stale", "unlisted", "unknowable")
MARATHON = {"event_id": 501, "event_name": "Harbour Lights Marathon"}
BODIES = [
    model.body(
        number, **MARATHON, first_name=name, last_name="O'Brien", email=f"{number}@example.org", dob="1990-05-06",
        bib=str(number), team=team, status="active", age=36, created_at="2026-03-02T08:00:00Z",
        updated_at="2026-03-02T08:00:00.25Z", answers=[{"question": "Shirt", "answer": "M"}],
    )
    for number, (name, team) in enumerate(
        [("Ann", "=1+1"), ("Bo", "-x"), ("Łukasz", 'quo"te, and\nline'), ("Zoë", "a\\slash\tand tab"), ("Mai", None)], 1
    )
]  # fmt: skip


@pytest.fixture
def env(database: str, worker_engine: Engine) -> dict[str, str]:
    model.append(database, BODIES)
    drain(worker_engine)
    return environ(DATABASE_URL=database)


@pytest.mark.parametrize(
    ("format_", "dialect"),
    [("csv", ()), ("csv", ("separator=;", "bom=true")), ("csv", ("formulas=keep",)), ("xlsx", ()), ("ndjson", ())],
)
def test_an_export_of_ours_agrees(env: dict[str, str], tmp_path: Path, format_: str, dialect: tuple[str, ...]) -> None:
    file = str(tmp_path / f"roster.{format_}")
    run("export", "participants", "--format", format_, "--output", file, *dialect, env=env)
    found = compared(env, file)
    assert (found["agrees"], found["rows"], found["agreeing"], found["unreadable_by_column"]) == (True, 5, 5, {})


def test_what_differs_is_counted_named_and_written(env: dict[str, str], tmp_path: Path) -> None:
    file, differences = tmp_path / "listed.csv", tmp_path / "differences.csv"
    file.write_text(
        "ID;First name;Bib;Date of birth\r\n1;Anna;1;06/05/1990\r\n2;Bo;;06/05/1990\r\n9;Ivo;=9;01/02/1991\r\n"
    )
    arguments = ("--date-format", "DD/MM/YYYY", "--output", str(differences))
    printed = run("reconcile", "--file", str(file), "--event", "501", *arguments, env=env, code=1)
    assert "movemint, event 501 at position 5: 3 listed, 5 on the roster" in printed
    assert "agreeing 1\nmissing 1\n  9\nstale 1\n  first_name: 1\n  1\nunlisted 3\n  3, 4, 5\nunknowable 0" in printed
    assert "Anna" not in printed
    with differences.open() as written:
        rows = [(row["kind"], row["participant_id"], row["column"], row["listed"]) for row in csv.DictReader(written)]
    assert ("stale", "1", "first_name", "Anna") in rows
    assert ("missing", "9", "bib", "'=9") in rows
    assert ("missing", "9", "dob", "1991-02-01") in rows
    assert differences.stat().st_mode & 0o077 == 0


def test_when_the_file_was_taken_is_its_own_time(env: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "listed.csv"
    file.write_text("id,first_name\n1,Ann\n2,Bob\n")
    os.utime(file, (0, 0))
    found = compared(env, str(file))
    assert found["unknowable_because"] == {"younger than the file": 4}
    assert found["taken_at"] == "1970-01-01T00:00:00Z"
    found = compared(env, str(file), "--taken-at", "2026-01-01T00:00:00+01:00")
    assert found["taken_at"] == "2025-12-31T23:00:00Z"
    for wrong in ("2026-01-01T00:00:00", "yesterday"):
        assert "has its zone" in run("reconcile", "--file", str(file), "--taken-at", wrong, env=env, code=2)
    late = run("reconcile", "--file", str(file), "--taken-at", "2999-01-01T00:00:00Z", env=env, code=2)
    assert "is not over yet" in late


def test_an_empty_cell_says_nothing_unless_it_is_said_to(env: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "listed.csv"
    file.write_text("id,bib,team\n" + "".join(f"{number},,\n" for number in range(1, 6)))
    assert compared(env, str(file))["agreeing"] == 5
    found = compared(env, str(file), "--empty-means-empty", "bib", code=1)
    assert (found["agreeing"], found["stale_by_column"]) == (0, {"bib": 5})
    assert "no heading is city" in run("reconcile", "--file", str(file), "--empty-means-empty", "city", env=env, code=2)


def test_headings_are_mapped_by_a_file_that_is_made_and_read(env: dict[str, str], tmp_path: Path) -> None:
    file, mapping = tmp_path / "listed.csv", tmp_path / "map.toml"
    file.write_text("Reg. no.,First name,Shirt size\n" + "".join(f"{n},x{n},M\n" for n in range(1, 6)))
    arguments = ("reconcile", "--file", str(file))
    assert "no column is known for 'Reg. no.', 'Shirt size'" in run(*arguments, env=env, code=2)
    assert "is made" in run(*arguments, "--map", str(mapping), env=env, code=2)
    assert '"First name" = "first_name"\n"Reg. no." = ""\n"Shirt size" = ""\n' in mapping.read_text()
    assert "no heading is participant_id" in run(*arguments, "--map", str(mapping), env=env, code=2)
    mapping.write_text(mapping.read_text().replace('"Reg. no." = ""', '"Reg. no." = "participant_id"'))
    assert compared(env, str(file), "--map", str(mapping), code=1)["stale_by_column"] == {"first_name": 5}
    for content, said in (
        ('"Reg. no." = "number"', "'number' is no column"),
        ('"Regno" = "participant_id"', "which the file does not"),
        ('"Reg. no." = "participant_id"\n"First name" = "participant_id"', "two headings for participant_id"),
        ('"Reg. no." = "participant_id"', "no column is known for 'First name', 'Shirt size'"),
        ("Reg. no. = ", "cannot be read as TOML"),
    ):
        mapping.write_text(content)
        assert said in run(*arguments, "--map", str(mapping), env=env, code=2)


def test_a_number_alone_is_compared_with_the_roster(env: dict[str, str]) -> None:
    assert "the number agrees" in run("reconcile", "--expect", "5", env=env)
    printed = run("reconcile", "--expect", "6", "--event", "501", env=env, code=1)
    assert "movemint, event 501 at position 5: 6 expected, 5 on the roster\n  active: 5\n" in printed
    found = json.loads(run("reconcile", "--expect", "1", "--event", "502", "--json", env=env, code=1))
    assert (found["agrees"], found["on_roster"], found["expected"]) == (False, 0, 1)


def test_options_that_do_not_go_together_are_refused(env: dict[str, str], tmp_path: Path) -> None:
    for arguments, said in (
        ((), "give --inner, --file FILE, --api CONFIG, or --expect N"),
        (("--inner", "--expect", "5"), "--inner compares whole sources"),
        (("--expect", "5", "--output", "x"), "belong to --file FILE"),
        (("--file", str(tmp_path / "none.csv")), "cannot be read: No such file"),
        (("--file", str(tmp_path)), "cannot be read: Is a directory"),
        (("--file", "x", "--date-format", "dd/mm/yy"), "is no form of dates"),
    ):
        assert said in run("reconcile", *arguments, env=env, code=2)
    simulate = ("simulate", "--url", "http://127.0.0.1:1/", "--secret", "x")
    for option, said in (
        ("stale=2", "--drift goes with --export FILE"),
        ("erased=2", "is no NAME=NUMBER"),
        ("stale", "is no"),
    ):
        assert said in run(*simulate, "--drift", option, env=env, code=2)


def test_a_roster_that_is_not_folded_as_this_program_folds_concludes_nothing(
    env: dict[str, str], database: str, tmp_path: Path
) -> None:
    (tmp_path / "fields.toml").write_text('bib = "race_number"')
    for arguments in (("--inner",), ("--expect", "5")):
        other = {**env, "ROSTERLOG_FIELDS": str(tmp_path / "fields.toml")}
        assert "run rosterlog rebuild participants first" in run("reconcile", *arguments, env=other, code=2)
    forget_projections(database)
    for arguments in (("--inner",), ("--expect", "5")):
        assert "there is no roster yet" in run("reconcile", *arguments, env=env, code=2)


def test_inner_completeness_is_arithmetic_by_ids(env: dict[str, str], database: str, worker_engine: Engine) -> None:
    model.append(database, [
        b'{"type": "event.participant.created", "data": {"object": {"id": 6, "first_name": "\\ud83d"}}}',
        b'{"type": "event.participant.moved", "data": {"object": {"id": 7}}}',
        model.body(8, first_name="Gone"),
    ])  # fmt: skip
    drain(worker_engine)
    run("erase", "8", "--reason", "asked for it", "--yes", env=env)
    model.append(database, [model.body(10)])  # which nobody has folded yet
    printed = run("reconcile", "--inner", env=env)
    arithmetic = "8 named by the log = 5 on the roster + 1 parked + 1 erased + 1 of unknown types"
    assert f"movemint at position 8: {arithmetic}\nmovemint: complete" in printed
    assert "movemint: compared with its own log" in (told := run("status", env=env, code=1))
    assert ": complete at position 8\n" in told
    query_none(database, "delete from participants_build where participant_id = '3'")
    query_none(database, "update participants_build set participant_id = 'other' where participant_id = '4'")
    found = json.loads(run("reconcile", "--inner", "--json", env=env, code=1))
    assert found["sources"][0]["ids"] == {"unnamed": ["other"], "lost": ["3", "4"]}
    printed = run("reconcile", "--inner", env=env, code=1)
    assert "2 lost: 3, 4" in printed
    assert "1 not named by the log: other" in printed
    [source] = status_json(env)["sources"]
    assert {"position": 8, "named": 8, "differences": 3, "complete": False}.items() <= source["inner"].items()


def compared(env: dict[str, str], file: str, *arguments: str, code: int = 0) -> Any:  # noqa: ANN401 - JSON
    return json.loads(run("reconcile", "--file", file, "--json", *arguments, env=env, code=code).splitlines()[-1])


def query_none(database: str, statement: str) -> None:
    query(database, f"{statement} returning 1")


@pytest.mark.parametrize("form", ["csv", "bom", "semicolons", "cp1252", "utf-16"])
def test_the_simulators_export_drifts_as_it_says(
    database: str, worker_engine: Engine, tmp_path: Path, form: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(model.SECRET)
    env = environ(DATABASE_URL=database, MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode())
    file, port = tmp_path / "export.csv", free_port()
    drifts = ("missed=2", "stale=2", "hidden=1", "shown=1", "transferred=1", "late=1", "changed=1", "ahead=1")
    asked = [option for drift in drifts for option in ("--drift", drift)]
    with running("ingest", "--port", str(port), env=env):
        until(lambda: status_of(port, "/readyz") == 200)
        url = f"http://127.0.0.1:{port}/webhooks/movemint"
        arguments = ("--count", "20", "--export", str(file), "--export-form", form, *asked)
        said = run("simulate", "--url", url, "--secret-file", str(secret), *arguments, env=env)
    planted = dict(re.findall(r"^(\w+) +([\d, ]+)$", said, re.M))
    drain(worker_engine)
    found = compared(env, str(file), "--date-format", "DD/MM/YYYY", code=1)
    ids = {kind: {each["participant_id"] for each in found["examples"] if each["kind"] == kind} for kind in KINDS}
    assert ids == {
        "missing": named(planted, "missed"),
        "stale": named(planted, "stale", "shown", "transferred"),
        "unlisted": named(planted, "hidden"),
        "unknowable": named(planted, "late", "changed", "ahead"),
    }
    assert (found["rows"], found["agreeing"]) == (28, 20)


def named(planted: dict[str, str], *drifts: str) -> set[str]:
    return {id_ for drift in drifts for id_ in planted[drift].split(", ")}
