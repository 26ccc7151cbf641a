"""The pages show what the API answers, harmlessly, and say what went wrong as pages."""

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo

from ingest import postgres
from ingest.database import WORKER_ROLE, sync_engine
from tests import model
from tests.api_client import Api, make_token, running
from tests.browser_session import Browser, links_of, text_of
from tests.conftest import create
from tests.fold_all import drain

HOSTILE = [
    '<script>alert("x")</script>',
    "\"'>&amp;",
    "{{ 6 * 777 }}",
    "x" * 300,
    "مرحبا بالعالم",
    "🏃‍♀️" * 20,
    "a\u202eb",
    "line\nbreak",
]
STATUSES = ("active", "deferred", None)


def person(number: int) -> bytes:
    """One of the people; every sixth has a birthday that cannot be read."""
    text = HOSTILE[number % len(HOSTILE)]
    return model.body(
        f"id/{number}" if number % 9 == 0 else number,
        event_id=f"race {number % 3}/a?",
        event_name=f"Race {text}",
        first_name=text,
        last_name=f"n{number % 7}",
        status=STATUSES[number % 3],
        bib=str(number) if number % 2 else None,
        team=f"t{number % 4}",
        gender=text if number % 5 == 0 else "f",
        dob="1990-01-01" if number % 6 else "not a day",
        created_at="2026-05-01T09:30:00Z",
        answers=[{"question": text, "answer": text}],
        odd={text: text},
    )


@pytest.fixture(scope="module")
def seen(server: postgres.Server, template: str) -> Iterator[tuple[Browser, str]]:
    """A hundred and twenty people with all that could break a page, some changed; a browser and its token."""
    conninfo = create(server, template)
    changed = [model.body(number, **{**json.loads(person(number))["data"]["object"], "bib": "99"}) for number in (1, 2)]
    model.append(conninfo, [*map(person, range(120)), *changed])
    worker, owner = sync_engine(conninfo, WORKER_ROLE), sync_engine(conninfo)
    drain(worker)
    token = make_token(owner)
    with running(conninfo) as api:
        browser = Browser(api)
        browser.sign_in(token)
        yield browser, token
    for engine in (worker, owner):
        engine.dispose()


RACE = "/races/race%201%2Fa%3F"
QUERIES = st.fixed_dictionaries(
    {"limit": st.sampled_from(["1", "7", "100"])},
    optional={
        "status": st.sampled_from(["active", "deferred", "nothing"]),
        "bib__isnull": st.sampled_from(["true", "false"]),
        "team__in": st.sampled_from(["t1", "t1,t2"]),
        "q": st.sampled_from(["n1", "n2 t1", "alert", "مرحبا"]),
        "sort": st.sampled_from(["bib", "-last_name,bib", "team", "-registered_at"]),
        f"answer.{HOSTILE[3]}": st.just(HOSTILE[3]),
        "as_of": st.integers(4, 122).map(str),
    },
)


def people_of(page: str) -> list[str]:
    """The ids of the people in a page's table, in its order."""
    rows = re.findall(r"<tr><td.*?</tr>", page, re.DOTALL)
    return [unescape(match[1]) for row in rows if (match := re.search(r'/participants/([^"?]*)["?]', row))]


