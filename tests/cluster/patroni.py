"""Two nodes with Patroni and an etcd on loopback, and the database of rosterlog on them."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg

from ingest.postgres.account import account_for
from ingest.postgres.binaries import find_binaries
from tests.cluster.etcd import etcd
from tests.cluster.needed import patroni_python
from tests.cluster.node import PASSWORD, Node
from tests.program import environ, run, until

_READY_SECONDS = 180.0
_OWNER = (
    f"create role rosterlog login createrole password '{PASSWORD}'",
    "grant pg_read_all_stats to rosterlog",
    "create database rosterlog owner rosterlog encoding 'UTF8' template template0",
)


class Cluster:
    """`addresses`: by service, as `migrate --roles --logins` printed them; `owner`: the one that migrates."""

    def __init__(self, nodes: tuple[Node, Node], *, is_synchronous: bool) -> None:
        self.nodes = nodes
        self._may_take_over = "sync_standby" if is_synchronous else "replica"
        places = ",".join(f"127.0.0.1:{node.clients.port}" for node in nodes)
        self.owner = f"postgresql://rosterlog:{PASSWORD}@{places}/rosterlog?target_session_attrs=read-write"
        self.addresses: dict[str, str] = {}

    def leader(self) -> Node:
        """Waited for, with a standby that has everything and may take over."""
        return until(self._found_leader, _READY_SECONDS)  # type: ignore[no-any-return]

    def other(self, node: Node) -> Node:
        return next(each for each in self.nodes if each is not node)

    def make_database(self) -> None:
        with psycopg.connect(self.leader().address(), autocommit=True) as connection:
            for statement in _OWNER:
                connection.execute(statement.encode())
        run("migrate", env=environ(DATABASE_URL=self.owner))
        for line in run("migrate", "--roles", "--logins", env=environ(DATABASE_URL=self.owner)).splitlines():
            service, _, address = line.partition(" ")
            if address.strip().startswith("postgresql://"):
                self.addresses[service] = address.strip()
        assert {"ingest", "worker", "api", "operator"} <= self.addresses.keys()

    def _found_leader(self) -> Node | None:
        for node in self.nodes:
            members = node.members()
            roles = {name: member["role"] for name, member in members.items()}
            follows = members.get(self.other(node).name, {})
            if roles.get(node.name) == "leader" and follows.get("state") == "streaming":
                return node if follows["role"] == self._may_take_over else None
        return None


@contextmanager
def two_nodes(*, is_synchronous: bool = True) -> Iterator[Cluster]:
    """A cluster with rosterlog's database, migrated, for the block. `is_synchronous`: commits wait for the standby."""
    account = account_for(None)
    python = patroni_python(account)
    binaries = find_binaries(None).reachable_by(account)
    # However much the other node lacks, it takes over: more than a megabyte would be too much otherwise.
    dcs = {"synchronous_mode": is_synchronous, "maximum_lag_on_failover": 67_108_864}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rosterlog-cluster-")))
        folder.chmod(0o711)
        port = stack.enter_context(etcd(folder / "etcd", account))
        nodes = [Node(name, folder / name, account, binaries, python) for name in ("one", "two")]
        for node in nodes:
            stack.enter_context(node.running(port, dcs))
        cluster = Cluster((nodes[0], nodes[1]), is_synchronous=is_synchronous)
        cluster.make_database()
        yield cluster
