"""The commands that prove, show and erase: what they print, their exit codes, and one clear line for bad input."""

import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import psycopg
import pytest

from tests import DEADLINE, model
from tests.program import COMMAND, environ, run, running, until

pytestmark = pytest.mark.acceptance

SECRET = model.SECRET.decode()
PEOPLE = [model.body(number, first_name=f"Somebody {number}") for number in range(1, 6)]


def tamper(database: str, statement: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter table event_log disable trigger all")
        connection.execute(statement.encode())


def proof(env: dict[str, str], *args: str, code: int = 0) -> dict[str, object]:
    printed = json.loads(run("verify", "--json", *args, env=env, code=code).splitlines()[-1])
    assert printed["ok"] == (code == 0)
    [source] = printed["sources"]
    assert isinstance(source, dict)
    return source


def test_verify_prints_a_line_a_source_and_notes_for_the_next_time(database: str) -> None:
    env = environ(DATABASE_URL=database)
    model.append(database, PEOPLE)
    model.append(database, PEOPLE[:2], "spring")
    chain = model.chains(database)[-1].hex()
    said = run("verify", env=env)
    assert f"movemint  ok  5 events (1 to 5)  0 erased  head 5  chain {chain}" in said
    assert "spring  ok  2 events (1 to 2)" in said
    [source] = [proof(env, "--source", "movemint")]
    assert {name: source[name] for name in ("source", "events", "head", "chain", "erased", "problems")} == {
        "source": "movemint", "events": 5, "head": 5, "chain": chain, "erased": 0, "problems": []
    }  # fmt: skip
    model.append(database, [model.body(9)])
    assert proof(env, "--source", "movemint", "--since", "5", "--chain", chain)["events"] == 1


def test_verify_names_the_first_bad_position_and_exits_with_1(database: str) -> None:
    env = environ(DATABASE_URL=database)
    model.append(database, PEOPLE)
    chain = model.chains(database)[-1].hex()
    tamper(database, "delete from event_log where position = 5")
    assert proof(env)["problems"] == []
    assert proof(env, "--since", "5", "--chain", chain, code=1)["problems"] == [
        {"position": 5, "problem": "missing: the log ends at 4, but position 5 was noted"}
    ]
    tamper(database, "update event_log set subject = 'x' where position in (2, 4)")
    said = run("verify", env=env, code=1)
    assert said.index("position 2: the chain breaks") < said.index("position 4: the chain breaks")
    assert "2 PROBLEMS" in said


def test_verify_checks_signatures_with_the_secrets_there_are(database: str) -> None:
    model.append(database, PEOPLE)
    env = environ(DATABASE_URL=database, MOVEMINT_WEBHOOK_SECRET=f"new,{SECRET}")
    assert proof(env, "--signatures")["unknown_secret"] == {"events": 0, "first": 0, "last": 0}
    env = environ(DATABASE_URL=database, MOVEMINT_WEBHOOK_SECRET="new")
    assert proof(env, "--signatures", code=1)["unknown_secret"] == {"events": 5, "first": 1, "last": 5}
    said = run("verify", "--signatures", env=env, code=1)
    assert "position 1: signed with a secret no longer known: 5 events from position 1 to 5" in said
    tamper(database, "update event_log set signature = repeat('a', 64) where position = 3")
    assert "position 3: signature wrong" in run("verify", "--signatures", env=env, code=1)
    assert SECRET not in said


def test_on_a_terminal_verify_shows_how_far_it_is(database: str) -> None:
    model.append(database, PEOPLE)
    screen, terminal = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "verify"], env=environ(DATABASE_URL=database), stdout=subprocess.DEVNULL, stderr=terminal
    ) as process:
        assert process.wait(timeout=DEADLINE) == 0
        shown = os.read(screen, 65_536).decode()
    os.close(terminal)
    os.close(screen)
    assert "5/5" in shown
    assert "events/s" in shown


