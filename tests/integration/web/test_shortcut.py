"""A whole delivery goes round the application, and is answered as the application would have answered it."""

import asyncio
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count

import psycopg
import pytest

from ingest import postgres
from ingest.log.event import Delivery, Receipt
from ingest.logs import request_id
from ingest.refusals import Numbers, Reason, Refusals
from ingest.web.shortcut import MakeRefusal, WholeRequest
from ingest.webhook import Append, Webhook
from tests import model
from tests.bounded_server import BY_APPLICATION, bounded_server
from tests.conftest import create
from tests.fold_all import query
from tests.program import Running, until
from tests.raw_client import FIRST, Answer, connected, head, signed

WRONG = b"X-Signature: " + b"0" * 64
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


UNVERIFIED = {
    "signature_wrong": WRONG,
    "signature_missing": b"X-Nothing: 1",
    "signature_malformed": b"X-Signature: " + b"x" * 64,
}


@pytest.mark.parametrize("reason", UNVERIFIED)
def test_what_is_not_signed_is_refused_as_by_the_application(served: Served, reason: str) -> None:
    content, signature = served.body(), UNVERIFIED[reason]
    short, usual = (served.answer(content, signature=signature, first=first) for first in (FIRST, ASIDE))
    assert (short.status, {*short.headers}) == (usual.status, {*usual.headers}) == (401, {*usual.headers})
    assert short.headers["x-request-id"] == short.document["request_id"] != usual.document["request_id"]
    assert {**short.document, "request_id": ""} == {**usual.document, "request_id": ""}
    assert content not in model.stored_bodies(served.database)

    def counted() -> list[tuple[int]]:
        asked = "select sum(count)::integer from refused_delivery where source = 'movemint' and reason = %s"
        return query(served.database, asked, reason)

    until(lambda: counted() == [(2,)])


def test_what_is_whole_never_reaches_the_application(served: Served) -> None:
    assert not served.asked(served.body())
    assert not served.asked(b"")
    assert not served.asked(b"no json")
    assert not served.asked(served.body(), b"Connection: close")
    assert not served.asked(served.body(), signature=WRONG)
    assert not served.asked(served.body(), signature=b"X-Nothing: 1")


def test_what_is_not_is_the_applications(served: Served) -> None:
    content = served.body()
    assert served.asked(b"x" * 1_100_000, signature=WRONG)
    assert served.asked(b"x" * 1_100_000), "over the limit"
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
    until(lambda: any('"kept-by-proxy"' in line and "cannot append" in line for line in served.process.lines))
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


def test_a_fault_of_ours_is_left_to_the_application_or_answered_503(monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = Refusals(_write_nothing)
    content = model.body(1)
    headers = [(b"x-signature", model.signature(content).encode()), (b"x-request-id", b"by-a-proxy")]
    answers: list[bytes | MakeRefusal] = []

    def at_once(_delivery: Delivery) -> asyncio.Future[Receipt]:
        raise ZeroDivisionError

    def later(_delivery: Delivery) -> asyncio.Future[Receipt]:
        receipt: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        receipt.set_exception(ZeroDivisionError())
        return receipt

    def take_by(append: Append) -> bool:
        take = partial(Webhook({"movemint": (model.SECRET,)}, append, refusals, 1_000).take, "movemint")
        return WholeRequest(headers, keep_alive=True).is_taken(take, content, answers.append)

    async def take() -> None:
        assert not take_by(at_once)
        assert take_by(later)
        while not answers:
            await asyncio.sleep(0)

    logged: list[tuple[str, str | None]] = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", lambda record: logged.append((record.getMessage(), request_id.get())))
    monkeypatch.setattr(logging.getLogger("ingest.webhook"), "handlers", [handler])
    asyncio.run(take())
    assert logged == [("webhook failed", "by-a-proxy")]
    [refusal] = answers
    assert not isinstance(refusal, bytes)
    assert refusal().status_code == 503
    assert refusals.total["movemint", Reason.UNAVAILABLE] == 1


def test_promise_1_a_body_that_cannot_be_read_by_a_fault_of_ours_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_body: bytes) -> None:
        raise ZeroDivisionError

    kept: list[Delivery] = []

    def append(delivery: Delivery) -> asyncio.Future[Receipt]:
        kept.append(delivery)
        receipt: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        receipt.set_result(Receipt(1, stored=True))
        return receipt

    async def take() -> None:
        webhook = Webhook({"movemint": (model.SECRET,)}, append, Refusals(_write_nothing), 1_000)
        content = model.body(1)
        headers = [(b"x-signature", model.signature(content).encode())]
        assert WholeRequest(headers, keep_alive=True).is_taken(
            partial(webhook.take, "movemint"), content, lambda _: None
        )

    monkeypatch.setattr("ingest.delivery.read_plain", fails)
    asyncio.run(take())
    assert [(each.body, each.event_type, each.subject) for each in kept] == [(model.body(1), None, None)]


async def _write_nothing(_numbers: Numbers) -> None:
    pass
