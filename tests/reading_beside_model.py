"""Readers of a roster that is written meanwhile: each answer is compared with the model at the position it names."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from tests import DEADLINE, model
from tests.cluster.watch import longest_pause

PEOPLE = 20
_PATH = "/v1/participants?limit=1000&columns=participant_id,first_position,position,first_name"
Roster = dict[str, tuple[int, int, str | None]]


@dataclass(slots=True)
class Reading:
    """What readers saw. `right_at`: by the monotonic clock, when each right answer was there. `back`: answers of an
    earlier position than one before to the same reader.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    right_at: list[float] = field(default_factory=list)
    back: int = 0

    def longest_pause(self, begun: float, ended: float) -> float:
        """The longest time without a right answer between these moments."""
        return longest_pause(self.right_at, begun, ended)


class Log:
    """What was appended, in the order of positions, which begin with 1; one writer only."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self.bodies: list[bytes] = []
        self._rosters: dict[int, Roster] = {0: {}}

    def register(self, name: str) -> int:
        """One person more, or as often as not another state of one; gives the position."""
        number = len(self.bodies)
        content = model.body(number * 7 % PEOPLE, first_name=f"{name} {number}")
        self.bodies.append(content)  # before anybody can read it
        [(position, is_stored)] = model.append(self._conninfo, [content])
        assert (position, is_stored) == (number + 1, True)
        return position

    def roster(self, position: int) -> Roster:
        """The model's roster at a position."""
        if position not in self._rosters:
            self._rosters[position] = model.roster(self.bodies[:position])
        return self._rosters[position]


@contextmanager
def reading(port: int, token: str, log: Log, number: int) -> Iterator[Reading]:
    """So many readers for the block, and what they have seen so far."""
    seen = Reading()
    enough = threading.Event()
    with ThreadPoolExecutor(number) as pool:
        readers = [pool.submit(_read, port, token, log, seen, enough) for _ in range(number)]
        try:
            yield seen
        finally:
            enough.set()
        for reader in readers:
            reader.result(timeout=DEADLINE)


@contextmanager
def writing(log: Log, pause: float = 0.02) -> Iterator[None]:
    """A writer for the block."""
    enough = threading.Event()

    def write() -> None:
        while not enough.wait(pause):
            log.register("beside")

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        try:
            yield
        finally:
            enough.set()
        writer.result(timeout=DEADLINE)


def _read(port: int, token: str, log: Log, seen: Reading, enough: threading.Event) -> None:
    furthest = 0
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)) as connection:
        while not enough.is_set():
            connection.request("GET", _PATH, headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            content = json.loads(answer.read())
            seen.statuses[answer.status] += 1
            if answer.status != 200:
                seen.codes[content.get("code", content["detail"])] += 1
                enough.wait(0.05)  # some would ask again later, none at once
                continue
            position = content["position"]
            rows = {
                row["participant_id"]: (row["first_position"], row["position"], row["first_name"])
                for row in content["data"]
            }
            if rows != log.roster(position):
                seen.wrong.append(f"at {position}: {rows}")
            seen.right_at.append(time.monotonic())
            seen.back += position < furthest
            furthest = max(furthest, position)
