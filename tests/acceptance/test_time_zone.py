"""`ROSTERLOG_TIME_ZONE` and the races of the file of fields, by the real commands: days, a rebuild, what is refused."""

import json
from pathlib import Path

import pytest

from tests import model
from tests.fold_all import query
from tests.program import environ, run, running, status_json, until
from tests.zoned_people import BODIES, FIELDS

pytestmark = pytest.mark.acceptance

BY_DAY = ("report", "registrations_by_day", "event=501", "--format", "csv")


def test_days_follow_the_setting_once_they_are_rebuilt_and_go_back_with_the_build(database: str) -> None:
    utc = environ(DATABASE_URL=database)
    denver = {**utc, "ROSTERLOG_TIME_ZONE": "America/Denver"}
    model.append(database, BODIES[:12])
    with running("worker", env=denver):
        until(lambda: query(database, "select count(*) from registrations") == [(12,)])
    assert "501,Race 501,2026-05-01,12,12" in run(*BY_DAY, env=denver)
    assert "501,Race 501,2026-05-01,12,12" in run(*BY_DAY, env=utc), "whatever this command is set to"
    said = "\n".join(status_json(utc)["needs"])
    for name in ("participants", "registrations"):
        assert f"{name}: nothing is folded" in said
        assert f"ROSTERLOG_TIME_ZONE as they were then, or run rosterlog rebuild {name}" in said
    compared = run("rebuild", "registrations", "--diff", env=utc)
    assert "registrations: 0 added, 0 removed, 12 changed\n  day: 12 changed\n" in compared
    run("rebuild", "--yes", env=utc)
    assert "501,Race 501,2026-05-02,12,12" in run(*BY_DAY, env=denver)
    assert "nothing is folded" not in str(status_json(utc)["needs"])
    assert "bring back that release, or ROSTERLOG_FIELDS and ROSTERLOG_TIME_ZONE" in run(
        "rebuild", "--rollback", env=utc, code=2
    )
    run("rebuild", "--rollback", env=denver)
    assert "501,Race 501,2026-05-01,12,12" in run(*BY_DAY, env=denver)


def test_fields_says_which_days_it_was_told_of(database: str, tmp_path: Path) -> None:
    file = tmp_path / "fields.toml"
    file.write_text(FIELDS)
    env = environ(DATABASE_URL=database, ROSTERLOG_TIME_ZONE="America/Denver", ROSTERLOG_FIELDS=str(file))
    assert (
        "days are in the time zone America/Denver, by ROSTERLOG_TIME_ZONE; but for these events:\n"
        "  431: America/Denver, starts on 2025-06-21\n"
        "  501: America/Denver, starts on 2026-06-20, its previous edition is 431\n"
        "  777: Pacific/Kiritimati\n"
    ) in run("fields", env=env)
    told = json.loads(run("fields", "--json", env=env).splitlines()[-1])
    assert (told["time_zone"], told["races"][2]) == (
        "America/Denver",
        {"event_id": "777", "time_zone": "Pacific/Kiritimati", "starts_on": None, "previous": None},
    )


def test_a_zone_that_is_none_stops_every_program(database: str, tmp_path: Path) -> None:
    env = environ(DATABASE_URL=database)
    for command in (("worker",), ("verify",), ("report",), ("api", "--port", "0")):
        said = run(*command, env={**env, "ROSTERLOG_TIME_ZONE": "America/Denvr"}, code=2)
        assert "ROSTERLOG_TIME_ZONE: is no time zone of the IANA database" in said
        assert "did you mean America/Denver?" in said
    file = tmp_path / "fields.toml"
    file.write_text('[events."501"]\ntime_zone = "Denver"\n')
    for command in (("worker",), ("status",), ("fields",)):
        said = run(*command, env={**env, "ROSTERLOG_FIELDS": str(file)}, code=2)
        assert "ROSTERLOG_FIELDS: [events.'501'] time_zone is no time zone of the IANA database" in said
