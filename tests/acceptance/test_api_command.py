"""`rosterlog reconcile --api`: what it says and writes down, killed and gone on with, again and again until stopped."""

import json
import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from ingest.simulator.list_server import CLIENT_SECRET, ListManner, ServedList, served_list
from tests import model
from tests.api_lists import BEARER, SECRETS, Answer, answering_server, config_text
from tests.fold_all import drain, query
from tests.program import environ, free_port, run, running, status_of, until

pytestmark = pytest.mark.acceptance

PEOPLE: list[dict[str, Any]] = [
    {"id": number, "event_id": 501, "first_name": f"n{number}", "bib": f"B{number}"} for number in range(1, 26)
]
TOTAL = 'total = "meta.total"\n'


@pytest.fixture
def env(database: str, worker_engine: Engine) -> dict[str, str]:
    model.append(database, [model.body(each.pop("id"), **each) for each in (dict(each) for each in PEOPLE)])
    drain(worker_engine)
    return environ(DATABASE_URL=database, **SECRETS)


@pytest.fixture
def listed() -> Iterator[ServedList]:
    with served_list(PEOPLE, ListManner(size=5)) as server:
        yield server


def config_file(folder: Path, url: str, **text: str) -> str:
    path = folder / "api.toml"
    path.write_text(config_text(url, **text))
    return str(path)


def test_a_list_is_compared_and_written_down_as_a_file_is(
    env: dict[str, str], database: str, worker_engine: Engine, listed: ServedList, tmp_path: Path
) -> None:
    config = config_file(tmp_path, listed.url, path="/events/{event_id}/participants", more=TOTAL)
    arguments = ("reconcile", "--api", config, "--event", "501")
    printed = run(*arguments, env=env)
    assert "/events/{event_id}/participants: 25 rows on 5 pages; taken at " in printed
    assert "25 listed, 25 on the roster\nagreeing 25\n" in printed
    assert printed.endswith("the roster agrees with the list\n")
    listed.rows[0] = {**PEOPLE[0], "bib": "C1"}
    listed.rows.append({"id": 77, "event_id": 501, "first_name": "Ivo"})
    differences = tmp_path / "differences.csv"
    printed = run(*arguments, "--output", str(differences), env=env, code=1)
    assert "missing 1\n  77\nstale 1\n  bib: 1\n  1\n" in printed
    assert "stale,,1,,bib,C1,B1" in differences.read_text()
    printed = run(*arguments, "--apply", "--expect", "26", env=env)
    assert "written down: 2\n" in printed
    assert "the roster then agrees with the list\n" in printed
    drain(worker_engine)
    found = json.loads(run(*arguments, "--json", env=env).splitlines()[-1])
    assert (found["agrees"], found["rows"], found["stale"]) == (True, 26, 0)
    [header] = query(
        database, "select kind, rows_read, pages_read, missing, stale, file_sha256 from reporting.reconciliations"
    )
    assert header[:5] == ("api", 26, 6, 1, 1)
    assert len(header[5]) == 64
    position = str(len(model.stored_bodies(database)))
    assert "is of no file" in run("reconcile", "--certificate", position, "--file", config, env=env, code=2)
    assert "--expect says 30" in run(*arguments, "--apply", "--expect", "30", env=env, code=2)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("api")] == ["api.toml"]
    assert not any(CLIENT_SECRET in text for text in (printed, Path(config).read_text()))


def test_whoever_is_not_listed_and_not_there_is_gone_at_the_first_look(
    env: dict[str, str], database: str, listed: ServedList, tmp_path: Path
) -> None:
    gone = listed.rows.pop(3)
    template = TOTAL + f'participant_url = "{listed.url}/participants/{{participant_id}}"\n'
    arguments = ("reconcile", "--api", config_file(tmp_path, listed.url, more=template), "--apply")
    printed = run(*arguments, env=env)
    assert f"unlisted 1\n  {gone['id']}\n" in printed
    assert "written down: 1\n" in printed
    [(body,)] = query(database, "select body from event_log where event_type = 'rosterlog.participant.unlisted'")
    assert json.loads(body)["absence"] == {"verified_by": "direct answer"}


