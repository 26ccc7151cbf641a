"""The pages at a million participants in 200 races, a tenth of them in one: times of the server, bytes on the wire."""

import http.client
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from urllib.parse import urlencode

from bench.machine import database, show_head
from bench.roster import PEOPLE, fill_roster
from ingest.database import sync_engine
from ingest.delivery import JsonObject
from ingest.simulator.people import person
from projections.web.access import tokens

ROUNDS = 200
WARM_UP = 10  # requests that are not counted
_RACES = 200
_PORT = 8232
_SOURCE = "movemint"
_RACE = "/races/500"  # of a tenth of all
_CHOICE = re.compile(r'<section>\s*<h2[^>]*>([^<]*)</h2>\s*<ul><li><a href="([^"]*)"')


def in_one_large_race(number: int) -> JsonObject:
    """The person of this number: a tenth of all are in one race, the others in 199."""
    place = 0 if number % 10 == 0 else 1 + number % (_RACES - 1)
    return {**person(1, number), "event_id": 500 + place, "event_name": f"Race {place}"}


@dataclass(frozen=True, slots=True)
class Reader:
    """A browser that is signed in, over one connection."""

    connection: http.client.HTTPConnection
    cookie: str

    def open(self, path: str, encoding: str = "gzip") -> bytes:
        """The bytes of a page as they are on the wire."""
        self.connection.request("GET", path, headers={"Cookie": self.cookie, "Accept-Encoding": encoding})
        answer = self.connection.getresponse()
        content = answer.read()
        assert answer.status == 200, (path, answer.status, answer.getheader("location"))
        return content

    def text(self, path: str) -> str:
        return self.open(path, "identity").decode()


def measure(server: str) -> None:
    conninfo = database(server, "pages")
    fill_roster(conninfo, PEOPLE, in_one_large_race)
    measure_pages(conninfo, PEOPLE, ROUNDS)


def measure_pages(conninfo: str, people: int, rounds: int) -> None:
    with _reading(conninfo) as reader:
        print(f"{people:,} participants, {people // 10:,} of them in one race; milliseconds, bytes on the wire")
        show_head()
        _page(reader, "start page, 200 races", "/", rounds)
        _page(reader, "a participant", "/participants/7000001", rounds)
        _page(reader, "roster", _RACE, rounds)
        for sort in ("bib", "last_name", "-registered_at"):
            _page(reader, f"roster by {sort}", f"{_RACE}?sort={sort}", rounds)
        for title, href in _CHOICE.findall(reader.text(_RACE)):
            _page(reader, f"roster, first of {title}", unescape(href), rounds)
        for name in ("bib__isnull=true", "bib__double=true", "status=cancelled", "answer.41=M"):
            _page(reader, f"roster, {name}", f"{_RACE}?{name}", rounds)
        for sort in ("participant_id", "last_name"):
            _deep(reader, sort, people // 20, rounds)


def _deep(reader: Reader, sort: str, depth: int, rounds: int) -> None:
    """The page at a depth, and the one before it."""
    path = f"{_RACE}?{urlencode({'sort': sort, 'limit': 1000})}"
    for _ in range(depth // 1000):
        path = _beside(reader, path, "next")
    path = path.replace("limit=1000&", "")
    _page(reader, f"roster by {sort}, at {depth:,}", path, rounds)
    _page(reader, f"roster by {sort}, the page before", _beside(reader, path, "prev"), rounds)


def _beside(reader: Reader, path: str, which: str) -> str:
    link = re.search(rf'rel="{which}" href="([^"]*)"', reader.text(path))
    assert link is not None, path
    return unescape(link[1])


def _page(reader: Reader, name: str, path: str, rounds: int) -> None:
    took = []
    for number in range(rounds + WARM_UP):
        begun = time.perf_counter()
        reader.open(path)
        if number >= WARM_UP:
            took.append((time.perf_counter() - begun) * 1000)
    sizes = [len(reader.open(path, encoding)) for encoding in ("identity", "gzip")]
    p99 = statistics.quantiles(took, n=100)[98]
    times = f"{statistics.median(took):>8.1f} p50{p99:>8.1f} p99"
    print(f"{name:<40}{times}{sizes[0]:>10,} B{sizes[1]:>9,} B compressed", flush=True)


@contextmanager
def _reading(conninfo: str) -> Iterator[Reader]:
    engine = sync_engine(conninfo)
    with engine.begin() as connection:
        token = tokens.create(connection, f"bench-{os.getpid()}", _SOURCE, (), None)
    engine.dispose()
    command = [sys.executable, "-m", "projections", "api", "--port", str(_PORT)]
    environ = {**os.environ, "DATABASE_URL": conninfo, "ROSTERLOG_TOKEN_RATE": "1000000"}
    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as process:
        try:
            connection_ = _connected()
            form = urlencode({"token": token, "next": "/"})
            connection_.request("POST", "/sign-in", form, {"Content-Type": "application/x-www-form-urlencoded"})
            answer = connection_.getresponse()
            answer.read()
            yield Reader(connection_, answer.headers["set-cookie"].partition(";")[0])
        finally:
            process.terminate()


def _connected() -> http.client.HTTPConnection:
    client = http.client.HTTPConnection("127.0.0.1", _PORT, timeout=120)
    for _ in range(100):
        time.sleep(0.1)
        try:
            client.request("GET", "/readyz")
            client.getresponse().read()
            break
        except OSError:
            client.close()
    return client
