"""A log that was restored from a backup and went on otherwise: nobody goes on from the history that is lost."""

import json
from collections.abc import Callable
from importlib.resources import files

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine, text

from ingest import postgres
from ingest.database import API_ROLE, OPERATOR_ROLE, WORKER_ROLE, sync_engine
from projections.rebuild.swap import swap
from tests import model
from tests.api_client import make_token, running
from tests.conftest import create
from tests.erased_person import erase
from tests.fold_all import PARTICIPANTS, build_anew, drain
from tests.integration.roster.test_changes import Follower, roster
from tests.other_definition import OTHER, live_before

BACKED_UP, LOST = 39, 10
Clone = Callable[[], str]


@pytest.fixture
def clone(server: postgres.Server, database: str, engine: Engine, worker_engine: Engine, operator: Engine) -> Clone:
    """Makes another database with all that this one has now, as a backup restored elsewhere."""

    def make() -> str:
        for used in (engine, worker_engine, operator):
            used.dispose()
        return create(server, str(conninfo_to_dict(database)["dbname"]))

    return make


def go_on(conninfo: str, name: str, number: int) -> None:
    """Other people register."""
    model.append(conninfo, [model.body(f"{name}-{index}") for index in range(number)])
    fold(conninfo)


def fold(conninfo: str) -> None:
    worker = sync_engine(conninfo, WORKER_ROLE)
    drain(worker)
    worker.dispose()


def erased(conninfo: str, id_: str) -> None:
    operator = sync_engine(conninfo, OPERATOR_ROLE)
    erase(operator, id_)
    operator.dispose()


@pytest.mark.parametrize("others", [0, 3, LOST, 12, 40])
@pytest.mark.parametrize("limit", [4, 1000])
def test_a_follower_of_a_lost_history_begins_again(
    database: str, engine: Engine, clone: Clone, others: int, limit: int
) -> None:
    token = make_token(engine)
    go_on(database, "kept", BACKED_UP)
    restored = clone()
    go_on(database, "lost", LOST)
    with running(database) as api:
        follower = Follower(api, token)
        follower.catch_up(limit)
        assert len(follower.copy) == BACKED_UP + LOST
    go_on(restored, "other", others)
    with running(restored) as api:
        follower.go_to(api)
        follower.catch_up(limit)
        assert follower.resets == 1
        assert follower.copy == roster(api, token)
        assert len(follower.copy) == BACKED_UP + others
        go_on(restored, "later", 2)
        follower.catch_up(limit)
        assert (follower.resets, len(follower.copy)) == (1, BACKED_UP + others + 2)


def test_a_follower_in_the_middle_of_its_pages_begins_again_by_place_and_by_cursor(
    database: str, engine: Engine, clone: Clone
) -> None:
    """What it has been told is from before the backup, but the roster that told it was later."""
    token = make_token(engine)
    go_on(database, "kept", BACKED_UP)
    restored = clone()
    go_on(database, "lost", LOST)
    with running(database) as api:
        page = api.ask("/v1/changes", token, after="0", limit=5).json()
    go_on(restored, "other", 12)
    with running(restored) as api:
        for asked in ({"after": page["after"]}, {"cursor": page["next"]}):
            again = api.ask("/v1/changes", token, **asked).json()
            assert [again["data"][0]["change"], len(again["data"])] == ["reset", 1 + BACKED_UP + 12]


def test_a_bare_position_and_a_place_without_a_mark_are_taken_as_they_are(
    database: str, engine: Engine, clone: Clone
) -> None:
    token = make_token(engine)
    go_on(database, "kept", BACKED_UP)
    restored = clone()
    go_on(restored, "other", 12)
    with running(restored) as api:
        for after in ("49", "49.0.49"):
            page = api.ask("/v1/changes", token, after=after).json()
            assert [change["position"] for change in page["data"]] == [50, 51]
        for wrong in ("49.0.49-", "49-49.0-0011223344556677", "49.0.49-49.0-00112233", "49.0.49-49.0-001122334455667G"):
            assert api.ask("/v1/changes", token, after=wrong).status_code == 400


def test_changes_beside_the_log_have_a_lineage_too(database: str, engine: Engine, clone: Clone) -> None:
    """The same log, and after the backup another person was erased."""
    token = make_token(engine)
    go_on(database, "kept", 5)
    restored = clone()
    erased(database, "kept-1")
    with running(database) as api:
        follower = Follower(api, token)
        follower.catch_up(100)
        assert sorted(follower.copy) == ["kept-0", "kept-2", "kept-3", "kept-4"]
    erased(restored, "kept-3")
    with running(restored) as api:
        follower.go_to(api)
        follower.catch_up(100)
        assert follower.copy == roster(api, token)
        assert follower.resets == 1


def test_an_erasure_a_rebuild_and_a_rollback_are_the_same_lineage(
    database: str, engine: Engine, worker_engine: Engine, operator: Engine
) -> None:
    token = make_token(engine)
    go_on(database, "kept", 5)
    with running(database) as api:
        follower = Follower(api, token)
        follower.catch_up(100)
        erase(operator, "kept-3")
        follower.catch_up(100)
        assert (follower.resets, sorted(follower.copy)) == (0, ["kept-0", "kept-1", "kept-2", "kept-4"])
        cursor = api.ask("/v1/participants", token, limit=2).json()["next"]
        swap(worker_engine, OTHER, build_anew(worker_engine, OTHER), 100)
        follower.catch_up(100)
        swap(worker_engine, PARTICIPANTS, live_before(worker_engine), 100)
        follower.catch_up(100)
        assert follower.resets == 2, "one for each build that went live, none for the lineage"
        assert follower.copy == roster(api, token)
        assert len(api.ask("/v1/participants", token, limit=2, cursor=cursor).json()["data"]) == 2


