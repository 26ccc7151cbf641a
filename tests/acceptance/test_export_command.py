"""`rosterlog export`: files as of one position, with the API's filters; refusals leave nothing half-written."""

import csv
import json
import shlex
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests import DEADLINE, model
from tests.fold_all import drain
from tests.program import COMMAND, environ, run

pytestmark = pytest.mark.acceptance


@pytest.fixture
def env(database: str, worker_engine: Engine) -> dict[str, str]:
    model.append(database, [model.body(number, event_id=number % 2, first_name="=1+1") for number in range(10)])
    drain(worker_engine)
    return environ(DATABASE_URL=database)


def test_every_format_is_written_to_a_file_named_after_its_position(env: dict[str, str], tmp_path: Path) -> None:
    for name in ("csv", "ndjson", "parquet", "xlsx"):
        said = run("export", "participants", "--format", name, "--output", str(tmp_path), "event_id=1", env=env)
        path = tmp_path / f"participants-movemint-10.{name}"
        assert said == f"{path}: {path.stat().st_size:,} bytes as of position 10, never compared with the source\n"
    rows = list(csv.DictReader((tmp_path / "participants-movemint-10.csv").read_text().splitlines()))
    assert [row["participant_id"] for row in rows] == ["1", "3", "5", "7", "9"]
    assert rows[0]["first_name"] == "'=1+1"
    lines = (tmp_path / "participants-movemint-10.ndjson").read_text().splitlines()
    assert json.loads(lines[0])["first_name"] == "=1+1"
    assert (tmp_path / "participants-movemint-10.parquet").read_bytes().startswith(b"PAR1")
    assert (tmp_path / "participants-movemint-10.xlsx").read_bytes().startswith(b"PK")
    assert len(list(tmp_path.iterdir())) == 4
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_standard_output_has_the_rows_alone(env: dict[str, str]) -> None:
    command = [*COMMAND, "export", "participants", "--format", "csv", "as_of=3", "formulas=keep", "sort=-position"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=DEADLINE)
    assert [row["participant_id"] for row in csv.DictReader(done.stdout.splitlines())] == ["2", "1", "0"]
    assert "as of position 3" in done.stderr


def test_filters_that_can_match_nobody_are_told_beside_the_rows(env: dict[str, str]) -> None:
    filters = ["status=", "event_id=7", "answer.Shirt siez\x1b=M", "answer.Nope__ne=x"]
    command = [*COMMAND, "export", "participants", "--format", "ndjson", *filters]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=DEADLINE)
    assert done.stdout == ""
    unknown = "nobody in such an event has answered it; questions are compared exactly"
    assert [line for line in done.stderr.splitlines() if "nobody" in line] == [
        "rosterlog: status= matches nobody: an empty text is null; see status__isnull=true",
        f"rosterlog: answer.Nope__ne excludes nobody: {unknown}",
        "rosterlog: event_id=7: nobody on this roster is in such an event",
        rf"rosterlog: answer.Shirt siez\u001b: {unknown}",
        r"rosterlog: nobody meets status= and event_id=7 and answer.Shirt siez\u001b=M and answer.Nope__ne=x",
    ]


def test_columns_and_answers_are_chosen_as_over_http(database: str, worker_engine: Engine, tmp_path: Path) -> None:
    answers = [
        {"question_id": 4, "question": "Shirt size", "answer": "=M"},
        {"question": "Meals", "answer": ["a", "b"]},
    ]
    model.append(database, [model.body(number, bib=str(number), answers=answers) for number in range(2)])
    drain(worker_engine)
    export = ("export", "participants", "--output", str(tmp_path))
    env = environ(DATABASE_URL=database)
    for name in ("csv", "ndjson", "parquet", "xlsx"):
        run(*export, "--format", name, "columns=bib,age", "answers=columns", "answer.4__ne=L", env=env)
    written = (tmp_path / "participants-movemint-2.csv").read_text()
    assert written == "bib,age,Shirt size,Meals\n0,,'=M,a; b\n1,,'=M,a; b\n"
    lines = (tmp_path / "participants-movemint-2.ndjson").read_text().splitlines()
    assert json.loads(lines[1]) == {"bib": "1", "age": None, "Shirt size": "=M", "Meals": "a; b"}
    run(*export, "--format", "csv", "answers=rows", "as_of=1", env=env)
    rows = (tmp_path / "participants-movemint-1.csv").read_text().splitlines()
    assert rows[0] == "participant_id,question_id,question,answer"
    assert rows[1:] == ["0,4,Shirt size,'=M", "0,,Meals,a", "0,,Meals,b"]


def test_a_filter_that_finds_nobody_is_told_in_every_format(env: dict[str, str], tmp_path: Path) -> None:
    nobody = ("bib=99", "q=x", "sort=bib", "as_of=10")
    for name in ("csv", "xlsx"):
        said = run("export", "participants", "--format", name, "--output", str(tmp_path), *nobody, env=env)
        assert said.splitlines()[0] == "rosterlog: nobody meets bib=99 and q=x"
    assert "nobody" not in run("export", "participants", "--format", "csv", "event_id=1", env=env)