@given(query=QUERIES)
@settings(
    max_examples=18, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
def test_a_page_shows_exactly_whom_the_api_answers_to_its_end(seen: tuple[Browser, str], query: dict[str, str]) -> None:
    browser, token = seen
    wanted = browser.api.listed("/v1/participants", token, event_id="race 1/a?", **query)
    shown: list[str] = []
    path = f"{RACE}?{urlencode(query)}"
    first = browser.open(path)
    while True:
        page = browser.open(path)
        assert page.status_code == 200, text_of(page)
        shown += people_of(page.text)
        following = re.search(r'rel="next" href="([^"]*)"', page.text)
        if following is None:
            break
        path = unescape(following[1])
    assert shown == [str(row["participant_id"]).replace("/", "%2F") for row in wanted]
    number = re.search(r'class="question"><strong>([0-9,]+)</strong>', first.text)
    assert number is not None
    assert int(number[1].replace(",", "")) == len(wanted)


def test_the_number_of_a_facets_link_is_the_number_behind_it(seen: tuple[Browser, str]) -> None:
    browser, _ = seen
    page = browser.open(f"{RACE}?q=n1").text
    links = re.findall(r'<li><a href="([^"]*)"[^>]*>[^<]*</a> <span class="count">([0-9]+)</span>', page)
    assert len(links) > 5
    assert ">team</h2>" in page
    assert ">status</h2>" not in page, "of one value it tells nothing"
    for href, number in links:
        assert f"<strong>{number}</strong>" in browser.open(unescape(href)).text, href


def test_a_file_is_exactly_what_the_page_shows(seen: tuple[Browser, str]) -> None:
    browser, _ = seen
    page = browser.open(f"{RACE}?status=deferred&sort=-bib")
    [link] = [link for link in links_of(page) if ".ndjson" in link]
    assert "columns=bib%2Clast_name" in link
    whole = next(link for link in links_of(page) if ".csv" in link and "columns" not in link)
    assert browser.open(whole).text.splitlines()[1].count(",") > 20
    assert "no-store" in browser.open(whole).headers["cache-control"]
    link = link.replace("columns=", "columns=participant_id%2C")
    file = browser.open(link)
    assert "attachment" in file.headers["content-disposition"]
    ids = [str(json.loads(line)["participant_id"]).replace("/", "%2F") for line in file.text.splitlines()]
    assert ids == people_of(page.text)
    assert len(ids) > 30
    assert Browser(browser.api).open(link).status_code == 303


def test_whatever_people_write_is_shown_as_they_wrote_it(seen: tuple[Browser, str]) -> None:
    browser, _ = seen
    for number in range(9, 60):
        id_ = f"id%2F{number}" if number % 9 == 0 else str(number)
        page = browser.open(f"/participants/{id_}")
        text = HOSTILE[number % len(HOSTILE)]
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert " ".join(text.split()) in text_of(page) or "<" in text
        assert ("not readable" in text_of(page)) == (number % 6 == 0)
    assert "4662" not in text_of(browser.open("/participants/id%2F18"))  # HOSTILE[2] is no template


def test_a_person_has_what_happened_with_old_and_new_values(seen: tuple[Browser, str]) -> None:
    page = text_of(seen[0].open("/participants/1"))
    assert "bib: 1 → 99" in page
    assert "attributes.bib" not in page, "a column says so already"
    assert page.index("bib: 1 → 99") < page.index("First registered.")


def test_a_search_opens_the_one_person_that_it_finds(seen: tuple[Browser, str]) -> None:
    browser, _ = seen
    assert browser.open("/find?q=99%20n2").headers["location"] == "/participants/2"
    many = browser.open("/find?q=n1")
    assert many.status_code == 200
    assert len(people_of(many.text)) == len([number for number in range(120) if number % 7 == 1])
    assert "Nobody is found" in text_of(browser.open("/find?q=nobody-at-all"))
    assert browser.open("/find").headers["location"] == "/"
    last = re.search(r'rel="next" href="([^"]*)"', browser.open("/find?q=n1&limit=16").text)
    assert last is not None
    assert len(people_of(browser.open(unescape(last[1])).text)) == 1, "one is left, and was not meant alone"


def test_the_start_page_counts_each_race(seen: tuple[Browser, str]) -> None:
    browser, token = seen
    page = browser.open("/")
    for race in browser.api.listed("/v1/events", token):
        assert f"{race['participants']} participants" in text_of(page)
    assert len([link for link in links_of(page) if link.startswith("/races/")]) == 3


def test_without_a_registration_the_first_page_teaches(database: str) -> None:
    engine = sync_engine(database)
    with running(database) as api:
        browser = Browser(api)
        browser.sign_in(make_token(engine))
        page = browser.open("/")
    engine.dispose()
    assert page.status_code == 200
    for part in ("/webhooks/movemint", "event.participant.created", "openssl dgst", "${MOVEMINT_WEBHOOK_SECRET%%,*}"):
        assert part in text_of(page)
    assert model.SECRET.decode() not in page.text


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/races/nothing", 404, "You see no race of this id."),
        ("/participants/nobody", 404, "You see no participant of this id."),
        (f"{RACE}?colour=red", 400, "colour is no parameter"),
        (f"{RACE}?as_of=9999", 400, "as_of is beyond the roster"),
        ("/operations", 403, "This page is for operators"),
    ],
)
def test_an_error_is_a_page_that_says_what_to_do(seen: tuple[Browser, str], path: str, status: int, says: str) -> None:
    answer = seen[0].open(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert says in text_of(answer)
    assert answer.headers["x-request-id"] in text_of(answer)


def test_while_the_database_is_away_the_page_says_so(seen: tuple[Browser, str], database: str) -> None:
    with running(make_conninfo(database, host="127.0.0.1", port="1")) as api:
        for path in ("/", RACE, "/operations"):
            answer = Browser(api, cookie=seen[0].cookie).open(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
            assert "Nothing is lost" in text_of(answer)


def test_pages_load_only_what_is_ours(seen: tuple[Browser, str]) -> None:
    browser, _ = seen
    for path in ("/", RACE, "/participants/1", "/find?q=n1", "/sign-in"):
        page = browser.open(path)
        assert page.headers["content-security-policy"] == (
            "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
            "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        )
        assert not re.search(r"<style|style=|onclick=|<script>|javascript:", page.text)
        assert all(link.startswith(("/", "#", "data:")) for link in links_of(page))
    for path in re.findall(r'(?:href|src)="(/pages/[^"]*)"', browser.open("/sign-in").text):
        file = Browser(browser.api).open(path)
        assert (file.status_code, "immutable" in file.headers["cache-control"]) == (200, True)
    assert browser.open("/pages/../pages.py").status_code == 404


def described(api: Api) -> dict[str, Any]:
    document: dict[str, Any] = api.ask("/openapi.json").json()
    return document


def test_pages_are_no_part_of_the_apis_document(seen: tuple[Browser, str]) -> None:
    assert all(path.startswith("/v1/") for path in described(seen[0].api)["paths"])


def test_what_is_typed_and_chosen_leads_to_no_error(seen: tuple[Browser, str]) -> None:
    browser, _ = seen
    assert browser.open(f"{RACE}?team=t1&q=").headers["location"] == f"{RACE}?team=t1"
    assert browser.open(f"{RACE}?team=t1&cursor=x").headers["location"] == f"{RACE}?team=t1"
    assert "Nobody had registered for this race yet" in text_of(browser.open(f"{RACE}?as_of=1"))
    page = browser.open(f"{RACE}?answer.a__b__in=x,y&include=answers&event_id=other&status__in=active,deferred")
    assert "a__b: x or y" in text_of(page)
    chips = re.findall(r'<ul class="chips">.*?</ul>', page.text, re.DOTALL)[0]
    assert chips.count("<li>") == 2
    for href in re.findall(r'href="([^"]*)"', chips):
        assert browser.open(unescape(href)).status_code == 200


def test_a_race_has_its_newest_name_whoever_is_shown(seen: tuple[Browser, str]) -> None:
    browser, token = seen
    [race] = [race for race in browser.api.listed("/v1/events", token) if race["event_id"] == "race 1/a?"]
    for query in ("", "?status=nothing", "?sort=-bib&limit=1"):
        title = re.search(r'<p class="race" dir="auto">(.*?)</p>', browser.open(RACE + query).text, re.DOTALL)
        assert title is not None
        assert unescape(title[1]) == race["event_name"]


@pytest.mark.slow
def test_a_statement_that_takes_too_long_is_told_as_that_and_logged(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine = sync_engine(database)
    with running(database) as api, engine.connect() as holding:
        browser = Browser(api)
        browser.sign_in(make_token(engine))
        holding.exec_driver_sql("lock participants_build in access exclusive mode")
        answer = browser.open("/races/1")
    engine.dispose()
    assert (answer.status_code, "This takes too long" in text_of(answer)) == (503, True)
    assert "page unreadable" in caplog.text
