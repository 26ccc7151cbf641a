"""The page of a race: what can be chosen beside its roster, and its columns."""

import csv
import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import urlencode

import pytest

from ingest import postgres
from ingest.database import WORKER_ROLE, sync_engine
from projections.roster.roster import NAMES
from tests import model
from tests.api_client import make_token, running
from tests.browser_session import Browser, links_of, text_of
from tests.conftest import create
from tests.fold_all import drain
from tests.program import until

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
def signed(server: postgres.Server, template: str) -> Iterator[tuple[Browser, str]]:
    conninfo = create(server, template)
    worker, owner = sync_engine(conninfo, WORKER_ROLE), sync_engine(conninfo)
    bodies = [model.body(number, **person(number)) for number in range(40)]
    model.append(conninfo, [*bodies, model.body(99, event_id=502, answers=[{"question": "Other", "answer": "x"}])])
    drain(worker)
    with running(conninfo) as api:
        browser = Browser(api)
        token = make_token(owner)
        browser.sign_in(token)
        yield browser, token
    for engine in (worker, owner):
        engine.dispose()


@pytest.fixture
def browser(signed: tuple[Browser, str]) -> Browser:
    return signed[0]


@pytest.fixture
def token(signed: tuple[Browser, str]) -> str:
    return signed[1]


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
            chosen = browser.open(href)
            if number < 40:
                assert f"{number} of 40: " in text_of(chosen)
            assert says.pop(0) in text_of(chosen)
            chips = re.findall(r'<ul class="chips">.*?</ul>', chosen.text, re.DOTALL)[0]
            [away] = re.findall(r'href="([^"]*)"', chips)
            assert "40 participants" in text_of(browser.open(unescape(away)))
    assert "Remarks" not in re.findall(r'<nav class="facets".*?</nav>', page, re.DOTALL)[0]
    assert "Other" not in page


def test_the_title_is_the_question_in_words_with_its_number(browser: Browser) -> None:
    for query, title in (
        ("", "40 participants"),
        ("?sub_event_name=Marathon&bib__isnull=true", "10 of 40: Marathon, no bib"),
        ("?bib=5", "1 of 40: bib 5"),
    ):
        page = browser.open(RACE + query).text
        [heading] = re.findall(r"<h1[^>]*>(.*?)</h1>", page, re.DOTALL)
        assert re.sub(r"<[^>]*>", "", heading) == title
        assert f"<title>{title} – Harbour – rosterlog</title>" in page


def test_one_choice_takes_the_place_of_another_of_its_column(browser: Browser) -> None:
    page = browser.open(f"{RACE}?bib__isnull=false&answer.Meal=cake&sort=bib").text
    [_, href] = choices(page, "bib")["double"]
    assert href == f"{RACE}?answer.Meal=cake&sort=bib&bib__double=true"
    assert choices(page, "Meal")["soup"][1] == f"{RACE}?bib__isnull=false&sort=bib&answer.41=soup"


