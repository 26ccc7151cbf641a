"""A whole delivery goes round the application, and is answered as the application would have answered it."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import psycopg
import pytest

from ingest import postgres
from ingest.log.event import Delivery, Receipt
from ingest.refusals import Numbers, Reason, Refusals
from ingest.web.shortcut import MakeRefusal
from ingest.webhook import Webhook
from tests import model
from tests.bounded_server import BY_APPLICATION, bounded_server
from tests.conftest import create
from tests.program import Running, until
from tests.raw_client import FIRST, Answer, connected, head, signed

ASIDE = b"POST /webhooks/movemint?by=application HTTP/1.1"  # no shortcut has this target


@dataclass(frozen=True, slots=True)
class Served:
    process: Running
    port: int
    database: str
    numbers: Iterator[int]

    def body(self) -> bytes:
        return model.body(next(self.numbers), note="x" * 500)

    def answer(self, content: bytes, *lines: bytes, first: bytes = FIRST, signature: bytes = b"") -> Answer:
        """The answer to a delivery in one segment."""
        length = b"Content-Length: %d" % len(content)
        with connected(self.port) as client:
            client.send(head(signature or signed(content), length, *lines, first=first) + content)
            answer = client.answer()
            assert b"Connection: close" not in lines or client.is_closed()
        return answer

    def asked(self, content: bytes, *lines: bytes, signature: bytes = b"") -> bool:
        """Whether the application gets a delivery like this one."""
        before, aside = self._told()
        self.answer(content, *lines, signature=signature)
        self.answer(self.body(), first=ASIDE)  # what is told of it comes after what is told of the one before
        until(lambda: self._told()[1] > aside)
        return self._told()[0] > before

    def _told(self) -> tuple[int, int]:
        """How many deliveries the application got by the usual address, and by the other."""
        told = [line for line in self.process.lines if line.startswith(BY_APPLICATION)]
        aside = sum("by=application" in line for line in told)
        return len(told) - aside, aside


@pytest.fixture(scope="module")
def served(server: postgres.Server, template: str) -> Iterator[Served]:
    database = create(server, template)
    with bounded_server(database, {"sweep_seconds": 0.1}) as (process, port):
        yield Served(process, port, database, count(1))


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (b"X-Request-Id: from.a-proxy_1",),
        (b"X-Request-Id: not well formed",),
        (b"X-Request-Id: a", b"X-Request-Id: b"),
        (b"Connection: close",),
        (b"Expect: 100-continue",),
    ],
)
def test_a_whole_delivery_is_answered_as_by_the_application(served: Served, lines: tuple[bytes, ...]) -> None:
    content = served.body()
    short, usual = served.answer(content, *lines), served.answer(content, *lines, first=ASIDE)
    if usual.status == 100:  # the shortcut has the body already, and so need not ask for it
        assert short.status == 200
        return
    assert (short.status, usual.status) == (200, 200)
    assert {*short.headers} == {*usual.headers}
    own = ("date", "x-request-id", "content-length")
    assert {name: short.headers[name] for name in short.headers if name not in own} == {
        name: usual.headers[name] for name in usual.headers if name not in own
    }
    position = short.document["position"]
    assert short.document == {"status": "stored", "source": "movemint", "position": position}
    assert usual.document == {"status": "duplicate", "source": "movemint", "position": position}
    ids = [answer.headers["x-request-id"] for answer in (short, usual)]
    sent = next((line.partition(b": ")[2].decode() for line in lines if line.startswith(b"X-Request-Id")), "")
    if re.fullmatch("[A-Za-z0-9._-]+", sent):
        assert ids == [sent, sent]
    else:
        assert ids[0] != ids[1]
        assert all(re.fullmatch("[0-9a-f]{16}", id_) for id_ in ids)


def test_what_is_signed_and_whole_never_reaches_the_application(served: Served) -> None:
    assert not served.asked(served.body())
    assert not served.asked(b"")
    assert not served.asked(b"no json")
    assert not served.asked(served.body(), b"Connection: close")


def test_what_is_not_is_the_applications(served: Served) -> None:
    content = served.body()
    wrong = b"X-Signature: " + b"0" * 64
    assert served.asked(content, signature=wrong)
    assert served.asked(content, signature=b"X-Nothing: 1")
    assert served.asked(b"x" * 1_100_000, signature=wrong)
    assert served.asked(b"x" * 1_100_000), "over the limit"
    assert served.answer(content, signature=wrong).status == 401
    assert served.answer(b"x" * 1_100_000).status == 413
    assert served.answer(content, first=b"POST /webhooks/nobody HTTP/1.1").status == 404
    assert served.answer(content, first=b"GET /webhooks/movemint HTTP/1.1").status == 405
    assert content not in model.stored_bodies(served.database)


def test_a_delivery_that_cannot_be_kept_is_refused_with_its_id(served: Served) -> None:
    with psycopg.connect(served.database, autocommit=True) as connection:
        connection.execute("revoke execute on function append_events from rosterlog_ingest")
        try:
            refused = served.answer(served.body(), b"X-Request-Id: kept-by-proxy")
        finally:
            connection.execute("grant execute on function append_events to rosterlog_ingest")
    assert (refused.status, refused.headers["retry-after"]) == (503, "2")
    assert refused.headers["x-request-id"] == refused.document["request_id"] == "kept-by-proxy"
    assert refused.headers["x-content-type-options"] == "nosniff"
    until(lambda: served.answer(served.body()).status == 200)


def test_a_delivery_whose_client_is_gone_is_kept_and_disturbs_nobody(served: Served) -> None:
    content = served.body()
    with psycopg.connect(served.database) as connection:
        connection.execute("lock table event_log in access exclusive mode")
        with connected(served.port) as client:
            client.send(head(signed(content), b"Content-Length: %d" % len(content)) + content)
        connection.rollback()
    until(lambda: content in model.stored_bodies(served.database))
    assert served.answer(served.body()).status == 200
    assert not [line for line in served.process.lines if "traceback" in line.lower()]


def test_a_fault_of_ours_is_left_to_the_application_or_answered_503() -> None:
    refusals = Refusals(_write_nothing)
    content = model.body(1)
    headers = [(b"x-signature", model.signature(content).encode())]
    answers: list[bytes | MakeRefusal] = []

    def at_once(_delivery: Delivery) -> asyncio.Future[Receipt]:
        raise ZeroDivisionError

    async def later(_delivery: Delivery) -> Receipt:
        raise ZeroDivisionError

    async def take() -> None:
        of_secrets = {"movemint": (model.SECRET,)}
        assert not Webhook(of_secrets, at_once, refusals, 1_000).take("movemint", headers, content, answers.append)
        assert Webhook(of_secrets, later, refusals, 1_000).take("movemint", headers, content, answers.append)
        while not answers:
            await asyncio.sleep(0)

    asyncio.run(take())
    [refusal] = answers
    assert not isinstance(refusal, bytes)
    assert refusal().status_code == 503
    assert refusals.total["movemint", Reason.UNAVAILABLE] == 1


async def _write_nothing(_numbers: Numbers) -> None:
    pass
