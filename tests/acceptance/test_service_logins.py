"""Rung 1: every service by a login that is its role and nothing more, on a server that is reached directly."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.database import API_ROLE, INGEST_ROLE, OPERATOR_ROLE, WORKER_ROLE
from ingest.postgres import as_login
from tests import model
from tests.fold_all import query
from tests.program import Running, deliver, environ, free_port, get, run, running, status_of, until
from tests.unmarked import unmarked

pytestmark = pytest.mark.acceptance

PORTED = {("ingest",): INGEST_ROLE, ("api",): API_ROLE}


def env_of(database: str, role: str) -> dict[str, str]:
    address = unmarked(as_login(database, role))
    return environ(DATABASE_URL=address, MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode())


@pytest.fixture
def ports(database: str) -> Iterator[list[int]]:
    """Of ingest and API; a worker runs beside them."""
    ports = [free_port() for _ in PORTED]
    programs = [Running(("worker",), env_of(database, WORKER_ROLE))]
    for (command, role), port in zip(PORTED.items(), ports, strict=True):
        programs.append(Running((*command, "--port", str(port)), env_of(database, role)))
    yield ports
    for program in programs:
        program.stop()


def test_each_service_does_its_work_by_its_own_login_and_the_operator_erases_and_lifts(
    database: str, ports: list[int]
) -> None:
    receiving, reading = ports
    until(lambda: status_of(receiving, "/readyz/webhook") == 200)
    assert deliver(receiving, model.body(1, first_name="Ana"))[0] == 200
    token = run("token", "create", "reader", env=environ(DATABASE_URL=database)).splitlines()[-1]
    until(lambda: status_of(reading, "/readyz") == 200)
    until(lambda: get(reading, "/v1/participants/1", token)[0] == 200)
    logins = "select usename from pg_stat_activity where datname = current_database() and application_name = %s"
    for service, role in (("ingest", INGEST_ROLE), ("worker", WORKER_ROLE), ("api", API_ROLE)):
        assert set(query(database, logins.replace("%s", f"'rosterlog {service}'"))) == {(role,)}
    operator = env_of(database, OPERATOR_ROLE)
    assert "1 events" in run("verify", env=operator)
    said = run("erase", "1", "--reason", "asked", "--yes", env=operator)
    assert "this login may not vacuum the tables of another owner" in said
    until(lambda: get(reading, "/v1/participants/1", token)[0] == 404)
    assert deliver(receiving, model.body(1, first_name="Again"))[0] == 200
    until(lambda: query(database, "select min(position) from checkpoint") == [(2,)])
    assert get(reading, "/v1/participants/1", token)[0] == 404
    assert "shown again" in run("erase", "1", "--lift", env=operator)
    assert get(reading, "/v1/participants/1", token)[2]["first_name"] == "Again"


def test_no_session_of_a_running_up_is_the_superusers() -> None:
    """Whoever had taken one of them over could do no more than its service, and could not get back to more."""
    with tempfile.TemporaryDirectory(prefix="rosterlog-up-") as folder:
        Path(folder).chmod(0o711)
        env = environ(ROSTERLOG_DATA_DIR=f"{folder}/data", MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode())
        port = free_port()
        with running("up", "--port", str(port), env=env):
            until(lambda: status_of(port, "/readyz") == 200)
            assert deliver(port, model.body(1))[0] == 200
            logins = "select string_agg(distinct usename, ' ' order by usename) from pg_stat_activity where "
            ours = "application_name like 'rosterlog%' and pid <> pg_backend_pid()"
            assert run("psql", "-Atc", logins + ours, env=env).splitlines()[-1] == (
                f"{API_ROLE} {INGEST_ROLE} {WORKER_ROLE}"
            )