def test_keys_are_mapped_as_for_a_file(env: dict[str, str], listed: ServedList, tmp_path: Path) -> None:
    listed.rows = [{"who": {"no": each["id"]}, "bib": each["bib"], "shirt": "M"} for each in PEOPLE]
    arguments = ("reconcile", "--api", config_file(tmp_path, listed.url, more=TOTAL))
    assert "no column is known for 'shirt', 'who.no': --map FILE" in run(*arguments, env=env, code=2)
    mapping = str(tmp_path / "map.toml")
    assert "is made" in run(*arguments, "--map", mapping, env=env, code=2)
    text = Path(mapping).read_text().replace('"who.no" = ""', '"who.no" = "participant_id"')
    Path(mapping).write_text(text)
    assert "agreeing 25\n" in run(*arguments, "--map", mapping, env=env)
    of_one = run(*arguments, "--map", mapping, "--event", "501", env=env, code=2)
    assert "does not say in which one each person is" in of_one
    config_file(tmp_path, listed.url, more=TOTAL, rest='[columns]\n"who.no" = "participant_id"\nbib = "bib"\n')
    printed = run(*arguments, env=env)
    assert "who.no: participant_id" in printed
    assert "  not compared: shirt\n" in printed
    assert "has columns: leave --map out" in run(*arguments, "--map", mapping, env=env, code=2)


def test_what_does_not_go_together_is_refused(env: dict[str, str], listed: ServedList, tmp_path: Path) -> None:
    (tmp_path / "events").mkdir()
    of_events = config_file(tmp_path / "events", listed.url, path="/events/{event_id}")
    (tmp_path / "all").mkdir()
    of_all = config_file(tmp_path / "all", listed.url, rest='[columns]\n"id" = "participant_id"\n')
    config = config_file(tmp_path, listed.url)
    taken = ("--taken-at", "2026-05-03T10:00:00Z")
    for arguments, said in (
        (("--api", config, "--file", config), "--file FILE or --api CONFIG, not both"),
        (("--api", config, *taken), "--taken-at belongs to --file FILE"),
        (("--api", config, "--every", "6 hours"), "a length of time has its unit"),
        (("--api", config, "--every", "999999d"), "999999d is longer than 366d"),
        (("--api", config, "--every", "0s"), "--every is a second or more"),
        (("--file", config, "--every", "6h"), "--every and --state-dir belong to --api CONFIG"),
        (("--inner", "--api", config), "--inner compares whole sources"),
        (("--certificate", "1", "--api", config), "give it alone"),
        (("--api", str(tmp_path / "none.toml")), "none.toml cannot be read: No such file"),
        (("--api", config, "--state-dir", str(tmp_path / "none")), "give --state-dir another folder"),
        (("--api", of_events), "name each event with --event"),
        (("--api", of_all, "--event", "501"), "put {event_id} into url where it has the event's id, or map a key to"),
    ):
        assert said in run("reconcile", *arguments, env=env, code=2)
    without = {name: value for name, value in env.items() if name not in SECRETS}
    refused = run("reconcile", "--api", config_file(tmp_path, listed.url), env=without, code=2)
    assert "ROSTERLOG_API_CLIENT_SECRET is not set" in refused
    assert listed.asked == []


def test_a_list_is_not_read_for_a_roster_that_is_not_there(database: str, listed: ServedList, tmp_path: Path) -> None:
    env = environ(DATABASE_URL=database, **SECRETS)
    arguments = ("reconcile", "--api", config_file(tmp_path, listed.url))
    assert "there is no roster yet" in run(*arguments, env=env, code=2)
    assert listed.asked == []


def test_killed_in_the_middle_it_asks_for_the_pages_that_are_left(env: dict[str, str], tmp_path: Path) -> None:
    reached, go_on = threading.Event(), threading.Event()
    pages: list[str] = []
    listed = ServedList([*PEOPLE], ListManner(size=5), lambda: None, token=SECRETS["ROSTERLOG_API_TOKEN"])

    def answers(method: str, target: str, headers: Mapping[str, str]) -> Answer:
        pages.append(target)
        if len(pages) == 3:
            reached.set()
            go_on.wait()
        status, more, document = listed.answer(method, target, headers["Authorization"], "")
        return status, more, json.dumps(document).encode()

    state = tmp_path / "state"
    state.mkdir()
    with answering_server(answers) as url:
        config = config_file(tmp_path, url, more=TOTAL, entry=BEARER)
        arguments = ("reconcile", "--api", config, "--state-dir", str(state))
        with running(*arguments, env=env) as killed:
            assert reached.wait(60)
            killed.stop(signal.SIGKILL)
        go_on.set()
        assert {path.name for path in state.iterdir()} == {"api.toml.rows", "api.toml.reached"}
        del pages[:]
        printed = run(*arguments, env=env)
        assert len(pages) == 3
        assert "goes on after page 2" in printed
        assert "25 listed, 25 on the roster\nagreeing 25\n" in printed
    assert [*state.iterdir()] == []


