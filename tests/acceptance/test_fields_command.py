"""`rosterlog fields`: which keys arrived, without a value; and a file of fields that cannot be used stops the start."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests import model
from tests.fold_all import drain, query
from tests.program import environ, run, status_json

pytestmark = pytest.mark.acceptance


@pytest.fixture
def env(database: str) -> dict[str, str]:
    return environ(DATABASE_URL=database, MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode())


def test_fields_shows_what_really_arrived_and_no_value(database: str, env: dict[str, str]) -> None:
    model.append(
        database,
        [
            model.body(1, dob="31/12/1990", waiver={"signed": True}, secret_name="Unmistakable", bib=7),
            model.body(2, dob="1990-12-31", answers=[{"question": "Shirt", "answer": "M"}]),
            b'{"type": "invoice.paid", "data": {"object": {"id": 1}}}',
            b"not JSON",
        ],
    )
    shown = run("fields", env=env)
    assert "Unmistakable" not in shown
    assert "1990" not in shown
    fields = json.loads(run("fields", "--json", env=env).splitlines()[-1])
    keys = {key["key"]: key for key in fields["keys"]}
    assert (fields["events"], fields["unread"], fields["other_types"]) == (2, 1, {"invoice.paid": 1})
    assert fields["unmapped"] == ["secret_name", "waiver.signed"]
    assert keys["dob"] == {
        "key": "dob", "events": 2, "types": {"string": 2}, "shapes": ["99/99/9999", "9999-99-99"], "columns": ["dob"],
        "unconverted": {"dob": 1},
    }  # fmt: skip
    assert keys["bib"]["types"] == {"integer": 1}
    assert keys["answers[].question"]["columns"] == ["answers"]
    assert "email" in fields["empty_columns"]


def test_who_is_ahead_of_now_is_named_by_status_and_fields(
    database: str, worker_engine: Engine, env: dict[str, str]
) -> None:
    model.append(database, [
        model.body(1, updated_at="2999-01-01T00:00:00Z", status="active"),
        model.body(1, updated_at="2026-03-02T08:00:00Z", status="cancelled"),
        model.body(2, updated_at=datetime.now(UTC).isoformat()),
    ])  # fmt: skip
    drain(worker_engine)
    assert query(database, "select status from participants where participant_id = '1'") == [("active",)]
    says = "1 participant is ahead of now, by updated_at"
    assert f"movemint: {says}" in run("status", env=env, code=1)  # no worker is there
    assert says in run("fields", env=env)
    assert [source["ahead_of_time"] for source in status_json(env)["sources"]] == [1]
    assert json.loads(run("fields", "--json", env=env).splitlines()[-1])["ahead_of_time"] == 1


def test_a_file_of_fields_that_cannot_be_used_stops_the_start(env: dict[str, str], tmp_path: Path) -> None:
    fields = tmp_path / "fields.toml"
    for content, said in (
        ("bibb = 'x'", "'bibb' is no column"),
        ("bib = 7", "bib takes a key"),
        ("bib = 'a..b'", "bib takes a key"),
        ("bib = ", "is not TOML"),
    ):
        fields.write_text(content)
        assert said in run("worker", env={**env, "ROSTERLOG_FIELDS": str(fields)}, code=2)
    for command in (("status",), ("rebuild", "--yes"), ("fields",), ("api", "--port", "0")):
        assert "is not TOML" in run(*command, env={**env, "ROSTERLOG_FIELDS": str(fields)}, code=2)
    assert "cannot be read" in run("status", env={**env, "ROSTERLOG_FIELDS": str(tmp_path / "none")}, code=2)
