"""`rosterlog quarantine dismiss`: puts away what can never be read, and brings it back."""

import json

import pytest
from sqlalchemy import Engine, event

from ingest.settings import read_settings
from projections.cli.quarantine import quarantine
from tests import model
from tests.fold_all import drain, query
from tests.program import environ, run, status_json

pytestmark = pytest.mark.acceptance


@pytest.fixture
def env(database: str, worker_engine: Engine) -> dict[str, str]:
    model.append(database, [model.body(1), b"no JSON"])
    drain(worker_engine)
    worker_engine.dispose()  # or status would look for a worker
    return environ(DATABASE_URL=database)


def test_an_event_is_dismissed_listed_shown_retried_and_restored(database: str, env: dict[str, str]) -> None:
    dismiss = ("quarantine", "dismiss", "2", "--reason", "Movemint's test", "--operator", "ops")
    assert run("status", env=env, code=1).count("NEEDS YOU") == 1
    assert run(*dismiss, env=env).splitlines()[-1] == "dismissed position 2 of movemint"
    run("status", env=env)
    assert status_json(env)["sources"][0]["quarantined"] == 0
    assert "--dismissed shows" in run("quarantine", "list", env=env)
    assert json.loads(run("quarantine", "list", "--json", env=env)) == {"parked": []}
    listed = run("quarantine", "list", "--dismissed", env=env)
    assert listed.startswith("movemint           2  parked  ")
    assert "by ops: Movemint's test" in listed
    [shown] = json.loads(run("quarantine", "list", "--dismissed", "--json", env=env))["dismissed"]
    assert (shown["position"], shown["operator"], shown["is_parked"]) == (2, "ops", True)
    assert "by ops: Movemint's test" in run("quarantine", "show", "2", env=env)
    assert "dismissed already" in run(*dismiss, env=env, code=2)
    assert "nothing is parked" in run("quarantine", "retry", env=env)
    assert "position 1 of movemint is not parked" in run("quarantine", "retry", "1", env=env, code=2)
    assert "tried again: 1; still parked: 1" in run("quarantine", "retry", "2", env=env, code=1)
    assert "counts as parked again" in run("quarantine", "dismiss", "2", "--restore", env=env)
    run("status", env=env, code=1)
    assert query(database, "table dismissed_event") == []


@pytest.mark.usefixtures("env")
def test_a_list_asks_only_for_what_it_shows(database: str) -> None:
    statements: list[str] = []

    def listener(*args: object) -> None:
        statements.append(str(args[2]))

    event.listen(Engine, "before_cursor_execute", listener)
    try:
        for args, shown in ((["list"], "parked_at"), (["list", "--dismissed"], "dismissed_at")):
            statements.clear()
            quarantine.main(args, standalone_mode=False, obj=read_settings({"DATABASE_URL": database}))
            named = {name for name in ("parked_at", "dismissed_at") if any(name in said for said in statements)}
            assert named == {shown}
    finally:
        event.remove(Engine, "before_cursor_execute", listener)


def test_what_was_dismissed_is_listed_up_to_a_limit_with_what_became_of_it(
    database: str, env: dict[str, str], worker_engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    def printed(*args: str) -> str:
        quarantine.main(args, standalone_mode=False, obj=read_settings(env))
        return capsys.readouterr().out

    assert "nothing is dismissed" in run("quarantine", "list", "--dismissed", env=env)
    broken = b'{"type": "event.participant.created", "data": {"object": {"id": 7, "first_name": "\\ud83d"}}}'
    model.append(database, [broken], "spring")
    drain(worker_engine, "spring")
    printed("dismiss", "2", "--reason", "a test", "--source", "movemint")
    printed("dismiss", "1", "--reason", "a test", "--source", "spring")
    model.append(database, [model.body(7)], "spring")
    drain(worker_engine, "spring")
    assert [line.split("  ")[-2] for line in printed("list", "--dismissed").splitlines()] == [
        "parked", "not parked any more",
    ]  # fmt: skip
    assert "there are more" not in run("quarantine", "list", "--dismissed", "--limit", "2", env=env)
    few = run("quarantine", "list", "--dismissed", "--limit", "1", env=env)
    assert (few.count("a test"), "there are more: --limit 10" in few) == (1, True)
    listed = printed("list", "--dismissed", "--limit", "1", "--json")
    assert [event["position"] for event in json.loads(listed)["dismissed"]] == [2]
    restored = printed("dismiss", "1", "--restore", "--source", "spring")
    assert restored == "restored position 1 of spring: it is not parked any more\n"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("1", "--reason", "x"), "position 1 of movemint is not parked"),
        (("2",), "give --reason, a line of text; nothing was changed"),
        (("2", "--reason", "two\nlines"), "give --reason, a line of text; nothing was changed"),
        (("2", "--reason", "x", "--operator", "two\nlines"), "give --operator, a line of text; nothing was changed"),
        (("2", "--restore"), "position 2 of movemint is not dismissed"),
        (("2", "--restore", "--reason", "x"), "not with --restore"),
        (("0", "--reason", "x"), "POSITION"),
        (("2", "--reason", "x", "--source", "spring"), "there is no source spring"),
    ],
)
def test_a_wrong_dismissal_changes_nothing(
    database: str, env: dict[str, str], args: tuple[str, ...], said: str
) -> None:
    assert said in run("quarantine", "dismiss", *args, env=env, code=2)
    assert query(database, "table dismissed_event") == []