def test_what_takes_long_is_counted_beside_the_page(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.web.pages.beside._FEW", 0)
    monkeypatch.setattr("projections.web.pages.beside._EXACT", 0)
    monkeypatch.setattr("projections.web.pages.beside._MANY_SECONDS", 0)
    query = f"{RACE}?q=ada&status__isnull=true"
    page = browser.open(query)
    assert "is being counted: load the page again" in text_of(page)
    assert "Being counted of 40: " in text_of(page)
    until(lambda: "being counted" not in browser.open(query).text.lower())
    assert "40 of 40: " in text_of(browser.open(query))
    assert choices(browser.open(query).text, "Meal")["soup"][0] == 40


def boxes(page: str, name: str) -> dict[str, tuple[str, bool]]:
    """The boxes of a form: by their words the value, and whether it is ticked."""
    box = rf'<input type="checkbox" name="{name}" value="([^"]*)"( checked)?> (?:<span[^>]*>)?(.*?)<'
    found = re.findall(box, page)
    return {unescape(words): (unescape(value), bool(ticked)) for value, ticked, words in found}


def cells(page: str) -> list[list[str]]:
    rows = re.findall(r"<tr>(<td.*?)</tr>", page, re.DOTALL)
    return [[unescape(re.sub(r"<[^>]*>", "", cell)) for cell in re.findall(r"<td.*?</td>", row)] for row in rows]


def test_columns_and_answers_are_chosen_in_a_form(browser: Browser) -> None:
    page = browser.open(f"{RACE}?sort=bib").text
    offered = boxes(page, "columns")
    assert len(offered) == len(NAMES)
    assert [words for words, (_, ticked) in offered.items() if ticked][:2] == ["bib", "last name"]
    assert [*boxes(page, "questions")] == ["Meal", QUESTION, "Remarks"]
    wanted = [("columns", offered[words][0]) for words in ("first name", "bib", "checked in", "attributes")]
    wanted += [("questions", boxes(page, "questions")[words][0]) for words in (QUESTION, "Meal")]
    sent = browser.open(f"{RACE}?{urlencode([('sort', 'bib'), *wanted])}")
    assert sent.status_code == 303
    shown = browser.open(sent.headers["location"])
    assert [words for words, (_, ticked) in boxes(shown.text, "columns").items() if ticked] == [
        "first name", "bib", "checked in", "attributes"
    ]  # fmt: skip
    assert [words for words, (_, ticked) in boxes(shown.text, "questions").items() if ticked] == ["Meal", QUESTION]
    first = cells(shown.text)[0]
    assert first[:3] == ["Ada 1", "1", "—"]
    assert '"first_name":"Ada 1"' in first[3]
    assert first[4:] == ["soup; cake", "M"]
    head = re.findall(r"<thead>.*?</thead>", shown.text, re.DOTALL)[0]
    titles = [unescape(re.sub(r"<[^>]*>", "", title)) for title in re.findall(r"<th .*?</th>", head)]
    assert titles[0].startswith("Harbour · as of position 41, "), "on paper"
    assert titles[1:] == ["first name", "bib ↑", "checked in", "attributes", "Meal", QUESTION]


def test_a_file_has_the_columns_and_answers_of_the_page(browser: Browser) -> None:
    query = urlencode(
        {"columns": "bib,first_name", "questions": f'41,"{QUESTION}"', "sort": "-bib", "bib__double": "true"}
    )
    page = browser.open(f"{RACE}?{query}")
    [link] = [link for link in links_of(page) if ".csv" in link and "columns" in link]
    lines = [*csv.reader(browser.open(link).text.splitlines())]
    assert lines[0] == ["bib", "first_name", "Meal", QUESTION]
    assert lines[1:] == cells(page.text)
    assert len(lines) == 4


def test_a_question_that_nobody_was_asked_is_refused(browser: Browser) -> None:
    page = browser.open(f"{RACE}?questions=Other")
    assert page.status_code == 400
    assert "nobody was asked Other" in text_of(page)


def test_files_take_the_questions_that_become_columns(browser: Browser, token: str) -> None:
    def titles(**query: str) -> list[str]:
        answer = browser.api.ask("/v1/participants.csv", token, columns="bib", event_id="501", **query)
        assert answer.status_code == 200, answer.text
        return next(csv.reader(answer.text.splitlines()))

    assert titles(questions="41,Remarks") == titles(questions="Remarks,Meal") == ["bib", "Meal", "Remarks"]
    assert titles(questions="Meal", answers="one-hot") == ["bib", "Meal: cake", "Meal: soup"]
    rows = browser.api.ask("/v1/participants.csv", token, event_id="501", answers="rows", questions="41").text.split(
        "\n"
    )
    assert len(rows) == 1 + 40 + 26 + 1
    refused = browser.api.ask("/v1/participants.csv", token, event_id="502", questions="Meal")
    assert (refused.status_code, refused.json()["parameter"]) == (400, "questions")
    assert "nobody was asked Meal" in refused.json()["detail"]


def test_the_chart_of_a_race_and_its_table_have_the_same_numbers(browser: Browser) -> None:
    page = browser.open(RACE).text
    [chart] = re.findall(r'<svg class="lines".*?</svg>', page, re.DOTALL)
    assert 'class="line total"' in chart
    assert "40 registrations so far" in chart
    [table] = re.findall(r'<section class="growth">.*?</section>', page, re.DOTALL)
    assert cells(table)[-1] == ["1 May 2026", "40"]
    for query in ("?sort=bib&status__isnull=true", "?as_of=30", "?limit=5&sort=bib"):
        assert ('class="growth"' in browser.open(RACE + query).text) == ("limit" in query), query