def test_the_log_is_listed_and_shown_without_bodies_unless_asked_for(database: str) -> None:
    env = environ(DATABASE_URL=database)
    strange = b'{"type": "a\\u001b[2Jb", "data": {}}\r\n\xff'
    model.append(database, [*PEOPLE, strange[:-3], strange, PEOPLE[1]])
    listed = run("log", "list", env=env)
    assert len(listed.splitlines()) == 7
    assert "Somebody" not in listed
    assert "\x1b" not in listed
    assert "a\\u001b[2Jb" in listed
    assert [line.split()[0] for line in run("log", "list", "--from", "2", "--to", "4", env=env).splitlines()] == [
        "4", "3", "2"
    ]  # fmt: skip
    assert run("log", "list", "--subject", "2", env=env).split()[0] == "2"
    assert "+1" in run("log", "list", "--subject", "2", env=env)
    assert run("log", "list", "--type", "nothing", env=env) == ""
    assert len(run("log", "list", "--type", "event.participant.created", env=env).splitlines()) == 5
    oldest = run("log", "list", "--limit", "2", "--oldest", env=env).splitlines()
    assert [line.split()[0] for line in oldest[:-1]] == ["1", "2"]
    assert "there are more: --oldest --from 3" in oldest[-1]
    *newest, more = run("log", "list", "--limit", "2", env=env).splitlines()
    assert [line.split()[0] for line in newest] == ["7", "6"]
    [_, hint] = more.split("there are more: ")
    older = run("log", "list", *hint.split(), "--limit", "5", env=env).splitlines()
    assert [line.split()[0] for line in older] == ["5", "4", "3", "2", "1"], "the hint goes on where the list ended"
    shown = run("log", "show", "2", env=env)
    assert "Somebody" not in shown
    assert model.chains(database)[1].hex() in shown
    exact = subprocess.run(
        [*COMMAND, "log", "show", "7", "--body"], env=env, capture_output=True, check=True, timeout=DEADLINE
    ).stdout
    assert exact.split(b"\n\n", 1)[1] == strange


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("verify", "--since", "3"), "belong together"),
        (("verify", "--chain", "00" * 32), "belong together"),
        (("verify", "--since", "3", "--chain", "xyz"), "64 hex digits"),
        (("verify", "--since", "3", "--chain", "00" * 31), "64 hex digits"),
        (("verify", "--since", "-1", "--chain", "00" * 32), "--since"),
        (("verify", "--since", "9" * 30, "--chain", "00" * 32), "--since"),
        (("verify", "--source", "nonsense"), "there is no source nonsense; there is movemint"),
        (("verify", "--source", b"\xff".decode(errors="surrogateescape")), "not UTF-8"),
        (("log", "list", "--limit", "9" * 20), "--limit"),
        (("erase", "--list", "--source", "movemint"), "go with a participant"),
        (("erase", "1", "--lift", "--reason", "x"), "--reason is for erasing"),
        (("verify", "--signatures"), "MOVEMINT_WEBHOOK_SECRET is not set"),
        (("log", "show", "6"), "movemint has positions 1 to 5"),
        (("log", "show", "0"), "POSITION"),
        (("log", "show", "x"), "POSITION"),
        (("log", "show", "1", "--source", "nonsense"), "there is no source nonsense"),
        (("log", "list", "--from", "6"), "movemint has positions 1 to 5"),
        (("log", "list", "--from", "3", "--to", "2"), "--from 3 is after --to 2"),
        (("log", "list", "--subject", b"\xff".decode(errors="surrogateescape")), "not UTF-8"),
        (("erase", "nobody", "--reason", "x", "--yes"), "knows no participant nobody; nothing was changed"),
        (("erase", b"\xff".decode(errors="surrogateescape"), "--reason", "x", "--yes"), "not UTF-8"),
        (("erase", "1", "--yes"), "give --reason"),
        (("erase", "1", "--reason", "  ", "--yes"), "give --reason"),
        (("erase", "1", "--reason", "x", "--operator", " ", "--yes"), "give --operator"),
        (("erase", "1", "--reason", "x", "--source", "nonsense", "--yes"), "there is no source nonsense"),
        (("erase", "1", "--reason", "x"), "add --yes"),
        (("erase", "1", "--lift"), "no erasure of participant 1"),
        (("erase", "1", "--list"), "name one participant"),
        (("erase",), "name one participant"),
        (("erase", "--list", "--reapply"), "give every other option alone"),
        (("erase", "--import", "/nonexistent"), "/nonexistent"),
        (("erase", "--export", "/nonexistent/file"), "cannot be written"),
        (("pg", "../pg_dump"), "PostgreSQL's programs"),
    ],
)
def test_bad_input_is_one_clear_line_and_changes_nothing(database: str, args: tuple[str, ...], said: str) -> None:
    model.append(database, PEOPLE)
    printed = run(*args, env=environ(DATABASE_URL=database), code=2)
    assert said in printed
    assert "Traceback" not in printed
    assert model.stored_bodies(database) == PEOPLE
    with psycopg.connect(database) as connection:
        assert connection.execute("select count(*) from erasures").fetchone() == (0,)


