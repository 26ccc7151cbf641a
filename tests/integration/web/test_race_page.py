"""The page of a race: what can be chosen beside its roster."""

import re
from collections.abc import Iterator
from html import unescape

import pytest

from ingest import postgres
from ingest.database import WORKER_ROLE, sync_engine
from tests import model
from tests.api_client import make_token, running
from tests.browser_session import Browser, links_of, text_of
from tests.conftest import create
from tests.fold_all import drain

RACE = "/races/501"
QUESTION = "T-shirt__in, which = size?"


def person(number: int) -> dict[str, object]:
    return {
        "event_id": 501,
        "event_name": "Harbour",
        "sub_event_name": ("Marathon", "10 km")[number % 2],
        "first_name": f"Ada {number}",
        "bib": None if number % 4 == 0 else 3 if number in (6, 7) else number,
        "checked_in_at": "2026-05-03T07:30:00Z" if number % 5 == 0 else None,
        "created_at": "2026-05-01T09:30:00Z",
        "answers": [
            {"question_id": 41, "question": "Meal", "answer": ["soup", "cake"] if number % 3 else "soup"},
            {"question": QUESTION, "answer": "SM"[number % 2]},
            {"question": "Remarks", "answer": f"remark {number}"},
        ],
    }


@pytest.fixture(scope="module")
def browser(server: postgres.Server, template: str) -> Iterator[Browser]:
    conninfo = create(server, template)
    worker, owner = sync_engine(conninfo, WORKER_ROLE), sync_engine(conninfo)
    bodies = [model.body(number, **person(number)) for number in range(40)]
    model.append(conninfo, [*bodies, model.body(99, event_id=502, answers=[{"question": "Other", "answer": "x"}])])
    drain(worker)
    with running(conninfo) as api:
        browser = Browser(api)
        browser.sign_in(make_token(owner))
        yield browser
    for engine in (worker, owner):
        engine.dispose()


def choices(page: str, title: str) -> dict[str, tuple[int, str]]:
    """The choices of a section: by their words the number and the address."""
    for section in re.findall(r"<section>.*?</section>", page, re.DOTALL):
        if re.search(rf"<h2[^>]*>{re.escape(title)}</h2>", unescape(section)):
            listed = re.findall(r'<li><a href="([^"]*)"[^>]*>([^<]*)</a> <span class="count">([0-9]+)', section)
            return {unescape(words): (int(number), unescape(href)) for href, words, number in listed}
    return {}


def test_bibs_check_in_and_answers_can_be_chosen_and_taken_away(browser: Browser) -> None:
    page = browser.open(RACE).text
    wanted = {
        "bib": {"missing": 10, "double": 3},
        "checked in": {"yes": 8, "no": 32},
        "Meal": {"soup": 40, "cake": 26},
        QUESTION: {"M": 20, "S": 20},
    }
    says = ["no bib", "double bib", "checked in", "not checked in", "Meal: soup", "Meal: cake", *("MS")]
    for title, numbers in wanted.items():
        assert {words: number for words, (number, _) in choices(page, title).items()} == numbers
        for number, href in choices(page, title).values():
            chosen = browser.open(RACE + href)
            if number < 40:
                assert f"{number} of 40: " in text_of(chosen)
            assert says.pop(0) in text_of(chosen)
            chips = re.findall(r'<ul class="chips">.*?</ul>', chosen.text, re.DOTALL)[0]
            [away] = re.findall(r'href="([^"]*)"', chips)
            assert "40 participants" in text_of(browser.open(RACE + unescape(away)))
    assert "Remarks" not in re.findall(r'<nav class="facets".*?</nav>', page, re.DOTALL)[0]
    assert "Other" not in page


def test_one_choice_takes_the_place_of_another_of_its_column(browser: Browser) -> None:
    page = browser.open(f"{RACE}?bib__isnull=false&answer.Meal=cake&sort=bib").text
    [_, href] = choices(page, "bib")["double"]
    assert href == "?answer.Meal=cake&sort=bib&bib__double=true"
    assert choices(page, "Meal")["soup"][1] == "?bib__isnull=false&sort=bib&answer.41=soup"


def test_what_takes_too_long_is_left_out_and_said(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.web.pages.choices._MILLISECONDS", 0)
    page = browser.open(RACE)
    assert page.status_code == 200
    assert "Not counted, since it takes too long here: sub-event, status, gender, team, wave; missing" in text_of(page)
    assert [link for link in links_of(page) if "bib__" in link] == []
