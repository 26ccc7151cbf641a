"""An API is asked within its limits, with a token that no other server sees and that no message tells."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ingest.simulator.list_server import CLIENT_ID, CLIENT_SECRET, ListManner, served_list
from ingest.simulator.people import person
from projections.truth.api.client import ApiClient, Unanswered
from projections.truth.api.direct import direct_answers
from projections.truth.conclusion import NothingConcluded
from tests.api_lists import (
    BEARER,
    OAUTH,
    SECRETS,
    Answer,
    Waited,
    answering_server,
    config_in,
    config_text,
    read_all,
)
from tests.tls_proxy import certificate

PEOPLE = [person(1, number) for number in range(23)]
TOKEN = b'{"access_token": "first-token", "token_type": "bearer"}'
EMPTY = b'{"data": [], "meta": {"next_cursor": null}}'


class Recorded:
    """Answers what it is told, one after the other, then the last one again. `asked`: what arrived."""

    def __init__(self, *answers: Answer, token: bytes = TOKEN) -> None:
        self.answers = [*answers]
        self.token = token
        self.asked: list[tuple[str, str, Mapping[str, str]]] = []

    def __call__(self, method: str, target: str, headers: Mapping[str, str]) -> Answer:
        self.asked.append((method, target, headers))
        if method == "POST":
            return 200, {}, self.token
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def client_of(folder: Path, url: str, waited: Waited, **text: str) -> Iterator[ApiClient]:
    config = config_in(folder, config_text(url, **text))
    with closing(ApiClient(config, SECRETS, waited.pause, waited.clock)) as client:
        yield client


@pytest.mark.parametrize("where", ["header", "body"])
def test_a_token_is_asked_for_once_and_again_when_it_is_refused(tmp_path: Path, where: str) -> None:
    with served_list(PEOPLE, ListManner(size=5)) as server:
        entry = f'{OAUTH}client_secret_in = "{where}"\nscope = "read"\n'
        config = config_in(tmp_path, config_text(server.url, entry=entry))
        read_all(tmp_path, config, stop_after=2)
        assert server.tokens == 1

        def revoke() -> None:
            server.token = "another"

        server.pages, server.first_page = 0, revoke
        waited = Waited()
        with closing(ApiClient(config, SECRETS, waited.pause, waited.clock)) as client:
            assert [client.get(f"{server.url}/participants").status for _ in range(3)] == [200, 200, 200]
        assert server.tokens == 3


def test_a_token_that_runs_out_is_renewed_before(tmp_path: Path) -> None:
    server = Recorded((200, {}, EMPTY), token=b'{"access_token": "t", "expires_in": 100}')
    waited = Waited()
    with answering_server(server) as url, client_of(tmp_path, url, waited) as client:
        for at in (0.0, 69.0, 71.0, 140.0, 142.0):
            waited.now = at
            client.get(f"{url}/participants")
    assert [method for method, _, _ in server.asked] == ["POST", "GET", "GET", "POST", "GET", "GET", "POST", "GET"]


def test_a_token_that_is_refused_again_is_not_asked_for_for_ever(tmp_path: Path) -> None:
    server = Recorded((401, {}, b""))
    with answering_server(server) as url, client_of(tmp_path, url, Waited()) as client:
        assert client.get(f"{url}/participants").status == 401
    assert [method for method, _, _ in server.asked] == ["POST", "GET", "POST", "GET"]


def test_a_plain_token_of_the_environment_is_sent_and_through_no_proxy_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    server = Recorded((200, {}, EMPTY))
    with answering_server(server) as url, client_of(tmp_path, url, Waited(), entry=BEARER) as client:
        client.get(f"{url}/participants")
    assert [headers["Authorization"] for _, _, headers in server.asked] == ["Bearer a-plain-token"]


@pytest.mark.parametrize(
    ("status", "content", "said"),
    [
        (401, b'{"error": "invalid_client"}', r"gives no token \(answer 401\): are client_id, scope and the secret in"),
        (200, b"<html>", "answers with no bearer token"),
        (200, b'{"access_token": "a\\nb"}', "answers with no bearer token"),
        (200, b'{"access_token": "a", "token_type": "mac"}', "answers with no bearer token"),
        (200, b'{"access_token": "a", "expires_in": "soon"}', "answers with no bearer token"),
    ],
)
def test_a_token_that_is_not_given_concludes_nothing_and_tells_no_secret(
    tmp_path: Path, status: int, content: bytes, said: str
) -> None:
    with answering_server(lambda *_: (status, {}, content)) as url:
        with client_of(tmp_path, url, Waited()) as client, pytest.raises(NothingConcluded, match=said) as caught:
            client.get(f"{url}/participants")
        assert not any(secret in repr(caught.value) for secret in SECRETS.values())


@pytest.mark.parametrize("secret", ["", " ", "two words", "with\ncontrol", "ünicode"])
def test_a_secret_that_is_not_there_or_cannot_be_sent_is_told_by_its_name(tmp_path: Path, secret: str) -> None:
    config = config_in(tmp_path, config_text("https://api.example.org"))
    said = "has signs that no secret" if secret.strip() else "is not set"
    with pytest.raises(NothingConcluded, match=f"ROSTERLOG_API_CLIENT_SECRET {said}") as caught:
        ApiClient(config, {"ROSTERLOG_API_CLIENT_SECRET": secret})
    assert "two words" not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_of_the_same_server_is_followed_and_another_server_sees_nothing(tmp_path: Path, status: int) -> None:
    other = Recorded((200, {}, EMPTY))
    with answering_server(other) as elsewhere:
        server = Recorded((status, {"Location": "/moved?x=1"}, b""), (200, {}, EMPTY))
        with answering_server(server) as url, client_of(tmp_path, url, Waited()) as client:
            assert client.get(f"{url}/participants").content == EMPTY
            assert server.asked[-1][1] == "/moved?x=1"
            server.answers = [(status, {"Location": f"{elsewhere}/participants?token=hush"}, b"")]
            with pytest.raises(NothingConcluded, match="redirects to another server") as caught:
                client.get(f"{url}/participants")
            assert "hush" not in str(caught.value)
            server.answers = [(status, {"Location": "/participants"}, b"")]
            with pytest.raises(NothingConcluded, match="redirects again and again"):
                client.get(f"{url}/participants")
            with pytest.raises(NothingConcluded, match="is another server than url's"):
                client.get(f"{elsewhere}/participants")
    assert other.asked == []


def test_a_next_page_on_another_server_is_not_asked_for(tmp_path: Path) -> None:
    other = Recorded((200, {}, EMPTY))
    with answering_server(other) as elsewhere:
        link = {"Link": f'<{elsewhere}/participants?page=2>; rel="next"'}
        with answering_server(Recorded((200, link, b'{"data": [{"id": 1}]}'))) as url:
            config = config_in(tmp_path, config_text(url, "link"))
            with pytest.raises(NothingConcluded, match="is another server than url's, which must not see the token"):
                read_all(tmp_path, config)
    assert other.asked == []


def test_faults_are_tried_again_with_growing_waits_up_to_a_bound(tmp_path: Path) -> None:
    waited = Waited()
    faults: list[Answer] = [(status, {}, b"") for status in (0, 500, 502, 503, 504)]
    server = Recorded(*faults, (200, {}, EMPTY))
    with answering_server(server) as url, client_of(tmp_path, url, waited) as client:
        assert client.get(f"{url}/participants").status == 200
        assert [wait for wait in waited.pauses if wait > 0.2] == pytest.approx([0.5, 1, 2, 4, 8], abs=0.25)
        server.answers = [(503, {}, b"")]
        del server.asked[:]
        with pytest.raises(Unanswered, match="answer 503, 8 times; what was read is kept"):
            client.get(f"{url}/participants")
        assert len(server.asked) == 8
    with client_of(tmp_path, url, waited) as client, pytest.raises(Unanswered, match=r"\(ConnectError\), 8 times"):
        client.get(f"{url}/participants")
    assert max(waited.pauses) <= 60


def test_a_certificate_that_is_not_trusted_is_told_at_once(tmp_path: Path) -> None:
    certificate(tmp_path)
    server, waited = Recorded((200, {}, EMPTY)), Waited()
    with (
        pytest.raises(NothingConcluded, match=r"the certificate of https://127.0.0.1:\d+/participants is not trusted"),
        answering_server(server, tmp_path) as url,
        client_of(tmp_path, url, waited, entry=BEARER) as client,
    ):
        client.get(f"{url}/participants")
    assert (waited.pauses, server.asked) == ([], [])


def test_retry_after_is_obeyed_and_a_longer_one_than_the_whole_time_ends_it(tmp_path: Path) -> None:
    waited = Waited()
    server = Recorded((429, {"Retry-After": "90"}, b""), (200, {}, EMPTY))
    with answering_server(server) as url, client_of(tmp_path, url, waited) as client:
        client.get(f"{url}/participants")
        assert 90.0 in waited.pauses
        server.answers = [(429, {"Retry-After": "86400"}, b"")]
        with pytest.raises(Unanswered, match="86400 s to wait are more than is left of 120 minutes"):
            client.get(f"{url}/participants")
    assert max(waited.pauses) == 90.0


def test_the_rate_limit_is_kept(tmp_path: Path) -> None:
    waited = Waited()
    server = Recorded((200, {}, EMPTY))
    with answering_server(server) as url:
        limits = "[limits]\nrequests_a_second = 4"
        with client_of(tmp_path, url, waited, rest=limits, entry=BEARER) as client:
            for _ in range(9):
                client.get(f"{url}/participants")
    assert waited.now == pytest.approx(2.0)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_bytes_that_cannot_be_unpacked_are_told(tmp_path: Path, encoding: str) -> None:
    with (
        answering_server(lambda *_: (200, {"Content-Encoding": encoding}, EMPTY)) as url,
        client_of(tmp_path, url, Waited(), entry=BEARER) as client,
    ):
        if encoding == "identity":
            assert client.get(f"{url}/participants").content == EMPTY
        else:
            with pytest.raises(NothingConcluded, match="bytes that cannot be unpacked"):
                client.get(f"{url}/participants")


def test_what_one_persons_address_answers_is_a_direct_answer(tmp_path: Path) -> None:
    with served_list(PEOPLE) as server:
        template = 'participant_url = "' + server.url + '/participants/{participant_id}"'
        config = config_in(tmp_path, config_text(server.url, more=template))
        listed_id, other = (str(each["id"]) for each in PEOPLE[:2])
        with closing(ApiClient(config, SECRETS)) as client:
            assert config.participant_url is not None
            is_absent = direct_answers(client, config.participant_url, listed_id)
            assert [is_absent(id_) for id_ in (other, "12345", "..", "a/b", "ä")] == [False, True, None, None, None]
            assert not any("%" in request for request in server.asked), "a server may answer 404 to it, whoever it is"
            # An address that does not know who is listed is a wrong one.
            wrong = direct_answers(client, config.participant_url.replace("participants", "people"), listed_id)
            assert [wrong(id_) for id_ in (other, "12345")] == [None, None]


def test_an_address_that_stops_to_know_who_is_listed_says_of_nobody_that_they_are_gone(tmp_path: Path) -> None:
    asked: list[str] = []

    def answering(_method: str, target: str, _headers: Mapping[str, str]) -> Answer:
        asked.append(target)
        return 200 if len(asked) == 1 else 404, {}, b""

    with answering_server(answering) as url:
        more = f'participant_url = "{url}/p/{{participant_id}}"'
        config = config_in(tmp_path, config_text(url, more=more, entry=BEARER))
        with closing(ApiClient(config, SECRETS)) as client:
            assert config.participant_url is not None
            is_absent = direct_answers(client, config.participant_url, "1")
            assert [is_absent("2"), is_absent("3")] == [None, None]
    assert asked == ["/p/1", "/p/2", "/p/1"]


def test_an_answer_that_is_neither_there_nor_gone_is_none(tmp_path: Path) -> None:
    answers: dict[str, Callable[[], Answer]] = {
        "/people/1": lambda: (200, {}, b"{}"),
        "/people/2": lambda: (410, {}, b""),
        "/people/3": lambda: (403, {}, b""),
        "/people/4": lambda: (302, {"Location": "https://other.example/login"}, b""),
        "/people/5": lambda: (503, {}, b""),
    }
    with answering_server(lambda _method, target, _headers: answers[target]()) as url:
        rest = "[limits]\nattempts = 2"
        with client_of(tmp_path, url, Waited(), entry=BEARER, rest=rest) as client:
            is_absent = direct_answers(client, url + "/people/{participant_id}", "1")
            assert [is_absent(str(number)) for number in range(1, 6)] == [False, True, None, None, None]


def test_the_client_says_who_it_is_and_its_secret_goes_to_the_token_alone(tmp_path: Path) -> None:
    server = Recorded((200, {}, EMPTY))
    with answering_server(server) as url, client_of(tmp_path, url, Waited()) as client:
        client.get(f"{url}/participants")
    (_, _, token), (_, _, page) = server.asked
    basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    assert token["Authorization"] == f"Basic {basic}"
    assert page["Authorization"] == "Bearer first-token"
    assert page["User-Agent"].startswith("rosterlog")
    assert CLIENT_SECRET not in json.dumps([target for _, target, _ in server.asked])