def test_in_a_wrong_folder_no_database_is_made(tmp_path: Path) -> None:
    env = environ(ROSTERLOG_DATA_DIR=str(tmp_path / "typo"))
    for command in (("pg", "pg_dump"), ("psql",), ("verify",), ("status",), ("erase", "--list")):
        assert "there is no database in" in run(*command, env=env, code=1)
    assert not (tmp_path / "typo").exists()
    (tmp_path / "half" / "postgres").mkdir(parents=True)
    (tmp_path / "half" / "postgres" / "password").write_text("kept")
    said = run("status", env=environ(ROSTERLOG_DATA_DIR=str(tmp_path / "half")), code=1)
    assert "there is no database in" in said
    assert (tmp_path / "half" / "postgres" / "password").read_text() == "kept"


def test_what_postgresqls_programs_write_only_its_owner_can_read(database: str, tmp_path: Path) -> None:
    run("pg", "pg_dump", f"--file={tmp_path / 'dump'}", env=environ(DATABASE_URL=database))
    assert (tmp_path / "dump").stat().st_mode & 0o777 == 0o600


def test_a_source_that_is_gone_altogether_is_missing_not_unknown(database: str) -> None:
    env = environ(DATABASE_URL=database)
    model.append(database, PEOPLE)
    model.append(database, PEOPLE, "spring")
    chain = model.chains(database, "spring")[-1].hex()
    tamper(database, "delete from event_log where source = 'spring'")
    said = run("verify", "--source", "spring", "--since", "5", "--chain", chain, env=env, code=1)
    assert "position 1: missing: the log ends at 0, but position 5 was noted" in said


def test_on_an_empty_log_nothing_is_there_to_be_shown(database: str) -> None:
    env = environ(DATABASE_URL=database)
    assert "movemint  ok  0 events (none)" in run("verify", env=env)
    assert "there is no source nonsense" in run("verify", "--source", "nonsense", env=env, code=2)
    assert run("log", "list", env=env) == ""
    assert "movemint has no event yet" in run("log", "list", "--from", "5", env=env, code=2)
    assert "movemint has no event yet" in run("log", "show", "1", env=env, code=2)
    assert run("erase", "--export", "-", env=env) == "[]\n"


def test_a_damaged_log_can_be_shown(database: str) -> None:
    env = environ(DATABASE_URL=database)
    model.append(database, PEOPLE)
    tamper(database, "alter table event_log drop constraint event_log_pkey, alter column chain drop not null")
    tamper(database, "update event_log set position = 2, chain = null where position = 3")
    shown = run("log", "show", "2", "--body", env=env)
    assert "Somebody 2" in shown
    assert "Somebody 3" in shown
    assert "chain         -" in shown
    assert "missing: the log was damaged" in run("log", "show", "3", env=env, code=1)


def test_a_program_of_postgresqls_ends_at_ctrl_c(database: str) -> None:
    with running("pg", "psql", "-c", "select pg_sleep(60)", env=environ(DATABASE_URL=database)) as program:
        with psycopg.connect(database, autocommit=True) as connection:
            asleep = b"select true from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()"
            until(lambda: connection.execute(asleep).fetchone())
        os.killpg(program.process.pid, signal.SIGINT)
        assert program.process.wait(timeout=DEADLINE) != 0
        program.line("canceling statement")


def test_a_program_of_postgresqls_ends_with_rosterlog(database: str) -> None:
    with running("pg", "psql", "-c", "select pg_sleep(60)", env=environ(DATABASE_URL=database)) as program:
        with psycopg.connect(database, autocommit=True) as connection:
            asleep = b"select true from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()"
            until(lambda: connection.execute(asleep).fetchone())
        assert program.stop(signal.SIGTERM) == 143
