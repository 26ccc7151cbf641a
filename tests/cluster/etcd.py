"""One etcd on loopback, in which Patroni keeps who leads."""

import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ingest.postgres.account import Account
from tests import DEADLINE
from tests.cluster.needed import program
from tests.program import free_port, until


@contextmanager
def etcd(folder: Path, account: Account) -> Iterator[int]:
    """Running for the block; gives the port of its clients."""
    found = program("etcd", "etcd-server")
    port, peers = free_port(), free_port()
    address, between = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peers}"
    account.make_folder(folder)
    command = [
        found, "--name=one", f"--data-dir={folder}/data", f"--listen-client-urls={address}",
        f"--advertise-client-urls={address}", f"--listen-peer-urls={between}",
        f"--initial-advertise-peer-urls={between}", f"--initial-cluster=one={between}",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env={"PATH": "/usr/bin:/bin"},
            user=account.uid, group=account.gid, extra_groups=None if account.uid is None else [],
        )  # fmt: skip
    try:
        until(lambda: _is_healthy(address))
        yield port
    finally:
        process.terminate()
        try:
            process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_healthy(address: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"{address}/health", timeout=2) as answer:
        return b"true" in answer.read()
    return False
