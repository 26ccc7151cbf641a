"""Rung 6: the leader of two nodes fails in each way, under load, while every commit waits for the other one."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from tests.cluster.judge import is_folded, judge
from tests.cluster.load import Record, loaded
from tests.cluster.node import Node
from tests.cluster.patroni import Cluster, two_nodes
from tests.cluster.services import Services, services
from tests.cluster.table import Table
from tests.cluster.watch import Look, after_outage, folded_at, usual_delay, watching
from tests.program import environ, run, until

BEFORE, AFTER = 100, 150  # deliveries answered before a fault, and after it
_FAILOVER_SECONDS = 90.0
_LATE_SECONDS = 2.0  # after the server takes writes again, by which the programs have to go on
_STAYS_SECONDS = 5.0  # that a leader stands still or is cut off after the other one has taken over
_HEAD = (
    "what happens to the leader", "until a server takes writes", "then: next 200", "next page", "all on the roster",
    "on the roster otherwise within",
    "answered 503",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """`during`: lasts for the block. `fails_over`: the other node takes over."""

    name: str
    during: Callable[[Cluster, Node], AbstractContextManager[None]]
    fails_over: bool = True


@contextmanager
def _killed(_cluster: Cluster, leader: Node) -> Iterator[None]:
    leader.kill()
    yield
    leader.start()


@contextmanager
def _postgres_killed(_cluster: Cluster, leader: Node) -> Iterator[None]:
    leader.kill_postgres()
    yield


@contextmanager
def _stopped(_cluster: Cluster, leader: Node) -> Iterator[None]:
    leader.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        leader.signal(signal.SIGCONT)


def _cut(*, clients: bool) -> Callable[[Cluster, Node], AbstractContextManager[None]]:
    @contextmanager
    def during(_cluster: Cluster, leader: Node) -> Iterator[None]:
        leader.cut(clients=clients)
        try:
            yield
        finally:
            leader.join()

    return during


@contextmanager
def _switched(cluster: Cluster, leader: Node) -> Iterator[None]:
    other = cluster.other(leader)
    said = other.control("switchover", "rosterlog", "--leader", leader.name, "--candidate", other.name, "--force")
    assert "Successfully switched over" in said, said
    yield


FAULTS = (
    Fault("Patroni and PostgreSQL killed (`kill -9`)", _killed),
    Fault("PostgreSQL alone killed; Patroni starts it again", _postgres_killed, fails_over=False),
    Fault("all its processes stand still, and go on later", _stopped),
    Fault("cut off from everything, joined again later", _cut(clients=True)),
    Fault("cut off from etcd and the other node, but not from the programs", _cut(clients=False)),
    Fault("switched over by hand (`patronictl switchover`)", _switched),
)


def run_failovers(say: Callable[[str], None]) -> Table:
    table = Table("Two nodes with synchronous_mode (deploy/patroni: ttl 20 s), under load", _HEAD)
    with two_nodes() as cluster, services(cluster.addresses) as programs:
        token = run("token", "create", "reader", env=environ(DATABASE_URL=cluster.owner)).splitlines()[-1]
        servers = {node.name: node.address(dbname="rosterlog", target_session_attrs="read-write")
                   for node in cluster.nodes}  # fmt: skip
        with watching(servers) as looks, loaded(programs, token) as record:
            for fault in FAULTS:
                known = len(table.problems)
                row = _fail(cluster, fault, record, looks, table.problems)
                say(" | ".join(map(str, row)))
                if len(table.problems) > known:
                    say("\n".join(programs.last_lines()))
                table.rows.append(row)
                table.problems += programs.ended()
            cluster.leader()
        _judge(cluster, programs, record, table)
    return table


def _fail(cluster: Cluster, fault: Fault, record: Record, looks: list[Look], problems: list[str]) -> tuple[object, ...]:
    leader = cluster.leader()
    record.until_answered(BEFORE)
    begun = time.monotonic()
    usual = usual_delay(looks, begun)
    with fault.during(cluster, leader):
        until(lambda: _takes_writes(looks, begun, leader, fails_over=fault.fails_over), _FAILOVER_SECONDS)
        record.until_answered(AFTER)
        if fault.fails_over:
            time.sleep(_STAYS_SECONDS)
    cluster.leader()
    to = time.monotonic()
    written = after_outage([look.at for look in looks], begun, to)
    answered = after_outage(record.delivered_at, begun, to)
    paged = after_outage(record.paged_at, begun, to)
    folded = until(lambda: folded_at(looks, answered))
    after = {"next 200": answered - written, "next page": paged - written, "all on the roster": folded - written}
    allowed = {"all on the roster": _LATE_SECONDS + usual}
    problems += [
        f"{fault.name}: {what} {seconds:.1f} s after the server took writes"
        for what, seconds in after.items()
        if seconds > allowed.get(what, _LATE_SECONDS)
    ]
    refused = sum(begun <= at <= to for at in record.refused_at)
    return (
        fault.name,
        f"{written - begun:.1f} s",
        *(f"{seconds:+.1f} s" for seconds in after.values()),
        f"{usual:.1f} s" if usual else "",
        refused,
    )


def _takes_writes(looks: list[Look], since: float, leader: Node, *, fails_over: bool) -> bool:
    """Whether a server does; after a failover, the other one."""
    return any(look.at > since and (look.server != leader.name) is fails_over for look in looks)


def _judge(cluster: Cluster, programs: Services, record: Record, table: Table) -> None:
    address = cluster.leader().address(dbname="rosterlog")
    until(lambda: is_folded(address))
    verdict = judge(address, record.answered)
    table.problems += [*verdict.problems, *programs.ended()]
    table.rows.append((verdict.sentence, *[""] * (len(_HEAD) - 1)))
