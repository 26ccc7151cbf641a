"""Reading from replicas: what is away, hangs or is far behind is left out by itself, and no answer is ever wrong."""

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import psycopg
import pytest
from sqlalchemy import text

from ingest.database import sync_engine
from ingest.read_hosts import ReadHost
from projections.doctor.examination import reading as reading_of
from projections.doctor.finding import Level
from projections.doctor.replicas import check_replica, written_by
from projections.web.replicas import Replicas
from projections.web.unreadable import unreadable
from tests import DEADLINE, model
from tests.api_client import make_token
from tests.fold_all import drain, query, working
from tests.program import get, until
from tests.reading_beside_model import reading, writing
from tests.replicated import Replicated, read_at, register, replicated

pytestmark = pytest.mark.acceptance

_WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and usename = 'rosterlog_api'"
_IDLE = "select extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) > 2.5"
# Had by the replica, or waited for.
_LOCKED = """
select exists (select from pg_locks where mode = 'AccessExclusiveLock' and relation = 'participants_build'::regclass)
"""
# The record of a lock waits for the next flush, which an idle primary has no reason for.
_FLUSH = "select pg_logical_emit_message(true, '', '')"


@pytest.fixture(scope="module")
def site() -> Iterator[Replicated]:
    with replicated() as site:
        yield site


@pytest.fixture(autouse=True)
def _whole(site: Replicated) -> Iterator[None]:
    yield
    until(site.is_whole)


