"""A database of before the first release: refused in one line, and its log taken over by the commands of the docs."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest import postgres
from ingest.database import WORKER_ROLE, sync_engine
from migrations.schema import schema
from tests import model
from tests.acceptance.test_restore import commands, folder, shell
from tests.fold_all import drain, query
from tests.program import environ, run

pytestmark = pytest.mark.acceptance
__all__ = ["folder"]

LOG = "source, position, received_at, event_type, subject, digest, body, signature, chain"
KEPT = (
    f"select {LOG} from event_log order by 1, 2",
    "table event_redelivery",
    "table erasures",
    "select source, name, digest, event_ids, created_at, expires_at, revoked_at, last_used_at from api_token",
)
COMMANDS = ("status", "verify", "erase --list", "rebuild", "token list", "fields")
SERVERS = ("worker", "serve", "up")  # what they say is a log


@pytest.fixture
def old(folder: Path) -> Iterator[postgres.Server]:
    """The embedded server of a data folder of before the first release."""
    with postgres.server(folder / "old", print) as server:
        dumped = Path(__file__).with_name("before_baseline.sql")
        script = f'rosterlog psql --quiet --no-psqlrc --output=/dev/null --set=ON_ERROR_STOP=1 --file="{dumped}"'
        shell(script, ROSTERLOG_DATA_DIR=str(folder / "old"))
        yield server


def test_every_command_refuses_it_in_one_line_and_touches_nothing(old: postgres.Server, folder: Path) -> None:
    def contents() -> list[object]:
        version = query(old.conninfo, "table alembic_version")
        return [schema(old.conninfo, old.programs), version, *(query(old.conninfo, kept) for kept in KEPT)]

    before = contents()
    env = environ(ROSTERLOG_DATA_DIR=str(folder / "old"), MOVEMINT_WEBHOOK_SECRET="x", ROSTERLOG_PORT="0")
    line = (
        "the database is from before the first release (at 0009): dump its log's tables as data and load them into a "
        "new database, as docs/operations.md says under 'From before the first release'"
    )
    for command in COMMANDS:
        assert run(*command.split(), env=env, code=2) == f"rosterlog: {line}\n", command
    assert run("migrate", env=env, code=2).endswith(f"rosterlog: {line}\n")
    for command in SERVERS:
        assert json.loads(run(command, env=env, code=2).splitlines()[-1])["event"] == line, command
    assert contents() == before


def test_its_log_is_taken_over_with_the_same_positions_and_chain(old: postgres.Server, folder: Path) -> None:
    settings = {"OLD": str(folder / "old"), "NEW": str(folder / "new"), "BACKUP": str(folder / "backup")}
    before = [query(old.conninfo, kept) for kept in KEPT]
    with postgres.server(folder / "new", print) as new:
        shell(commands("## From before the first release"), **settings)
        assert [query(new.conninfo, kept) for kept in KEPT] == before
        proof = json.loads(run("verify", "--json", env=environ(ROSTERLOG_DATA_DIR=settings["NEW"])).splitlines()[-1])
        assert proof["ok"] is True
        [movemint, other] = proof["sources"]
        assert (movemint["head"], movemint["erased"], other["head"]) == (5, 2, 1)
        [(chain,)] = query(old.conninfo, "select chain from event_log where source = 'movemint' and position = 5")
        assert movemint["chain"] == chain.hex()
        worker = sync_engine(new.conninfo, WORKER_ROLE)
        drain(worker)
        worker.dispose()
        assert model.stored_roster(new.conninfo) == {"2": (2, 4, "Zoë")}
        assert model.append(new.conninfo, [model.body(1, first_name="Name 1"), model.body(1)]) == [
            (1, False),
            (6, True),
        ]
