"""Sources of a folder, read again while a server runs: added, rotated, broken, removed, without a moment of refusal."""

import signal
import subprocess
import threading
from pathlib import Path

import psutil

from tests import model
from tests.program import COMMAND, Running, deliver, environ, free_port, run, running, said, status_of, until
from tests.scrape import metrics_of

_PROBLEMS = "rosterlog_sources_file_problems"


class _Sender:
    """Delivers to one source, one after the other, until it is stopped; keeps what was not answered 200."""

    def __init__(self, port: int) -> None:
        self.others: list[int] = []
        self.sent = 0
        self._port, self._stop = port, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "_Sender":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.01):
            status, _ = deliver(self._port, model.body(self.sent), source="spring")
            self.sent += 1
            if status != 200:
                self.others.append(status)


def test_a_folder_of_sources_changes_while_deliveries_go_on(database: str, tmp_path: Path) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    _write(folder / "spring", model.SECRET.decode())
    port, watched = free_port(), free_port()
    env = environ(DATABASE_URL=database, ROSTERLOG_SOURCES_FILE=str(folder), ROSTERLOG_METRICS_PORT=str(watched))
    with running("ingest", "--port", str(port), "--processes", "2", env=env) as server:
        server.line('"serving"|serving')
        until(lambda: status_of(port, "/readyz") == 200)
        with _Sender(port) as sender:
            _add(env, "autumn", model.SECRET.decode())
            until(lambda: _of_all_processes(port, "autumn", 200))
            _is_broken_and_well_again(folder, port, watched, server)
            _add(env, "autumn", "another secret of this source", "--rotate")
            server.process.send_signal(signal.SIGHUP)
            until(lambda: (folder / "autumn").read_text().startswith("another"))
            assert _of_all_processes(port, "autumn", 200)
            (folder / "autumn").unlink()
            until(lambda: _of_all_processes(port, "autumn", 404))
        _a_process_dies_while_the_folder_is_broken(folder, server)
        assert _of_all_processes(port, "spring", 200)
        assert (sender.others, sender.sent > 20) == ([], True)
        assert "removed" in server.line("the sources have changed.*removed").group()
    listed = said("source", "list", env=env)
    assert f"spring  1 in {folder}" in listed
    assert "autumn  no secret" in listed


def test_a_check_names_what_a_person_has_to_do(tmp_path: Path) -> None:
    file = tmp_path / "sources.json"
    env = environ(ROSTERLOG_SOURCES_FILE=str(file))
    _add(env, "spring", "one secret of two sources")
    assert said("source", "check", env=env) == f"{file}: 1 source, 0 problems\n"
    _add(env, "autumn", "one secret of two sources")
    file.chmod(0o644)
    found = run("source", "check", env=env, code=1)
    assert "autumn: another source has the same secret" in found
    assert "every account of this machine may read it: chmod o-r" in found
    assert "two sources" not in found.replace("of two sources", "")


def test_adding_says_what_is_wrong_and_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "sources.json"
    env = environ(ROSTERLOG_SOURCES_FILE=str(file))
    _add(env, "spring", "the first secret of it")
    before = file.read_bytes()
    for arguments, secret, says in (
        (("spring",), "x", "add --rotate"), (("autumn", "--rotate"), "x", "leave out --rotate"),
        (("Autumn",), "x", "lower"), (("autumn",), "", "one line of text"),
    ):  # fmt: skip
        done = subprocess.run(
            [*COMMAND, "source", "add", *arguments], input=secret, env=env, capture_output=True, text=True, check=False
        )
        assert (done.returncode, says in done.stderr) == (2, True), done.stderr
    assert file.read_bytes() == before


def _is_broken_and_well_again(folder: Path, port: int, watched: int, server: Running) -> None:
    whole = (folder / "autumn").read_text()
    _write(folder / "autumn", "")
    until(lambda: metrics_of(watched)[_PROBLEMS] >= 1)
    server.line("the source autumn stays as it is, until its file can be used: it holds no secret")
    assert _of_all_processes(port, "autumn", 200)
    _write(folder / "autumn", whole)
    until(lambda: metrics_of(watched)[_PROBLEMS] == 0)


def _a_process_dies_while_the_folder_is_broken(folder: Path, server: Running) -> None:
    """Its successor waits; were it to end, all would end with it after a few times."""
    whole = (folder / "spring").read_text()
    _write(folder / "spring", "")
    psutil.Process(server.process.pid).children()[0].kill()
    server.line("waiting until the sources can be used: ROSTERLOG_SOURCES_FILE: .* has no source")
    _write(folder / "spring", whole)


def _of_all_processes(port: int, source: str, status: int) -> bool:
    """Whether each of some connections, which go to both processes, is answered so."""
    return all(deliver(port, model.body(number), source=source)[0] == status for number in range(8))


def _add(env: dict[str, str], name: str, secret: str, *more: str) -> None:
    done = subprocess.run(
        [*COMMAND, "source", "add", name, *more], input=secret, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"/webhooks/{name}\n"), done.stderr


def _write(file: Path, secret: str) -> None:
    file.write_text(secret)
    file.chmod(0o600)
