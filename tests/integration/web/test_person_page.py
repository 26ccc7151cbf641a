"""The page of a participant: what came again or too late, other races of the athlete, the object on request."""

import re
from collections.abc import Callable, Iterator

import httpx2 as httpx
import psycopg
import pytest
from sqlalchemy import Engine

from projections.web.access import tokens
from projections.web.api import ApiSettings
from tests import model
from tests.api_client import Api, make_token, running
from tests.browser_session import Browser, links_of, text_of
from tests.fold_all import drain, query
from tests.observing import observe, unlisted

Fill = Callable[..., None]


@pytest.fixture
def fill(database: str, worker_engine: Engine) -> Fill:
    """Deliver bodies, and fold them."""

    def deliver(*bodies: bytes) -> None:
        model.append(database, bodies)
        drain(worker_engine)

    return deliver


@pytest.fixture
def api(database: str) -> Iterator[Api]:
    with running(database) as api:
        yield api


@pytest.fixture
def browser(api: Api, engine: Engine) -> Browser:
    browser = Browser(api)
    browser.sign_in(make_token(engine))
    return browser


def person(id_: int, day: int | None = None, **fields: object) -> bytes:
    updated = {} if day is None else {"updated_at": f"2026-05-{day:02}T10:00:00Z"}
    return model.body(id_, **{"event_id": 1, "event_name": "Lake", **updated, **fields})


def test_what_came_again_or_too_late_is_on_the_time_line(fill: Fill, browser: Browser, database: str) -> None:
    first = person(1, 3, first_name="Ada")
    fill(first, first, first, person(1, 5, first_name="Eve"), person(1, 4, first_name="Old"))
    fill(model.again(person(1, 5, first_name="Eve"), 2))
    fill(b'{"type": "event.participant.deleted", "data": {"object": {"id": 1}}}')
    query(database, "update event_redelivery set last_at = '2026-06-07T08:09:00Z' returning 1")
    page = text_of(browser.open("/participants/1"))
    line = page[page.index("What happened") :]
    assert "Old" not in line, "it changed nothing, and is nowhere"
    for shown in (
        "position 5 Of another type than a registration ( event.participant.deleted ): it changed nothing.",
        "position 4 Said nothing new.",
        "position 3 Came late: it is from 4 May 2026, 10:00 , older than what was known, and changed nothing.",
        "position 2 first name: Ada → Eve",
        "position 1 · until position 2 First registered. The same delivery came 2 more times, the last time",
    ):
        assert shown.replace(" ", "") in line.replace(" ", ""), shown
    assert "the last time 7 Jun 2026, 08:09" in line
    as_it_was = text_of(browser.open("/participants/1?as_of=2"))
    assert "Came late" not in as_it_was
    assert "position 2 first name" in as_it_was
    assert "Eve" not in text_of(browser.open("/participants/1?as_of=1"))


def test_what_could_not_be_read_is_said(fill: Fill, browser: Browser, database: str) -> None:
    fill(person(1, first_name="Ada"))
    with psycopg.connect(database) as admin:
        admin.execute("alter table participants_build_1 add constraint trouble check (first_name <> 'Eve')")
    fill(person(1, first_name="Eve"))
    page = text_of(browser.open("/participants/1"))
    assert "position 2 Could not be read, so nothing of it is shown here." in page
    assert "Eve" not in page


def test_what_is_no_time_and_no_json_for_postgresql_hinders_no_page(fill: Fill, browser: Browser) -> None:
    fill(
        person(1, first_name="Ada"),
        person(1, first_name="Eve", odd="\x00", updated_at="\x00", seen_at="no time"),
        person(1, odd="x" * 70_000),
        b'{"data": {"object": {"id": 1, "odd": ' + b"[" * 20_000 + b"]" * 20_000 + b"}}}",
    )
    page = browser.open("/participants/1")
    assert page.status_code == 200
    assert "attributes.seen_at: — → no time" in text_of(page)


def test_a_token_of_one_race_sees_no_delivery_of_another(fill: Fill, api: Api, engine: Engine) -> None:
    fill(person(1, 5, first_name="Ada"), person(1, 4, event_id=2), person(1, 3))
    browser = Browser(api)
    browser.sign_in(make_token(engine, events=("1",)))
    page = text_of(browser.open("/participants/1"))
    assert "position 2" not in page
    assert "position 3 Came late" in page


def others_of(page: httpx.Response) -> list[str]:
    return [link for link in links_of(page) if link.startswith("/participants/") and "object=" not in link]


def test_other_races_of_the_athlete_are_those_that_the_token_sees(fill: Fill, api: Api, engine: Engine) -> None:
    names = ("Lake", "Hill", "Canary race")
    bodies = [
        model.body(
            number, event_id=number, event_name=name, athlete_id="a1", bib=f"b{number}", email="canary@example.org"
        )
        for number, name in enumerate(names, 1)
    ]
    fill(*bodies, model.body(4, event_id=1, athlete_id="a2"), model.body(5, event_id=1))
    browser = Browser(api)
    browser.sign_in(make_token(engine))
    page = browser.open("/participants/1")
    assert others_of(page) == ["/participants/2", "/participants/3"]
    assert "Hill bib b2" in text_of(page).replace("· ", "")
    for alone in ("/participants/4", "/participants/5"):
        assert "Other races" not in browser.open(alone).text
    with engine.begin() as connection:
        scoped = tokens.create(connection, "s", "movemint", ("1", "2"), None, sees_personal_data=False)
    browser.sign_in(scoped)
    page = browser.open("/participants/1")
    assert others_of(page) == ["/participants/2"]
    assert "canary" not in page.text.lower()


