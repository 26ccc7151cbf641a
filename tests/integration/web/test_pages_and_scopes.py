"""Random questions: a page shows what the API answers to the same token, and nothing beyond its scope."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest import postgres
from ingest.database import WORKER_ROLE, sync_engine
from projections.web.access import tokens
from tests import model
from tests.api_client import Api, make_token, running
from tests.browser_session import Browser, text_of
from tests.conftest import create
from tests.fold_all import drain
from tests.secret_people import SECRETS

MEALS = ("soup", "cake", "bread")
ELSEWHERE = "mark-of-another-race"
# Found again wherever they are shown: of a person, behind the mask; of another race, beyond the scope.
PERSONAL = [str(value) for name, value in SECRETS.items() if name != "answers"] + ["canary-answer", "canary-own-words"]


def person(number: int) -> bytes:
    answers: list[dict[str, Any]] = [
        {"question_id": 41, "question": "Meal", "answer": MEALS[number % 3]},
        {"question": "Shirt size", "answer": "SM"[number % 2]},
        {"question": "Anything else?", "answer": "canary-answer" if number == 3 else f"canary-answer {number}"},
    ]
    if number == 5:
        answers.append({"question": "canary-own-words", "answer": "M"})
    return model.body(
        number,
        **{
            **SECRETS,
            "event_id": 5,
            "event_name": "Harbour",
            "first_name": f"Ada {number}",
            "bib": None if number % 5 == 0 else number % 20,
            "status": ("active", "deferred")[number % 2],
            "team": f"t{number % 4}",
            "checked_in_at": "2026-05-03T07:30:00Z" if number % 4 == 0 else None,
            "created_at": f"2026-03-{1 + number % 28:02}T08:00:00Z",
            "answers": answers,
        },
    )


def elsewhere(number: int) -> bytes:
    mark = f"{ELSEWHERE}-{number}"
    names = ("event_name", "first_name", "last_name", "team", "bib", "status", "wave", "gender", "sub_event_name")
    answers = [{"question": "Meal", "answer": mark}, {"question": mark, "answer": mark}]
    return model.body(1000 + number, event_id=6, answers=answers, **dict.fromkeys(names, mark))


@dataclass(frozen=True)
class Bearer:
    """Somebody with a token, who is signed in. `never`: what no page may show this person."""

    token: str
    browser: Browser
    never: list[str]


@dataclass(frozen=True)
class Bearers:
    api: Api
    all: dict[str, Bearer]


@pytest.fixture(scope="module")
def bearers(server: postgres.Server, template: str) -> Iterator[Bearers]:
    conninfo = create(server, template)
    worker, owner = sync_engine(conninfo, WORKER_ROLE), sync_engine(conninfo)
    model.append(conninfo, [*map(person, range(60)), *map(elsewhere, range(3)), person(7)[:-1] + b', "n": 2}'])
    drain(worker)
    with owner.begin() as connection:
        plain = tokens.create(connection, "plain", "movemint", (), None, sees_personal_data=False)
        both = tokens.create(connection, "both", "movemint", ("5",), None, sees_personal_data=False)
    of_one = make_token(owner, "one", events=("5",))
    with running(conninfo) as api:
        never = {"plain": (plain, PERSONAL), "one": (of_one, [ELSEWHERE]), "both": (both, [*PERSONAL, ELSEWHERE])}
        signed = {}
        for name, (token, canaries) in never.items():
            browser = Browser(api)
            browser.sign_in(token)
            signed[name] = Bearer(token, browser, canaries)
        yield Bearers(api, signed)
    for engine in (worker, owner):
        engine.dispose()


QUERIES = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["active", "deferred", "nothing"]),
        "bib__isnull": st.sampled_from(["true", "false"]),
        "bib__double": st.sampled_from(["true", "false"]),
        "checked_in_at__isnull": st.sampled_from(["true", "false"]),
        "team__in": st.sampled_from(["t1", "t1,t2"]),
        "q": st.sampled_from(["ada 1", "t3", "ada"]),
        "sort": st.sampled_from(["bib", "-first_name,bib", "team", "-registered_at"]),
        "answer.41": st.sampled_from(MEALS),
        "answer.Shirt size__ne": st.just("M"),
        "as_of": st.integers(6, 64).map(str),
        "limit": st.sampled_from(["7", "1000"]),
    },
)
COLUMNS = st.sampled_from(
    ["", "bib,team", "first_name,participant_id,checked_in_at", "field_errors,registered_at,event_name"]
)
CHOSEN = st.sampled_from(["", "41", "Shirt size,41", "Anything else?"])
PATHS = ("/", "/find?q=ada", "/races/5", "/races/6", "/races/5?sheet=check-in", "/participants/3", "/participants/1001")


@given(who=st.sampled_from(["plain", "one", "both"]), query=QUERIES, columns=COLUMNS, questions=CHOSEN)
@settings(max_examples=18, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_page_shows_what_the_api_answers_and_nothing_beyond(
    bearers: Bearers, who: str, query: dict[str, str], columns: str, questions: str
) -> None:
    bearer = bearers.all[who]
    more = {name: value for name, value in (("columns", columns), ("questions", questions)) if value}
    path = f"/races/5?{urlencode({**query, **more})}"
    shown, number = walked(bearer.browser, path, bearer.never)
    if number is None:  # refused: so is the file with the same columns
        csv = {name: value for name, value in query.items() if name != "limit"}
        assert bearers.api.ask("/v1/participants.csv", bearer.token, event_id="5", **csv, **more).status_code == 400
        return
    wanted = bearers.api.listed("/v1/participants", bearer.token, event_id="5", **query)
    assert shown == [row["participant_id"] for row in wanted]
    assert number == len(wanted)


def walked(browser: Browser, path: str, never: list[str]) -> tuple[list[str], int | None]:
    """Whom a page and those after it show, and the number that stands above; None where it is refused."""
    first = page = browser.open(path)
    shown: list[str] = []
    while True:
        for canary in never:
            assert canary not in page.text, f"{canary} on {path}"
        if page.status_code == 400:
            return [], None
        assert page.status_code == 200, text_of(page)
        rows = re.findall(r"<tr><td.*?</tr>", page.text, re.DOTALL)
        shown += [match[1] for row in rows if (match := re.search(r'/participants/([0-9]+)["?]', row))]
        following = re.search(r'rel="next" href="([^"]*)"', page.text)
        if following is None:
            break
        page = browser.open(unescape(following[1]))
    number = re.search(r'class="question"><strong>([0-9,]+)</strong>', first.text)
    assert number is not None
    return shown, int(number[1])


def test_no_page_or_link_of_one_tells_what_its_reader_may_not_see(bearers: Bearers) -> None:
    """Every facet, box, file and sheet that a page offers is followed, too."""
    for who, bearer in bearers.all.items():
        offered = {quote(path, safe="/?=&%-_") for path in PATHS}
        for link in re.findall(r'href="([^"]*)"', bearer.browser.open("/races/5").text):
            link = unescape(link)
            if link.startswith(("/races/5?", "/download")) and ".xlsx" not in link and ".parquet" not in link:
                offered.add(link)
        boxes = re.findall(r'name="(columns|questions)" value="([^"]*)"', bearer.browser.open("/races/5").text)
        offered |= {f"/races/5?{urlencode({name: unescape(value)})}" for name, value in boxes}
        assert len(offered) > 40, who
        for path in sorted(offered):
            answer = bearer.browser.open(path)
            assert answer.status_code in (200, 404), path
            for canary in bearer.never:
                assert canary not in answer.text, f"{who}: {canary} on {path}"


def test_the_canaries_are_shown_to_whoever_may_see_them(bearers: Bearers) -> None:
    own = bearers.all["one"].browser
    assert "canary-answer" in own.open("/races/5?questions=Anything%20else%3F").text
    assert "canary-phone" in own.open("/races/5?columns=phone").text
    assert f"{ELSEWHERE}-1" in bearers.all["plain"].browser.open("/races/6").text
    assert "soup" in bearers.all["both"].browser.open("/races/5").text, "what many people gave is a facet"