def test_a_replica_that_is_behind_is_no_other_lineage(
    database: str, engine: Engine, clone: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Databases that say of themselves that they are replicas, one behind the place and one that has got there."""
    monkeypatch.setattr("projections.web.places._PLACE_SECONDS", 0.2)
    token = make_token(engine)
    go_on(database, "kept", BACKED_UP)
    behind = clone()
    go_on(database, "more", LOST)
    with running(database) as api:
        follower = Follower(api, token)
        follower.catch_up(1000)
        cursor = api.ask("/v1/participants", token, limit=2).json()["next"]
    arrived = clone()
    function = files("migrations").joinpath("sql", "roster", "lineage_at.sql").read_text()
    for conninfo in (behind, arrived):
        with psycopg.connect(conninfo) as connection:
            assert "not pg_is_in_recovery()" in function
            connection.execute(function.replace("not pg_is_in_recovery()", "false").encode())
    with running(behind) as api:
        answer = api.ask("/v1/changes", token, after=follower.after)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "at position 39 and not yet at 49" in answer.json()["detail"]
        assert api.ask("/v1/participants", token, limit=2, cursor=cursor).status_code == 200
    with running(arrived) as api:
        follower.go_to(api)
        follower.catch_up(1000)
        assert (follower.resets, len(follower.copy)) == (0, BACKED_UP + LOST)


def test_a_page_and_a_kept_answer_of_a_lost_history_are_not_taken_for_one_of_this(
    database: str, engine: Engine, clone: Clone
) -> None:
    token = make_token(engine)
    for bib in ("1", "2", "3"):
        model.append(database, [model.body("x", bib=bib, event_id=1), model.body("y", bib=bib, event_id=2)])
    go_on(database, "kept", 3)
    restored = clone()
    go_on(database, "lost", 3)
    go_on(restored, "other", 3)
    paths = ("/v1/participants", "/v1/participants/x/history", "/v1/events")
    with running(database) as api:
        kept = {path: api.ask(path, token, limit=1) for path in (*paths, "/v1/changes")}
        export = api.ask("/v1/participants.csv", token)
    with running(restored) as api:
        for path in (*paths, "/v1/changes"):
            headers = {"If-None-Match": kept[path].headers["etag"]}
            answer = api.ask(path, token, limit=1, headers=headers)
            assert answer.status_code == 200
            assert answer.headers["rosterlog-position"] == kept[path].headers["rosterlog-position"]
        for path in paths:
            refused = api.ask(path, token, limit=1, cursor=kept[path].json()["next"])
            assert (refused.status_code, refused.json()["parameter"]) == (400, "cursor")
            assert "restored from a backup" in refused.json()["detail"]
        headers = {"If-None-Match": export.headers["etag"]}
        assert api.ask("/v1/participants.csv", token, headers=headers).status_code == 200


@pytest.mark.parametrize("as_of", [None, 20])
def test_a_copy_that_begins_with_an_export_is_followed_from_its_place(
    database: str, engine: Engine, clone: Clone, as_of: int | None
) -> None:
    token = make_token(engine)
    go_on(database, "kept", 30)
    restored = clone()
    go_on(database, "lost", 3)
    asked = {} if as_of is None else {"as_of": as_of}
    with running(database) as api:
        export = api.ask("/v1/participants.ndjson", token, **asked)
        assert api.ask("/v1/participants.ndjson", token, method="HEAD").headers["rosterlog-after"]
        follower = Follower(api, token)
        follower.after = export.headers["rosterlog-after"]
        follower.copy = {row["participant_id"]: row for row in map(json.loads, export.text.splitlines())}
        go_on(database, "lost-too", 3)
        follower.catch_up(100)
        assert follower.resets == 0
        assert follower.copy == roster(api, token)
    go_on(restored, "other", 30)
    with running(restored) as api:
        follower.go_to(api)
        follower.after = export.headers["rosterlog-after"]
        follower.catch_up(100)
        assert follower.resets == 1
        assert follower.copy == roster(api, token)


def test_the_apis_role_reads_the_mark_and_no_chain(database: str, engine: Engine) -> None:
    go_on(database, "kept", 1)
    api_engine = sync_engine(database, API_ROLE)
    with api_engine.connect() as connection:
        mark = connection.execute(text("select lineage_at('movemint', 1, 0)")).scalar_one()
        assert len(mark) == 16
        assert mark not in model.chains(database)[0].hex()
    with api_engine.connect() as connection, pytest.raises(Exception, match="permission denied"):
        connection.execute(text("select chain from event_log"))
    api_engine.dispose()
    with engine.connect() as connection:
        for role in ("rosterlog_ingest", "rosterlog_reporting_pii"):
            may = text("select has_function_privilege(:role, 'lineage_at(text, bigint, bigint)', 'execute')")
            assert connection.execute(may, {"role": role}).scalar_one() is False