def test_others_are_found_by_an_index(fill: Fill, database: str) -> None:
    fill(*(person(number, athlete_id=f"a{number // 2}") for number in range(400)))
    with psycopg.connect(database) as admin:
        admin.execute("analyze participants_build")
        of_athlete = "source = 'movemint' and athlete_id = 'a7' order by participant_id limit 21"
        plan = admin.execute(f"explain select * from participants where {of_athlete}".encode()).fetchall()
    assert "athlete_id" in str(plan)
    assert "Seq Scan" not in str(plan)


def test_the_object_as_it_came_is_shown_on_request(fill: Fill, browser: Browser, engine: Engine) -> None:
    fill(person(1, first_name="Ada", odd="canary-odd"))
    page = browser.open("/participants/1")
    assert "canary-odd" not in page.text
    [link] = [unhashed for link in links_of(page) if (unhashed := link.partition("#")[0]).endswith("object=shown")]
    assert "canary-odd" in browser.open(link).text
    assert "canary-odd" in browser.open("/participants/1?as_of=1&object=shown").text
    assert browser.open("/participants/1?object=hidden").status_code == 400
    with engine.begin() as connection:
        masked = tokens.create(connection, "m", "movemint", (), None, sees_personal_data=False)
    browser.sign_in(masked)
    page = browser.open("/participants/1?object=shown")
    assert page.status_code == 200
    assert "canary-odd" not in page.text
    assert "object=shown" not in page.text


def test_why_a_value_cannot_be_read_is_reached_without_a_mouse(fill: Fill, browser: Browser) -> None:
    fill(person(1, event_id=1, dob="not a day"))
    why = "not an ISO date such as 1990-12-31"
    assert f"not readable: {why}" in text_of(browser.open("/participants/1"))
    assert f"<summary>not readable</summary>{why}</details>" in browser.open("/races/1?columns=first_name,dob").text


def test_who_is_not_listed_any_more_is_told_on_the_person_and_among_the_filters_of_the_race(
    fill: Fill, browser: Browser, operator: Engine, worker_engine: Engine
) -> None:
    fill(person(1, 3, first_name="Ada"), person(2, 3, first_name="Eve"))
    assert "Movemint's list" not in text_of(browser.open("/races/1")) + text_of(browser.open("/participants/1"))
    observe(operator, unlisted(1, 1, event_id=1, event_name="Lake", first_name="Ada"))
    drain(worker_engine)
    page = text_of(browser.open("/participants/1"))
    assert "Not on Movemint's list any more, as was seen on" in page
    assert "Not on Movemint's list any more." in page[page.index("What happened") :]
    race = browser.open("/races/1")
    assert "Movemint's list not on it any more 1" in text_of(race)
    [link] = [link for link in links_of(race) if "unlisted_at" in link]
    chosen = text_of(browser.open(link))
    assert "1 of 2: not on Movemint's list" in chosen
    assert "not on it any more" not in chosen, "what is chosen is no choice"
    fill(person(1, 4, first_name="Ada"))
    page = text_of(browser.open("/participants/1"))
    assert "On Movemint's list again." in page
    assert "as was seen on" not in page


def test_changes_are_told_in_words_the_newest_first(fill: Fill, browser: Browser) -> None:
    asked = [{"question": "Shirt", "answer": ["S", "M"]}]
    fill(
        person(1, first_name="A", nick="A", answers=[]),
        person(1, first_name="B", nick="B", answers=asked, checked_in_at="2026-05-01T09:30:00Z"),
        person(1, first_name="B", nick="B", answers=[], odd={"x": None}),
    )
    answer = browser.open("/participants/1")
    page = text_of(answer)
    assert "first name: A → B" in page
    assert "checked in: — → 1 May 2026, 09:30" in page
    assert re.search('<ins dir="auto"><time datetime="2026-05-01T09:30:00', answer.text), "in the reader's zone"
    assert "attributes.nick: A → B" in page, "of equal values, and no column of its own"
    assert "Shirt: — → S; M" in page
    assert "Shirt: S; M → —" in page
    assert 'attributes.odd: — → {"x":null}' in page


def test_of_many_states_the_newest_hundred_are_shown(fill: Fill, browser: Browser) -> None:
    fill(*(person(2, first_name=f"State {number}") for number in range(105)))
    page = text_of(browser.open("/participants/2"))
    assert "State 103 → State 104" in page
    assert "5 older states are not shown here" in page
    assert "First registered" not in page


def test_of_large_states_the_newest_are_shown(fill: Fill, database: str, engine: Engine) -> None:
    fill(*(person(1, first_name=f"S{number}", odd="x" * 9_000) for number in range(9)))
    with running(database, ApiSettings(page_bytes=25_000)) as api:
        browser = Browser(api)
        browser.sign_in(make_token(engine))
        page = text_of(browser.open("/participants/1"))
    assert "first name: S7 → S8" in page
