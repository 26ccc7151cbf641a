"""The commands that prove, show and erase: what they print, their exit codes, and one clear line for bad input."""

import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import psycopg
import pytest

from tests import model
from tests.acceptance.program import COMMAND, DEADLINE, deliver, environ, free_port, get, run, running, status_of, until

pytestmark = pytest.mark.acceptance

SECRET = model.SECRET.decode()
PEOPLE = [model.body(number, first_name=f"Somebody {number}") for number in range(1, 6)]


def tamper(database: str, statement: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter table event_log disable trigger all")
        connection.execute(statement.encode())


def proof(env: dict[str, str], *args: str, code: int = 0) -> dict[str, object]:
    found = json.loads(run("verify", "--json", *args, env=env, code=code).splitlines()[-1])
    assert found["ok"] == (code == 0)
    [source] = found["sources"]
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
        "2", "3", "4"
    ]  # fmt: skip
    assert run("log", "list", "--subject", "2", env=env).split()[0] == "2"
    assert "+1" in run("log", "list", "--subject", "2", env=env)
    assert run("log", "list", "--type", "nothing", env=env) == ""
    assert len(run("log", "list", "--type", "event.participant.created", env=env).splitlines()) == 5
    assert "there are more: --from 3" in run("log", "list", "--limit", "2", env=env)
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
        (("erase", "--list", "--reapply"), "done by itself"),
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


def test_a_file_that_is_no_export_is_refused_whole(database: str) -> None:
    env = environ(DATABASE_URL=database)
    model.append(database, PEOPLE)
    run("erase", "1", "--reason", "asked", "--yes", env=env)
    [exported] = json.loads(run("erase", "--export", "-", env=env))
    for wrong in ("", "{}", "[1]", json.dumps([{**exported, "digests": ["00"]}]), json.dumps([{"source": "x"}])):
        found = subprocess.run(
            [*COMMAND, "erase", "--import", "-"], env=env, input=wrong, capture_output=True, text=True, check=False
        )
        assert (found.returncode, found.stdout) == (2, "")
        assert "this is no export of erasures" in found.stderr


def test_an_erased_person_is_on_no_answer_and_a_redelivery_brings_nothing_back(database: str, tmp_path: Path) -> None:
    port = free_port()
    env = environ(DATABASE_URL=database, MOVEMINT_WEBHOOK_SECRET=SECRET)
    token = run("token", "create", "reader", env=env).splitlines()[-1]
    model.append(database, PEOPLE)

    def ids() -> set[str]:
        status = get(port, "/v1/status", token)[2]["sources"][0]
        found = get(port, "/v1/participants", token)[2]["data"]
        return {one["participant_id"] for one in found} if status["lag"] == 0 else set()

    with running("serve", "--port", str(port), env=env), running("worker", env=env):
        until(lambda: status_of(port, "/readyz") == 200)
        until(lambda: ids() == {"1", "2", "3", "4", "5"})
        said = run("erase", "3", "--reason", "asked for it", "--operator", "Ops", "--yes", env=env)
        assert "erased participant 3 of movemint: 1 body (positions 3) emptied" in said
        assert ids() == {"1", "2", "4", "5"}
        assert get(port, "/v1/participants/3", token)[0] == 404
        assert deliver(port, PEOPLE[2]) == (200, {"status": "duplicate", "source": "movemint", "position": 3})
        assert deliver(port, model.body(3, first_name="Later"))[1]["status"] == "stored"
        deliver(port, model.body(6))
        until(lambda: "6" in ids())
        assert ids() == {"1", "2", "4", "5", "6"}
        listed = run("erase", "--list", env=env)
        assert "participant 3" in listed
        assert "by Ops: asked for it  (positions 3)" in listed
        assert "arrived since, kept and shown to nobody: positions 6" in listed
        assert "Later" not in listed
        assert "erased already" not in run("erase", "3", "--reason", "again", "--yes", env=env)
        assert "is erased already" in run("erase", "3", "--reason", "again", "--yes", env=env)
        assert "the body was erased" in run("log", "show", "3", "--body", env=env, code=1)
        assert proof(env)["erased"] == 2
        model.append(database, [model.body(3, first_name="Much later")])
        run("erase", "3", "--lift", env=env, code=0)
        until(lambda: "3" in ids())
        assert get(port, "/v1/participants/3", token)[2]["first_name"] == "Much later"
        target = tmp_path / "erasures.json"
        run("erase", "--export", str(target), env=env)
        run("erase", "--export", str(target), env=env)
        assert target.stat().st_mode & 0o777 == 0o600
        assert "took over 2 erasures, 0 of them new" in run("erase", "--import", str(target), "--reapply", env=env)
        assert ids() == {"1", "2", "3", "4", "5", "6"}


