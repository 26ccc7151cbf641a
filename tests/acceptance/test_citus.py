"""rosterlog on Citus, a coordinator with two workers: nothing is lost, doubled or shown otherwise than on PostgreSQL.

They run one after the other on one database: what was answered 200 is remembered by the senders alone.
"""

import http.client
import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from tests import DEADLINE, citus, model
from tests.program import deliver, environ, free_port, get, run, running, said, status_of, until

pytestmark = [pytest.mark.acceptance, citus.needs_citus]

SOURCES = ("movemint", "spring", "winter", "hill", "river", "harbour")
SECRETS = {"ROSTERLOG_SOURCES": json.dumps({source: [model.SECRET.decode()] for source in SOURCES})}
PEOPLE = 12
_PAUSE = 0.1  # seconds, between two deliveries of a source: what is tested is whether they are kept, not how many


@dataclass
class Site:
    """The database, and the servers and the worker on it, each by its own login.

    `kept`: by source the deliveries that were answered 200, by their positions.
    """

    owner: str
    addresses: dict[str, str]
    port: int
    api: int
    tokens: dict[str, str]
    kept: dict[str, dict[int, bytes]] = field(default_factory=lambda: {source: {} for source in SOURCES})
    slowest: float = 0.0
    answered: int = 0

    def env(self, service: str) -> dict[str, str]:
        return environ(DATABASE_URL=self.addresses[service], **SECRETS)

    def bodies(self, source: str) -> list[bytes]:
        """What was answered 200, in the order of its positions, of which none is missing."""
        kept = self.kept[source]
        assert sorted(kept) == [*range(1, len(kept) + 1)]
        return [kept[position] for position in sorted(kept)]

    def roster(self, source: str) -> dict[str, tuple[int, int, str | None]]:
        """What the API gives: id -> first position, position, first name."""
        rows, path = {}, "/v1/participants?limit=5"
        following: str | None = ""
        while following is not None:
            cursor = f"&cursor={following}" if following else ""
            status, _, page = get(self.api, f"{path}{cursor}", self.tokens[source])
            assert status == 200, page
            for row in page["data"]:
                rows[row["participant_id"]] = (row["first_position"], row["position"], row["first_name"])
            following = page["next"]
        return rows

    def is_exact(self, source: str) -> bool:
        """Whether the roster is the model's of what was answered 200."""
        return self.roster(source) == model.roster(self.bodies(source))


def migrated(owner: str) -> dict[str, str]:
    """The addresses of the services' logins on a database that was just distributed."""
    env = environ(DATABASE_URL=owner)
    assert "distributed by source over" in run("migrate", "--citus", env=env)
    renewed = [each for service in ("ingest", "worker", "api", "operator") for each in ("--renew", service)]
    printed = run("migrate", "--roles", "--logins", *renewed, env=env)
    return dict(re.findall(r"^(\w+) +(postgresql://\S+)$", printed, re.MULTILINE))


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with citus.database() as owner, ExitStack() as stack:
        addresses = migrated(owner)
        site = Site(owner, addresses, free_port(), free_port(), {})
        run("rebuild", "--yes", env=site.env("worker"))  # the first builds
        for source in SOURCES:
            made = run("token", "create", f"app of {source}", "--source", source, env=environ(DATABASE_URL=owner))
            site.tokens[source] = re.findall(r"rosterlog_[\w-]{20,}", made)[0]
        stack.enter_context(running("ingest", "--port", str(site.port), env=site.env("ingest")))
        stack.enter_context(running("api", "--port", str(site.api), env=site.env("api")))
        stack.enter_context(running("worker", env=site.env("worker")))
        for port in (site.port, site.api):
            until(partial(is_up, port))
        yield site


def is_up(port: int) -> bool:
    return status_of(port, "/healthz") == 200


@contextmanager
def senders(site: Site) -> Iterator[None]:
    """Deliver to every source for the block, each until it is answered 200, and every tenth again."""
    enough = threading.Event()
    with ThreadPoolExecutor(len(SOURCES)) as pool:
        sending = [pool.submit(_send, site, source, enough) for source in SOURCES]
        try:
            yield
        finally:
            enough.set()
        for future in sending:
            future.result(timeout=DEADLINE)


def _send(site: Site, source: str, enough: threading.Event) -> None:
    while not enough.is_set():
        number = len(site.kept[source]) + 1
        content = model.body(
            f"{source}-{number % PEOPLE}", first_name=f"{source} {number}", event_id=f"race {number % 3}",
            updated_at=f"2026-05-{1 + number // 3600:02d}T10:{number // 60 % 60:02d}:{number % 60:02d}Z",
        )  # fmt: skip
        position = _delivered(site, source, content)
        assert site.kept[source].setdefault(position, content) == content, "a position has one delivery"
        if number % 10 == 0:
            assert _delivered(site, source, content) == position, "delivered again, it is the same event"
        enough.wait(_PAUSE)


def _delivered(site: Site, source: str, content: bytes) -> int:
    begun = time.monotonic()
    while True:
        try:
            status, answer = deliver(site.port, content, source=source)
        except (OSError, http.client.HTTPException):
            status = 0
        if status == 200:
            site.slowest = max(site.slowest, time.monotonic() - begun)
            site.answered += 1
            return int(answer["position"])
        assert status in (0, 503), answer
        assert time.monotonic() < begun + DEADLINE
        threading.Event().wait(0.05)


