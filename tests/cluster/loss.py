"""Rung 6, asynchronous by choice: a failover loses what was answered 200, and what finds it."""

import json
import time
from collections.abc import Callable

from tests import model
from tests.cluster.follower import Follower
from tests.cluster.judge import is_folded, judge
from tests.cluster.node import Node
from tests.cluster.patroni import Cluster, two_nodes
from tests.cluster.services import Services, services
from tests.cluster.table import Table
from tests.fold_all import query
from tests.program import deliver, environ, get, run, said, until

KEPT, LOST, AFTER = 60, 40, 80  # deliveries: that the standby hears of, that it does not, and after the failover
_FAILOVER_SECONDS = 90.0
_HEARD = "select coalesce(bool_and(replay_lsn = pg_current_wal_lsn()), false) from pg_stat_replication"


def run_loss(say: Callable[[str], None]) -> Table:
    table = Table("Two nodes without synchronous_mode: a failover that loses something", ("what", "how it was"))
    with two_nodes(is_synchronous=False) as cluster, services(cluster.addresses) as programs:
        leader = cluster.leader()
        follower = Follower(programs.api, _token(cluster))
        warned = until(lambda: get(programs.ingest, "/readyz/webhook")[2].get("detail"))
        before = _deliver(programs, "kept", KEPT)
        until(lambda: query(leader.address(), _HEARD) == [(True,)])
        leader.peers[0].silence()  # the way of the write-ahead log
        leader.peers[0].swallows = True
        lost = _deliver(programs, "lost", LOST)
        until(lambda: is_folded(leader.address(dbname="rosterlog")))
        follower.catch_up()
        noted = _noted(cluster)
        say(f"noted: {noted['head']}; the leader dies")
        after, seconds = _after_failover(cluster, leader, programs)
        table.rows += [
            ("`/readyz/webhook` said before", warned),
            ("answered 200 before", len(before) + len(lost)),
            ("seconds to the first 200 after it", f"{seconds:.0f}"),
        ]
        _judge(cluster, {**before, **lost}, after, table)
        _verify(cluster, noted, table)
        follower.catch_up()
        table.rows.append(("a follower of `/v1/changes`", f"`reset`: {follower.resets}; its copy is the roster's"))
        if follower.resets != 1 or not follower.is_right():
            table.problems.append(f"the follower was reset {follower.resets} times, or its copy is wrong")
        table.problems += programs.ended()
    return table


def _token(cluster: Cluster) -> str:
    return run("token", "create", "reader", env=environ(DATABASE_URL=cluster.owner)).splitlines()[-1]


def _operator(cluster: Cluster) -> dict[str, str]:
    return environ(DATABASE_URL=cluster.addresses["operator"])


def _noted(cluster: Cluster) -> dict[str, object]:
    """What `verify` says of the source, such as a person notes elsewhere."""
    [line] = [line for line in run("verify", "--json", env=_operator(cluster)).splitlines() if line.startswith("{")]
    source: dict[str, object] = json.loads(line)["sources"][0]
    return source


def _deliver(programs: Services, name: str, number: int) -> dict[bytes, int]:
    """Deliver about so many new people, each until it is answered 200; gives the positions."""
    answered: dict[bytes, int] = {}
    for each in range(number):
        content = model.body(f"{name}-{each}", first_name=name)

        def send(content: bytes = content) -> int | None:
            status, answer = deliver(programs.ingest, content)
            return answer["position"] if status == 200 else None

        answered[content] = until(send, _FAILOVER_SECONDS)
    return answered


def _after_failover(cluster: Cluster, leader: Node, programs: Services) -> tuple[dict[bytes, int], float]:
    """Kill the leader, deliver to the one that takes over, and let the old one return."""
    begun = time.monotonic()
    leader.kill()
    first = _deliver(programs, "first", 1)
    seconds = time.monotonic() - begun
    after = {**first, **_deliver(programs, "after", AFTER - 1)}
    leader.join()
    leader.start()
    until(lambda: is_folded(cluster.leader().address(dbname="rosterlog")))
    return after, seconds


def _judge(cluster: Cluster, before: dict[bytes, int], after: dict[bytes, int], table: Table) -> None:
    address = cluster.leader().address(dbname="rosterlog")
    gone, kept = judge(address, before), judge(address, after)
    table.rows += [
        ("**of these lost: not in the log any more**", f"**{gone.lost}**"),
        ("answered 200 after it, and lost", kept.lost),
        ("doubled; gaps; participants other than the model's", f"{kept.doubled}; {kept.gaps}; {kept.wrong_on_roster}"),
    ]
    table.problems += kept.problems
    if gone.lost != LOST:
        table.problems.append(f"{gone.lost} lost where {LOST} were to be")


def _verify(cluster: Cluster, noted: dict[str, object], table: Table) -> None:
    """By itself the log that is left is a good one: only what was noted elsewhere shows that it had another end."""
    since = ("--since", str(noted["head"]), "--chain", str(noted["chain"]))
    found = run("verify", "--source", "movemint", *since, env=_operator(cluster), code=1)
    problem = next(line.strip() for line in found.splitlines() if line.startswith("  position"))
    alone = said("verify", env=_operator(cluster))
    table.rows += [
        ("`verify` with nothing noted", "ok" if "movemint  ok" in alone else alone),
        (f"`verify --since {noted['head']} --chain ...`, noted before", f"exit code 1: {problem}"),
    ]
