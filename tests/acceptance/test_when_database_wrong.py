"""What the docs list under "When something is wrong" of the database: seen in status, metrics, alerts and doctor."""

import time
from collections.abc import Iterator

import psycopg
import pytest

from ingest import postgres
from tests import model
from tests.deployment import Deployment, deployment
from tests.program import deliver, run, running, until

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


@pytest.fixture(scope="module")
def deployed(server: postgres.Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deployment(server, template, tmp_path_factory.mktemp("alerts")) as deployed:
        yield deployed


def test_a_stopped_database(deployed: Deployment) -> None:
    deployed.proxy.refuses = True
    deployed.proxy.cut()
    deployed.is_measured("rosterlog_database_up", lambda value: value == 0, "RosterlogDatabaseAway", 2)
    assert deliver(deployed.port, model.body("later"))[0] == 503
    assert "127.0.0.1" in run("status", env=deployed.env, code=1)
    assert "127.0.0.1" in deployed.doctor("fail")
    deployed.proxy.refuses = False
    until(lambda: deliver(deployed.port, model.body("later"))[0] == 200)
    deployed.forget_unavailable()
    deployed.is_well()


def test_a_database_that_is_read_only(deployed: Deployment) -> None:
    """As a provider makes it; our sessions go on writing as long as they may, new ones see it."""
    name = psycopg.conninfo.conninfo_to_dict(deployed.database)["dbname"]
    deployed.execute(f"alter database {name} set default_transaction_read_only = on")
    deployed.proxy.cut()
    deployed.is_seen(
        "rosterlog_database_read_only", lambda value: value == 1, "the database is read-only: is it a replica",
        "RosterlogDatabaseReadOnly", 3,
    )  # fmt: skip
    deployed.execute(f"alter database {name} reset default_transaction_read_only")
    deployed.proxy.cut()
    deployed.is_well()


def test_a_long_transaction(deployed: Deployment) -> None:
    """It began a moment ago; the database is made to say two hours."""
    function = "create function {}() returns table (who text, began timestamptz) language sql stable as $$ {} $$"
    deployed.execute("alter function open_transactions() rename to really_open")
    deployed.execute(
        function.format("open_transactions", "select who, began - interval '2 hours' from public.really_open()")
    )
    try:
        with psycopg.connect(f"{deployed.database} application_name=forgotten") as holder:
            holder.execute("select 1")
            deployed.is_seen(
                "rosterlog_oldest_transaction_timestamp_seconds", lambda value: 0 < value < time.time() - 3600,
                "a transaction has been open for 2 h", "RosterlogLongTransaction", 2,
            )  # fmt: skip
            assert "(forgotten) for 120 min" in deployed.doctor("warn")
    finally:
        deployed.execute("drop function open_transactions()")
        deployed.execute("alter function really_open() rename to open_transactions")
    deployed.is_well()


def test_a_slot_that_holds_back_the_log(deployed: Deployment) -> None:
    """It holds some bytes; the database is made to say eleven GB more."""
    deployed.execute("select pg_create_physical_replication_slot('warehouse', true)")
    deployed.execute("alter function slots() rename to real_slots")
    deployed.execute(
        "create function slots() returns table (slot_name text, is_active bool, is_lost bool, is_unbounded bool, "
        "held_bytes bigint) language sql stable as $$ select slot_name, is_active, is_lost, is_unbounded, "
        "held_bytes + 11 * 2::bigint ^ 30 from public.real_slots() $$"
    )
    try:
        deployed.is_seen(
            "rosterlog_replication_slot_retained_bytes warehouse", lambda value: value > 1e10,
            "the slot warehouse holds back 1", "RosterlogSlotHoldsLog", 17,
        )  # fmt: skip
        assert "pg_drop_replication_slot('warehouse')" in deployed.doctor("warn")
    finally:
        deployed.execute("drop function slots()")
        deployed.execute("alter function real_slots() rename to slots")
        deployed.execute("select pg_drop_replication_slot('warehouse')")
    deployed.is_well()


def test_a_slow_database(deployed: Deployment) -> None:
    """`doctor` asks too many questions for a database like this, so it becomes slow shortly before it is looked at."""
    slow = "the database answers slowly, a statement that does nothing takes .*: look at its disk"
    assert deliver(deployed.port, model.body("on a connection that stays"))[0] == 200
    with running("doctor", env=deployed.env) as doctor:
        doctor.line("^ok +owner")
        deployed.proxy.delay = 0.55
        try:
            with running("status", env=deployed.env) as status:
                for number in range(3):
                    assert deliver(deployed.port, model.body(f"slow {number}"))[0] == 200
                doctor.line(f"^fail +status +{slow}")
                deployed.is_measured(
                    "rosterlog_commit_duration_seconds_count", lambda value: value > 0, "RosterlogSlowCommits", 10
                )
                status.line(f"^NEEDS YOU +{slow}")
        finally:
            deployed.proxy.delay = 0.0
    deployed.is_well()