def test_a_question_may_have_an_equals_sign_itself(database: str, worker_engine: Engine) -> None:
    answers = [
        {"question": "Pace = ?", "answer": "5"},
        {"question": "Pace", "answer": "a=b"},
        {"question": "=1+1=?", "answer": "x=y"},
    ]
    model.append(database, [model.body(1, answers=answers), model.body(2)])
    drain(worker_engine)
    for filter_ in ("answer.Pace = ?=5", "answer.Pace=a=b", "answer.=1+1=?=x=y"):
        command = [*COMMAND, "export", "participants", "--format", "ndjson", filter_]
        done = subprocess.run(
            command, env=environ(DATABASE_URL=database), capture_output=True, text=True, check=True, timeout=DEADLINE
        )
        assert [json.loads(line)["participant_id"] for line in done.stdout.splitlines()] == ["1"], filter_
        assert "nobody" not in done.stderr


def test_csv_is_written_for_the_program_that_opens_it(env: dict[str, str], tmp_path: Path) -> None:
    dialect = ["separator=;", "decimal=,", "bom=true"]
    run("export", "participants", "--format", "csv", "--output", str(tmp_path), *dialect, "event_id=1", env=env)
    content = (tmp_path / "participants-movemint-10.csv").read_text("utf-8-sig")
    assert [row["first_name"] for row in csv.DictReader(content.splitlines(), delimiter=";")] == ["'=1+1"] * 5
    assert "separator takes one of , ; | and tab." in run(
        "export", "participants", "--format", "csv", "separator=:", env=env, code=2
    )


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (("columns=bib,hue",), "columns takes columns, and hue is none of them"),
        (("colour=red",), "colour is no parameter"),
        (("age=old",), "age takes a whole number."),
        (("status",), "status is no filter: write NAME=VALUE"),
        (("bib=1", "bib=2"), "bib is given more than once"),
        (("as_of=11",), "as_of is beyond the roster, which is at position 10"),
        (("answer.Shirt size__isnull=no",), "answer.QUESTION__isnull takes true or false."),
        (("--output", "/nowhere/at/all.csv"), "/nowhere/at/all.csv cannot be written: No such file or directory"),
        (("--output", "/nowhere/at/all/"), "there is no folder /nowhere/at/all/: make it first"),
        (("--source", "elsewhere"), "there is no source elsewhere"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_exit_code_2(
    env: dict[str, str], asked: tuple[str, ...], says: str
) -> None:
    env = {**env, "MOVEMINT_WEBHOOK_SECRET": "x"}
    assert says in run("export", "participants", "--format", "csv", *asked, env=env, code=2)


def test_devices_pipes_and_standard_output_get_the_rows_and_stay_what_they_are(
    env: dict[str, str], tmp_path: Path
) -> None:
    export = ("export", "participants", "--format", "csv", "--output")
    null = Path("/dev/null").stat().st_rdev
    assert run(*export, "/dev/null", env=env).startswith("/dev/null: ")
    assert Path("/dev/null").stat().st_rdev == null
    assert run(*export, "/dev/full", env=env, code=1) == (
        "rosterlog: /dev/full cannot be written: No space left on device\n"
    )
    done = subprocess.run([*COMMAND, *export, "/dev/stdout"], env=env, capture_output=True, text=True, check=True)
    assert len(list(csv.DictReader(done.stdout.splitlines()))) == 10
    assert "as of position 10" in done.stderr
    (tmp_path / "file").write_text("earlier")
    for name, says in (("file/x", "Not a directory"), ("missing/x", "No such file or directory")):
        path = tmp_path / name
        assert run(*export, str(path), env=env, code=2) == f"rosterlog: {path} cannot be written: {says}\n"
    assert [path.read_text() for path in tmp_path.iterdir()] == ["earlier"]


@pytest.mark.parametrize("name", ["csv", "ndjson", "parquet"])
def test_a_full_disk_and_a_reader_that_leaves_end_an_export_without_a_traceback(
    database: str, worker_engine: Engine, name: str
) -> None:
    model.append(database, [model.body(number, note="é" * 30_000) for number in range(10)])
    drain(worker_engine)
    export = shlex.join([*COMMAND, "export", "participants", "--format", name])
    env = environ(DATABASE_URL=database)
    for shell, code, says in (
        (f"{export} > /dev/full", 1, "rosterlog: standard output cannot be written: No space left on device\n"),
        (f"{export} | true", 0, ""),
        (f"{export} | head -c 10 > /dev/null", 0, ""),
        (f"{export} --output >(head -c 10 > /dev/null)", None, ""),
    ):
        done = subprocess.run(
            ["bash", "-c", shell], env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, check=False,
            timeout=DEADLINE,
        )  # fmt: skip
        assert done.returncode == code or code is None, done.stderr
        assert done.stderr == says or (not says and "as of position" in done.stderr and done.stderr.count("\n") == 1)


def test_no_folder_for_the_making_of_a_file_is_told_in_one_line(env: dict[str, str], tmp_path: Path) -> None:
    done = run("export", "participants", "--format", "xlsx", "--output", str(tmp_path), env={**env, "TMPDIR": "/proc"})
    assert "participants-movemint-10.xlsx" in done, "another folder is taken"
