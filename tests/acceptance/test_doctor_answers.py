"""`doctor --url`: who gives an answer that rosterlog did not give, or that one which is not well gives."""

import asyncio
import json
import socket
from contextlib import ExitStack

import pytest

from ingest.probe import PROBE_MEMBER
from ingest.sources import Secrets
from projections.doctor.finding import DoctorFinding
from projections.doctor.way import examine_way
from tests import DEADLINE
from tests.http_proxy import Own, Passing, http_proxy
from tests.program import free_port

pytestmark = pytest.mark.acceptance

PROBLEM = "application/problem+json"
OURS = {"request_id": "1", "detail": "it is so"}


def of_rosterlog(answered: int, kind: str = PROBLEM, **members: object) -> Own:
    """An answer as rosterlog gives it, but for what is said."""
    return Own(answered, {"Content-Type": kind}, json.dumps({"status": answered, **OURS, **members}).encode())


def examined(answer: Own, *secrets: bytes) -> tuple[DoctorFinding, int]:
    """The only finding about an address where each request has this answer, and how many there were."""
    asked = []

    def change(passing: Passing) -> Own:
        asked.append(passing)
        return answer

    known: dict[str, Secrets] = {"movemint": secrets or (b"x",)}
    with http_proxy(0, change) as port:
        [finding] = asyncio.run(examine_way(f"http://127.0.0.1:{port}/webhooks/movemint", known, 1000))
    return finding, len(asked)


OWN = {
    "reaches nobody": (Own(502), "fail", "does not reach rosterlog (502)"),
    "redirects": (Own(308, {"Location": "https://example.org/"}), "fail", "redirects (308) to https://example.org/,"),
    "redirects far": (Own(302, {"Location": "x" * 999}), "fail", f"redirects (302) to {'x' * 200},"),
    "is another program": (Own(200), "fail", "answers 200 to a wrong signature"),
    "asks for a login": (Own(401), "fail", "asks for a login"),
    "forbids": (Own(403), "fail", "forbids the request"),
    "knows no such path": (Own(404), "fail", "knows no such path"),
    "takes no POST": (Own(405), "fail", "takes no POST there"),
    "takes no such body": (Own(413), "fail", "takes no body of this size"),
    "limits requests": (Own(429), "fail", "limits requests"),
    "has nobody to ask": (Own(503), "fail", "does not reach rosterlog, or takes none out of those it knows"),
    "waits in vain": (Own(504), "fail", "waited too long for rosterlog"),
    "is odd": (Own(418), "fail", "gives an answer that is not rosterlog's"),
    "closes": (Own(0), "fail", "the connection was closed without an answer"),
    "leads to one that is not well": (of_rosterlog(503), "fail", "a rosterlog answers 503 (it is so)"),
    "leads to one that says much": (of_rosterlog(503, detail="x" * 999), "fail", f"answers 503 ({'x' * 200})"),
    "leads to one without an echo": (of_rosterlog(401, **{PROBE_MEMBER: "x"}), "warn", "does not know the probe"),
}


@pytest.mark.parametrize(("answer", "level", "says"), OWN.values(), ids=OWN.keys())
def test_a_proxy_that_answers_by_itself_is_told(answer: Own, level: str, says: str) -> None:
    finding, _ = examined(answer)
    assert (finding.check, finding.level.value) == ("address", level)
    assert says in finding.says
    assert finding.do


OF_OTHERS = {
    "of another type": of_rosterlog(418, "application/json"),
    "no JSON": Own(418, {"Content-Type": PROBLEM}),
    "deep JSON": Own(418, {"Content-Type": PROBLEM}, b"[" * 60_000),
    "a list": Own(418, {"Content-Type": PROBLEM}, b'["request_id"]'),
    "without an id": Own(418, {"Content-Type": PROBLEM}, b'{"status": 418}'),
    "of another status": of_rosterlog(418, status=401),
}


@pytest.mark.parametrize("answer", OF_OTHERS.values(), ids=OF_OTHERS.keys())
def test_the_problem_of_another_program_is_not_taken_for_rosterlogs(answer: Own) -> None:
    assert "gives an answer that is not rosterlog's" in examined(answer)[0].says


def test_another_secret_is_tried_only_where_the_answer_may_be_about_it() -> None:
    assert [examined(answer, b"x", b"y")[1] for answer in (of_rosterlog(401), Own(502))] == [2, 1]


def test_a_connection_that_is_not_made_has_a_deadline_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """As behind a firewall that drops everything: a listener whose queue is full drops what comes as well."""
    monkeypatch.setattr("projections.doctor.posting._CONNECT_SECONDS", 0.2)
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        address = f"http://127.0.0.1:{full.getsockname()[1]}"
        [finding] = asyncio.run(examine_way(address, {"movemint": (b"x",)}, 1000, seconds=DEADLINE))
    assert "no connection within 0 s" in finding.says


def test_a_proxy_of_this_machines_environment_is_not_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    assert "a rosterlog answers 503" in examined(of_rosterlog(503))[0].says