def check(site: Site) -> None:
    """Log, roster, history of every source are those of what was answered 200."""
    for source in SOURCES:
        until(partial(site.is_exact, source))
        assert model.stored_bodies(site.owner, source) == site.bodies(source)
    printed = run("verify", env=site.env("operator"))
    assert all(re.search(rf"^{source} +ok +{len(site.kept[source])} events", printed, re.M) for source in SOURCES)


def test_what_is_of_a_source_is_on_one_node_and_the_sources_on_both(site: Site) -> None:
    with senders(site):
        until(lambda: all(len(kept) > 30 for kept in site.kept.values()))
    assert len({citus.place(site.owner, source)[1:] for source in SOURCES}) == 2
    check(site)
    print(f"answered {site.answered}, the slowest after {site.slowest:.1f} s")  # noqa: T201 - the figures


def test_a_second_migration_changes_nothing(site: Site) -> None:
    shards = "select count(*), max(shardid) from pg_dist_shard"
    before = citus.query(site.owner, shards)
    env = environ(DATABASE_URL=site.owner)
    assert "distributed by source over" in run("migrate", "--citus", env=env)
    assert "already at" in run("migrate", env=env)
    assert citus.query(site.owner, shards) == before


def test_the_past_an_export_and_the_status_are_the_logs(site: Site) -> None:
    bodies = site.bodies("spring")
    status, _, page = get(site.api, "/v1/participants?as_of=20&limit=100", site.tokens["spring"])
    assert status == 200, page
    past = {row["participant_id"]: (row["first_position"], row["position"]) for row in page["data"]}
    assert past == {id_: row[:2] for id_, row in model.roster(bodies[:20]).items()}

    exported = run("export", "participants", "--format", "ndjson", "--source", "spring", env=site.env("api"))
    lines = [json.loads(line) for line in exported.splitlines() if line.startswith("{")]
    assert {row["participant_id"] for row in lines} == model.roster(bodies).keys()

    printed = said("status", "--json", env=site.env("api"))
    told = json.loads(printed[printed.index("{") :])
    heads = {each["source"]: (each["head"], each["lag"]) for each in told["sources"]}
    assert heads == {source: (len(site.kept[source]), 0) for source in SOURCES}


def test_an_erasure_is_carried_out_and_lifted(site: Site) -> None:
    person, env = "winter-3", site.env("operator")
    erased = ("erase", person, "--source", "winter", "--operator", "the tests", "--reason", "a test", "--yes")
    assert "emptied" in run(*erased, env=env)
    assert person not in site.roster("winter")
    later = model.body(person, first_name="after it", updated_at="2026-06-01T10:00:00Z")
    position = _delivered(site, "winter", later)
    until(lambda: get(site.api, "/v1/status", site.tokens["winter"])[2]["sources"][0]["lag"] == 0)
    assert person not in site.roster("winter"), "what comes about an erased participant is not shown"

    assert "1 body (positions " in run("erase", person, "--source", "winter", "--lift", "--yes", env=env)
    assert site.roster("winter")[person][1:] == (position, "after it")
    assert "winter  ok" in run("verify", "--source", "winter", env=env)
    site.kept["winter"][position] = later


def test_a_rebuild_goes_live_under_deliveries_and_back(site: Site) -> None:
    env = site.env("worker")
    with senders(site):
        assert "0 added, 0 removed, 0 changed" in run("rebuild", "participants", "--yes", env=env)
        assert "is live again" in run("rebuild", "participants", "--rollback", "--yes", env=env)
        run("rebuild", "registrations", "--yes", env=env)
    for source in SOURCES:
        if source != "winter":
            until(partial(site.is_exact, source))
        status, _, changes = get(site.api, "/v1/changes?limit=1", site.tokens[source])
        assert status == 200, changes


def test_a_list_of_the_source_is_written_down(site: Site, tmp_path: Path) -> None:
    listed = tmp_path / "list.csv"
    _, _, page = get(site.api, "/v1/participants?limit=100", site.tokens["hill"])
    rows = [f"{row['participant_id']},{row['first_name']},{row['event_id']}" for row in page["data"]]
    listed.write_text("\n".join(["id,first_name,event_id", *rows, "hill-new,Somebody,race 1"]))
    printed = said("reconcile", "--source", "hill", "--file", str(listed), "--apply", env=site.env("operator"))
    assert "written down: 1" in printed, printed
    until(lambda: "hill-new" in site.roster("hill"), 30)


def test_a_shard_moves_under_deliveries_and_nothing_is_lost(site: Site) -> None:
    before, site.slowest = site.answered, 0.0
    with senders(site):
        citus.move(site.owner, "river")
        citus.move(site.owner, "harbour")
        citus.move(site.owner, "river")
    print(f"answered {site.answered - before} during three moves, the slowest after {site.slowest:.1f} s")  # noqa: T201
    for source in ("movemint", "spring", "river", "harbour"):
        until(partial(site.is_exact, source))
        assert model.stored_bodies(site.owner, source) == site.bodies(source)
        assert re.search(rf"^{source} +ok", run("verify", "--source", source, env=site.env("operator")), re.M)
