"""What is wrong is a page for a browser and a problem for a program, each with the request's id."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from projections.web.pages import beside
from tests import model
from tests.api_client import Api, make_token, running
from tests.browser_session import Browser, links_of, text_of
from tests.fold_all import drain

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def api(database: str, worker_engine: Engine) -> Iterator[Api]:
    people = [(".", "One"), ("..", "Two"), (".", "One changed"), ("...", "Three")]
    model.append(database, [model.body(id_, event_id=id_, event_name="Dots", first_name=name) for id_, name in people])
    drain(worker_engine)
    with running(database) as api:
        yield api


@pytest.fixture
def browser(api: Api, engine: Engine) -> Browser:
    browser = Browser(api, headers=BROWSER)
    browser.sign_in(make_token(engine))
    return browser


@pytest.mark.parametrize(
    ("path", "method", "status", "says"),
    [
        ("/nothing", "GET", 404, "Not here There is nothing at this address."),
        ("/races", "GET", 404, "There is nothing at this address."),
        ("/operations/", "GET", 404, "has a slash more than /operations"),
        ("/healthz", "POST", 405, "Not like this This address does not take that method"),
        ("/metrics", "GET", 401, "Sign in first Send a token"),
    ],
)
def test_a_wrong_address_is_a_page_for_a_browser_and_a_problem_for_programs(
    api: Api, path: str, method: str, status: int, says: str
) -> None:
    for accept in (BROWSER["Accept"], "*/*", "application/json", ""):
        answer = api.ask(path, method=method, headers={"Accept": accept})
        assert answer.status_code == status
        if "text/html" in accept:
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert says in text_of(answer)
            assert f"Error {status}, request {answer.headers['x-request-id']}" in text_of(answer)
            assert "script-src 'self'" in answer.headers["content-security-policy"]
        else:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/v1", "/v1/nothing", "/v1/participants"])
def test_the_api_answers_a_browser_as_any_program(api: Api, path: str) -> None:
    answer = api.ask(path, headers=BROWSER)
    assert answer.headers["content-type"] == "application/problem+json"


def test_each_error_of_a_page_has_the_id_of_its_request(browser: Browser) -> None:
    for path, status in (("/participants/nobody", 404), ("/operations", 403), ("/sign-in/used", 410)):
        answer = browser.open(path)
        assert answer.status_code == status
        assert f"Error {status}, request {answer.headers['x-request-id']}" in text_of(answer)
    answer = Browser(browser.api).sign_in("wrong")
    assert f"Error 401, request {answer.headers['x-request-id']}" in text_of(answer)


def test_a_fault_is_a_page_with_the_id_by_which_the_log_has_it(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("canary")

    monkeypatch.setattr(beside, "newest_name", fail)
    transport = browser.api.client._transport
    monkeypatch.setattr(transport, "raise_app_exceptions", False)
    answer = browser.open("/races/...")
    assert answer.status_code == 500
    assert f"Error 500, request {answer.headers['x-request-id']}" in text_of(answer)
    assert "canary" not in answer.text
    browser.headers = {}
    assert browser.open("/races/...").json()["title"] == "Internal Server Error"


def test_ids_that_browsers_take_for_steps_of_the_path_have_pages(browser: Browser) -> None:
    found = browser.open("/find?q=changed")
    assert found.headers["location"] == "/participants/?id=."
    page = browser.open("/participants/?id=.")
    assert "first name: One → One changed" in text_of(page)
    assert browser.open("/participants/?id=.&as_of=1").status_code == 200
    assert "Two" in text_of(browser.open("/participants/?id=.."))
    assert "Three" in text_of(browser.open("/participants/..."))
    links = [link for link in links_of(browser.open("/")) if link.startswith("/races/")]
    assert links == ["/races/?id=.", "/races/?id=..", "/races/..."]
    assert [link for link in links_of(browser.open("/races/?id=..")) if link.startswith("/participants/")][:1] == [
        "/participants/?id=.."
    ]
    for path in ("/participants/", "/races/?status=active", "/races/?id=x"):
        answer = browser.open(path)
        assert answer.status_code == 404
        assert "There is no id in this address." in text_of(answer)
    away = Browser(browser.api).open("/participants/?id=..")
    assert away.headers["location"] == "/sign-in?next=%2Fparticipants%2F%3Fid%3D.."