def test_again_and_again_until_it_is_stopped(env: dict[str, str], tmp_path: Path) -> None:
    port = free_port()
    config = config_file(tmp_path, f"http://127.0.0.1:{port}", more=TOTAL, rest="[limits]\nattempts = 1\n")
    with running("reconcile", "--api", config, "--apply", "--every", "1s", env=env) as looking:
        looking.line(r"this look failed: .*no answer \(ConnectError\)")
        looking.line("the next look is at 20")
        until(lambda: [path.name for path in tmp_path.iterdir()] == ["api.toml"])
        with served_list([*PEOPLE, {"id": 77, "event_id": 501}], ListManner(size=5), port) as listed:
            found = looking.line(
                r"^movemint at position 25: agrees, missing 1, stale 0, .* written down 1, with the obs"
            )
            until(lambda: len([line for line in looking.lines if line.startswith("movemint at")]) > 1)
            assert sum("/participants" in target for target in listed.asked) >= 6
        assert looking.lines.count(found.string) == 1
        assert looking.stop(signal.SIGTERM) == 0


def test_a_configuration_that_cannot_be_used_ends_it_at_once_and_is_noted(
    env: dict[str, str], database: str, listed: ServedList, tmp_path: Path
) -> None:
    always = ("--apply", "--every", "1s")
    config = config_file(tmp_path, listed.url)
    assert "cannot be read" in run("reconcile", "--api", str(tmp_path / "none.toml"), *always, env=env, code=2)
    without = {name: value for name, value in env.items() if name not in SECRETS}
    assert "is not set" in run("reconcile", "--api", config, *always, env=without, code=2)
    other_fields = {**env, "ROSTERLOG_FIELDS": str(tmp_path / "none.toml")}
    assert "none.toml" in run("reconcile", "--api", config, *always, env=other_fields, code=2)
    assert listed.asked == []
    [(failures, why)] = query(database, "select failures, why from failed_look")
    assert failures == 3
    assert "none.toml" in why


def test_a_database_that_is_away_is_no_end(listed: ServedList, tmp_path: Path) -> None:
    away = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    env = environ(DATABASE_URL=away, **SECRETS)
    with running("reconcile", "--api", config_file(tmp_path, listed.url), "--every", "1s", env=env) as looking:
        until(lambda: len([line for line in looking.lines if "this look failed" in line]) > 1)
        assert looking.stop(signal.SIGINT) == 0
    assert listed.asked == []


def test_the_simulator_serves_a_list_that_drifts_as_it_says(
    database: str, worker_engine: Engine, tmp_path: Path
) -> None:
    env = environ(DATABASE_URL=database, MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode(), **SECRETS)
    port = free_port()
    drifts = ("missed=2", "stale=2", "hidden=1", "late=1", "changed=1")
    asked = [option for drift in drifts for option in ("--drift", drift)]
    url = f"http://127.0.0.1:{port}/webhooks/movemint"
    served = ("--list", "0", "--list-size", "10", "--list-trouble", "limited", "--list-trouble", "failing")
    with running("ingest", "--port", str(port), env=env):
        until(lambda: status_of(port, "/readyz") == 200)
        with running("simulate", "--url", url, "--count", "20", *served, *asked, env=env) as simulated:
            place = simulated.line(r"^listed +25 at (\S+)/participants and")[1]
            drain(worker_engine)
            config = config_file(tmp_path, place, more=TOTAL, rest="[limits]\nrequests_a_second = 100\n")
            columns = '[columns]\nid = "participant_id"\nfirst_name = "first_name"\nbib = "bib"\n'
            columns += 'last_name = "last_name"\nteam = "team"\ncity = "city"\nstatus = "status"\n'
            Path(config).write_text(Path(config).read_text() + columns)
            found = json.loads(run("reconcile", "--api", config, "--json", env=env, code=1).splitlines()[-1])
            planted = {name: simulated.line(rf"^{name} +([\d, ]+)$")[1].split(", ") for name in ("missed", "hidden")}
            assert simulated.stop(signal.SIGTERM) == 0
    ids = [each["participant_id"] for each in found["examples"] if each["kind"] in ("missing", "unlisted")]
    assert ids == [*planted["missed"], *planted["hidden"]]
    assert (found["rows"], found["stale"], found["unknowable"]) == (25, 2, 0), "what came since is not folded"
