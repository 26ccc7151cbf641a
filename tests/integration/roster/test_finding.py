"""Filters, search and order: equal to the same question in plain Python over the same rows, page by page."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from ingest import postgres
from ingest.database import WORKER_ROLE, sync_engine
from tests import model
from tests.api_client import Api, make_token, running
from tests.conftest import create
from tests.finding_model import SEARCHES, SHIRTS, Test, in_order, is_found, parameters, people, sorts
from tests.fold_all import drain


@dataclass(frozen=True)
class Rostered:
    """An API over a roster, a token that sees it, and its rows by psycopg."""

    api: Api
    token: str
    rows: list[dict[str, Any]] = field(repr=False)


@pytest.fixture(scope="module")
def rostered(server: postgres.Server, template: str) -> Iterator[Rostered]:
    """One roster for all of these questions, beside another source's, whose people have the same ids and words."""
    conninfo = create(server, template)
    model.append(conninfo, people())
    model.append(conninfo, people(6), "other")
    worker, owner = sync_engine(conninfo, WORKER_ROLE), sync_engine(conninfo)
    drain(worker)
    drain(worker, "other")
    with psycopg.connect(conninfo, row_factory=dict_row) as connection:
        rows = connection.execute("select * from participants where source = 'movemint'").fetchall()
    with running(conninfo) as api:
        yield Rostered(api, make_token(owner), rows)
    for engine in (worker, owner):
        engine.dispose()


@pytest.mark.slow
@given(
    filters=st.lists(parameters(), max_size=3, unique_by=lambda parameter: parameter[0]),
    words_=st.none() | st.sampled_from(SEARCHES),
    shirt=st.none() | st.sampled_from(SHIRTS),
    sort=sorts(),
    limit=st.sampled_from([3, 7, 40, 1000]),
)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_criteria_find_what_plain_python_finds_in_the_same_order_on_any_pages(
    rostered: Rostered,
    filters: list[tuple[str, str, Test]],
    words_: str | None,
    shirt: str | None,
    sort: list[str],
    limit: int,
) -> None:
    api, token, rows = rostered.api, rostered.token, rostered.rows
    asked = {name: sent for name, sent, _ in filters}
    expected = [row for row in rows if all(test(row) for _, _, test in filters)]
    if words_ is not None:
        asked["q"] = words_
        expected = [row for row in expected if is_found(row, words_)]
    if shirt is not None:
        asked["answer.Shirt size"] = shirt
        expected = [
            row for row in expected if {"question": "Shirt size", "answer": shirt} in row["attributes"]["answers"]
        ]
    if sort:
        asked["sort"] = ",".join(sort)
    listed = api.listed("/v1/participants", token, limit=limit, **asked)
    assert [row["participant_id"] for row in listed] == in_order(expected, sort)
    assert api.ask("/v1/participants", token, limit=1, count="exact", **asked).json()["count"] == len(expected)


def test_an_estimate_is_the_planners(rostered: Rostered) -> None:
    api, token, rows = rostered.api, rostered.token, rostered.rows
    answer = api.ask("/v1/participants", token, count="estimated", status="active").json()
    assert 0 < answer["count"] <= len(rows)
    assert "count" not in api.ask("/v1/participants", token).json()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("bibb", "1", "bibb is no parameter of this address; it takes"),
        ("bib__gte", "x", "bib__gte takes a whole number."),
        ("bib__iexact", "1", "bib__iexact is no parameter; of bib there is bib, bib__ne, bib__in, bib__isnull"),
        ("dob__lt", "01/02/1990", "dob__lt takes a date such as 1990-12-31."),
        ("registered_at__gte", "1700000000", "registered_at__gte takes a time such as"),
        ("age", "eighteen", "age takes a whole number."),
        ("age__in", "1,,2", "age__in takes a whole number, or up to"),
        ("team__isnull", "1", "team__isnull takes true or false."),
        ("sort", "city", "sort takes one or more of participant_id, event_id, last_name"),
        ("sort", "bib,-bib", "sort takes"),
        ("limit", "0", "limit takes a whole number from 1 to 1000."),
        ("count", "yes", "count takes exact or estimated."),
        ("cursor", "x", "cursor was not made for this question"),
        ("as_of", "yesterday", "as_of takes a position, or a time such as"),
        ("as_of", "151", "as_of is beyond the roster, which is at position 150."),
        ("min_position", "-1", "min_position takes a position."),
        ("q", "a\x00", "q takes up to 20 words."),
        ("q", "()", "q has no word: it takes words with a letter or a digit."),
        ("q", " ", "q has no word: it takes words with a letter or a digit."),
        ("q", "x " * 21, "q takes up to 20 words."),
        ("answer.", "1+1=x", "answer. takes a question after the dot, and its answer; in an address = is written %3D"),
        ("a\x1bb", "x", "A name is no parameter of this address"),
    ],
)  # fmt: skip
def test_what_is_unknown_or_ill_typed_is_refused_by_name(rostered: Rostered, name: str, value: str, says: str) -> None:
    api, token = rostered.api, rostered.token
    answer = api.ask("/v1/participants", token, **{name: value})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["parameter"] == name
    assert answer.json()["detail"].startswith(says)


def test_blanks_around_names_between_commas_do_not_count(rostered: Rostered) -> None:
    api, token = rostered.api, rostered.token
    plain, blanks = (
        api.ask("/v1/participants", token, **asked).json()["data"]
        for asked in ({"columns": "bib,team", "sort": "bib,-team"}, {"columns": "bib, team ", "sort": " bib , -team"})
    )
    assert plain == blanks


def test_not_any_number_of_answers_can_be_asked_for(rostered: Rostered) -> None:
    asked = {f"answer.{number}": "x" for number in range(21)}
    answer = rostered.api.ask("/v1/participants", rostered.token, **asked)
    assert (answer.status_code, answer.json()["detail"]) == (400, "answer. takes up to 20 questions at once.")
