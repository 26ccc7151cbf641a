"""The programs of a deployment as processes: an ingest, two workers and an API, each by the address of its service."""

import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg

from ingest import postgres
from ingest.database import SERVICE_ROLES
from tests import model
from tests.program import Running, environ, free_port, run, status_of, until

_SECRET = {"MOVEMINT_WEBHOOK_SECRET": model.SECRET.decode()}


class Services:
    """`ingest`, `api`: the ports. `settings`: of all programs."""

    def __init__(self, addresses: Mapping[str, str], settings: Mapping[str, str] = _SECRET) -> None:
        self.ingest, self.api = free_port(), free_port()
        commands = {
            "ingest": ("ingest", "--port", str(self.ingest)),
            "api": ("api", "--port", str(self.api)),
            "worker": ("worker",),
            "worker 2": ("worker",),
        }
        self._commands = {
            name: (command, environ(DATABASE_URL=addresses[command[0]], **settings))
            for name, command in commands.items()
        }
        self._programs = {name: Running(*command) for name, command in self._commands.items()}

    def signal(self, name: str, number: int) -> None:
        self._programs[name].process.send_signal(number)

    def kill(self, name: str) -> None:
        """As `kill -9` does."""
        self._programs[name].stop(signal.SIGKILL)

    def start(self, name: str) -> None:
        """Start it again, as a supervisor does."""
        self._programs[name] = Running(*self._commands[name])

    def ended(self) -> list[str]:
        """The programs that do not run any more, with what they said last."""
        return [
            f"{name} has ended: {' / '.join(program.lines[-3:])}"
            for name, program in self._programs.items()
            if program.process.poll() is not None
        ]

    def last_lines(self) -> list[str]:
        """What each has said last, for whoever looks for the reason of a problem."""
        return [f"{name}: {line}" for name, program in self._programs.items() for line in program.lines[-12:]]

    def stop(self) -> None:
        for program in self._programs.values():
            program.stop()


@contextmanager
def migrated(say: Callable[[str], None]) -> Iterator[tuple[Path, str]]:
    """A folder, and in it a PostgreSQL that is migrated and lets each service log in: the superuser's address."""
    with tempfile.TemporaryDirectory(prefix="rosterlog-cluster-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with postgres.server(folder / "data", say) as server:
            run("migrate", env=environ(ROSTERLOG_DATA_DIR=f"{folder}/data"))
            with psycopg.connect(server.conninfo) as connection:
                postgres.keep_logins(connection, SERVICE_ROLES)
            yield folder, server.conninfo


@contextmanager
def services(addresses: Mapping[str, str], settings: Mapping[str, str] = _SECRET) -> Iterator[Services]:
    """Running and ready for the block. `addresses`: the database of each service, by its name."""
    with ExitStack() as stack:
        programs = Services(addresses, settings)
        stack.callback(programs.stop)
        until(lambda: status_of(programs.ingest, "/readyz/webhook") == 200)
        until(lambda: status_of(programs.api, "/livez") == 200)
        yield programs