def test_asked_for_a_yes_only_a_yes_erases(database: str) -> None:
    env = environ(DATABASE_URL=database)
    model.append(database, PEOPLE)
    command = [*COMMAND, "erase", "2", "--reason", "asked"]
    for answer, code, left in (("n\n", 1, 5), ("y\n", 0, 4)):
        found = subprocess.run(command, env=env, input=answer, capture_output=True, text=True, check=False)
        assert found.returncode == code
        assert "Erase 1 body (positions 2) of participant 2 of movemint?" in found.stderr
        assert len(set(PEOPLE).intersection(model.stored_bodies(database))) == left


def test_promise_7_an_erase_that_is_killed_changed_nothing(database: str) -> None:
    """Killed at its last step, with everything done and nothing committed."""
    env = environ(DATABASE_URL=database)
    model.append(database, PEOPLE)
    with psycopg.connect(database, autocommit=True) as gate:
        gate.execute("create table zz_last (source text, participant_id text)")
        gate.execute("insert into zz_last values ('movemint', '2')")
        gate.execute(
            "create function wait_at_gate() returns trigger language plpgsql security definer as "
            "$$ begin perform pg_advisory_xact_lock_shared(4711); return old; end $$"
        )
        gate.execute("create trigger gate before delete on zz_last for each row execute function wait_at_gate()")
        gate.execute("select pg_advisory_lock(4711)")
        waiting = b"select pid from pg_stat_activity where datname = current_database() and wait_event = 'advisory'"
        held = b"select pid from pg_locks where relation = 'checkpoint'::regclass"
        with subprocess.Popen([*COMMAND, "erase", "2", "--reason", "asked", "--yes"], env=env) as process:
            until(lambda: gate.execute(waiting).fetchone())
            assert gate.execute(held).fetchone() is not None
            process.kill()
        gate.execute("select pg_advisory_unlock(4711)")
        until(lambda: gate.execute(held).fetchone() is None)
    assert model.stored_bodies(database) == PEOPLE
    with psycopg.connect(database) as connection:
        assert connection.execute("select count(*) from erasures").fetchone() == (0,)
        assert connection.execute("select count(*) from zz_last").fetchone() == (1,)


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


def test_what_is_printed_cannot_move_the_cursor(database: str) -> None:
    env = environ(DATABASE_URL=database)
    model.append(database, [model.body("7\x1b[2Jx\rforged")])
    run("erase", "7\x1b[2Jx\rforged", "--reason", "asked", "--yes", env=env)
    for command in (("erase", "--list"), ("log", "list"), ("log", "show", "1")):
        said = run(*command, env=env)
        assert "7\\u001b[2Jx\\u000dforged" in said
        assert "\x1b" not in said


def test_erase_leaves_no_old_row_versions_and_is_done_even_if_they_cannot_be_removed(database: str) -> None:
    env = environ(DATABASE_URL=database)
    model.append(database, PEOPLE)
    versions = b"select count(*) from heap_page_items(get_raw_page('event_log', 0)) where t_data is not null"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create extension pageinspect")
        run("erase", "1", "--reason", "asked", "--yes", env=env)
        assert connection.execute(versions).fetchone() == (5,)
        connection.execute("begin")
        connection.execute("lock table event_log in share update exclusive mode")
        said = run("erase", "2", "--reason", "asked", "--yes", env=env)
        connection.execute("rollback")
    assert "erased participant 2 of movemint" in said
    assert "the old row versions are in the tables until the next vacuum" in said


def test_a_program_of_postgresqls_ends_at_ctrl_c(database: str) -> None:
    with running("pg", "psql", "-c", "select pg_sleep(60)", env=environ(DATABASE_URL=database)) as program:
        with psycopg.connect(database, autocommit=True) as connection:
            asleep = b"select true from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()"
            until(lambda: connection.execute(asleep).fetchone())
        os.killpg(program.process.pid, signal.SIGINT)
        assert program.process.wait(timeout=20) != 0
        program.line("canceling statement")