def test_doctor_tells_a_replica_that_follows_from_one_that_stands_still(
    site: Replicated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.doctor.replicas._FOLLOWS_SECONDS", 0.3)
    first, second = site.standbys
    first.pause()
    register(site, "looked at")
    with reading_of(site.primary) as connection:
        written = written_by(connection)
    found = []
    for conninfo in (first.conninfo, second.conninfo, site.primary):
        with reading_of(conninfo) as connection:
            found.append(check_replica(connection, "it", written))
    first.resume()
    assert [finding.level for finding in found] == [Level.WARN, Level.OK, Level.OK]
    assert "its replay is paused" in found[0].says
    assert "it is a replica, " in found[1].says
    assert "it is no replica" in found[2].says


def test_an_idle_primary_makes_no_replica_late(site: Replicated) -> None:
    """Though the newest transaction that it has is older than a replica may be behind."""
    until(lambda: query(site.standbys[0].conninfo, _IDLE) == [(True,)])
    until(lambda: site.detail() is None)
    assert site.left_out() == [0, 0]


def test_no_answer_is_wrong_while_replicas_stop_hang_and_come_back(site: Replicated) -> None:
    first, second = site.standbys
    way = site.ways[0]
    with (
        working(site.worker, 500),
        writing(site.log),
        reading(site.port, site.token, site.log, 3) as seen,
        asking_whether_ready(site) as hindrances,
    ):
        until(lambda: seen.statuses[200] > 50)
        way.swallows = True
        until(lambda: site.is_read_from("replica 2"))
        second.stop()
        until(lambda: site.is_read_from("DATABASE_URL"))
        assert "replica 1 of READ_DATABASE_URL: it does not answer; replica 2" in str(site.detail())
        second.start()
        until(lambda: site.is_read_from("replica 2"))
        way.swallows = False
        until(site.is_whole)
        first.stop()
        until(lambda: site.is_read_from("replica 2"))
        first.start()
        until(site.is_whole)
        read = seen.statuses[200]
        until(lambda: seen.statuses[200] > read + 50)
    assert seen.wrong == []
    assert {*seen.statuses} <= {200, 503}
    assert hindrances == set(), "ready as long as anything can be read"


@contextmanager
def asking_whether_ready(site: Replicated) -> Iterator[set[str]]:
    """What was said to hinder, asked again and again for the block."""
    enough = threading.Event()
    hindrances: set[str] = set()

    def ask() -> None:
        while not enough.wait(0.1):
            status, _, content = get(site.port, "/readyz")
            if status != 200:
                hindrances.add(content["detail"])

    with ThreadPoolExecutor(1) as pool:
        asker = pool.submit(ask)
        try:
            yield hindrances
        finally:
            enough.set()
        asker.result(timeout=DEADLINE)


def test_a_question_that_a_replica_ended_is_asked_again(site: Replicated) -> None:
    """The request waits for one lock, and holds one on the tokens, which its primary's next change needs."""
    first, _ = site.standbys
    position = register(site, "asked again")
    until(lambda: read_at(site) == position)
    before = first.conflicts()
    with psycopg.connect(site.primary) as primary, ThreadPoolExecutor(1) as pool:
        primary.execute("lock table participants_build in access exclusive mode")
        query(site.primary, _FLUSH)
        until(lambda: query(first.conninfo, _LOCKED) == [(True,)])
        asked = pool.submit(site.answer)
        until(lambda: query(first.conninfo, _WAITING) == [(1,)])
        primary.execute("lock table api_token in access exclusive mode")
        query(site.primary, _FLUSH)
        until(lambda: first.conflicts() > before)
        primary.rollback()
        status, headers, _ = asked.result(timeout=DEADLINE)
    assert (status, headers["rosterlog-position"]) == (200, str(position))


def test_what_a_replica_ends_again_and_again_is_given_up_with_the_reason(site: Replicated) -> None:
    tries = 0

    async def scenario() -> None:
        replicas = Replicas([ReadHost(1, site.standbys[0].conninfo)], None, 0)

        async def ask() -> None:
            nonlocal tries
            tries += 1
            async with replicas.answering.connect() as connection:
                await connection.execute(text("select pg_sleep(60) from participants"))

        try:
            await replicas.tried_again(ask, 60)
        finally:
            await replicas.close()

    register(site, "somebody")
    until(lambda: site.standbys[0].has_all_of(site.primary))
    with locking(site), pytest.raises(Exception, match="conflict with recovery") as ended:
        asyncio.run(scenario())
    assert tries == 3
    assert unreadable(ended.value).code == "replica_conflict"


@pytest.fixture
def large(site: Replicated) -> str:
    """The token of a source whose roster is larger than the buffers between a server and its client."""
    model.append(site.primary, [model.body(f"large {number}", about="x" * 50_000) for number in range(400)], "large")
    drain(site.worker, "large")
    engine = sync_engine(site.primary)
    token = make_token(engine, "large", "large")
    engine.dispose()
    until(lambda: site.standbys[0].has_all_of(site.primary))
    return token


@contextmanager
def locking(site: Replicated) -> Iterator[None]:
    """The roster is locked for a moment again and again, as by what drops a build."""
    enough = threading.Event()

    def lock() -> None:
        with psycopg.connect(site.primary) as primary:
            while not enough.wait(0.1):
                primary.execute("lock table participants_build in access exclusive mode")
                primary.rollback()

    with ThreadPoolExecutor(1) as pool:
        locker = pool.submit(lock)
        try:
            yield
        finally:
            enough.set()
        locker.result(timeout=DEADLINE)


def test_an_export_that_a_replica_ends_is_no_whole_file(site: Replicated, large: str) -> None:
    first, _ = site.standbys
    with (
        closing(http.client.HTTPConnection("127.0.0.1", site.port, timeout=DEADLINE)) as connection,
        psycopg.connect(site.primary) as primary,
    ):
        connection.request("GET", "/v1/participants.ndjson", headers={"Authorization": f"Bearer {large}"})
        answer = connection.getresponse()
        assert json.loads(answer.readline())["participant_id"].startswith("large")
        primary.execute("lock table participants_build in access exclusive mode")
        query(site.primary, _FLUSH)
        until(lambda: query(first.conninfo, _LOCKED) == [(True,)])
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
            answer.read()
