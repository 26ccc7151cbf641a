"""What a file says of an API: every mistake is named, no secret is taken from it, and what pages and headers say."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from projections.truth.api.client import ApiAnswer
from projections.truth.api.pages import address_of, first_address, read_page
from projections.truth.api.waits import asked_wait, growing_wait
from projections.truth.conclusion import NothingConcluded
from tests.api_lists import BEARER, OAUTH, config_in, config_text

URL = "https://api.example.org"
NOW = datetime(2026, 5, 3, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (config_text("http://api.example.org"), "url: is http, by which a secret"),
        (config_text("https://me:hush@api.example.org"), "without a user"),
        (config_text(URL, path="/{page}"), "url: has {page}; there is {event_id}, {ceiling}"),
        (config_text("https://{event_id}.example.org"), "is no address"),
        (config_text(URL, more='secret = "hush"'), "secret: extra inputs are not permitted"),
        (config_text(URL, more='participant_url = "https://api.example.org/x"'), "lacks {participant_id}"),
        (config_text(URL, more='participant_url = "https://other.example/{participant_id}"'), "is of another server"),
        (config_text(URL, entry=""), "give [oauth] or [bearer]"),
        (config_text(URL, entry=OAUTH + BEARER), "give [oauth] or [bearer]"),
        (config_text(URL, entry='[bearer]\ntoken_env = "hush hush"'), "bearer.token_env: string should match"),
        (config_text(URL, entry=OAUTH.replace("{url}", "http://x.example")), "oauth.token_url: is http"),
        (config_text(URL, 'style = "cursor"'), 'pages: next, the path of the next cursor in the body, goes with'),
        (config_text(URL, 'style = "link"\nnext = "next"'), 'goes with style = "cursor"'),
        (config_text(URL, 'style = "offset"'), "needs parameter, such as"),
        (config_text(URL, 'style = "guess"'), "pages.style: input should be"),
        (config_text(URL, 'style = "link"\nsize_parameter = "limit"'), "size_parameter needs size"),
        (config_text(URL, rest='[columns]\nid = "number"'), "'number' is no column"),
        (config_text(URL, rest='[columns]\nid = "bib"\nnumber = "bib"'), "two keys are bib"),
        (config_text(URL, rest="[limits]\npages = 0"), "limits.pages: input should be greater than"),
        ("url = ", "cannot be read as TOML"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_and_its_value_is_not_shown(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(NothingConcluded) as caught:
        config_in(tmp_path, text)
    assert said in str(caught.value)
    assert "hush" not in str(caught.value)


def test_an_address_is_filled_in_and_asks_for_a_page(tmp_path: Path) -> None:
    pages = 'style = "offset"\nparameter = "from"\nsize = 20\nsize_parameter = "limit"'
    path = "/events/{event_id}/people?until={ceiling}&from=7"
    config = config_in(tmp_path, config_text(URL, pages, path=path))
    address = first_address(config, "5/0?1", "2026-05-03T10:00:00Z")
    assert address == f"{URL}/events/5%2F0%3F1/people?until=2026-05-03T10%3A00%3A00Z&from=7&limit=20"
    assert address_of(config, address, "40").endswith("/people?until=2026-05-03T10%3A00%3A00Z&limit=20&from=40")


@pytest.mark.parametrize(
    ("header", "following"),
    [
        ('<https://api.example.org/p?page=2>; rel="next"', "https://api.example.org/p?page=2"),
        ('<?a=1,2>; rel="prev first", <?a=2,3>; title="x; y"; rel="last next"', f"{URL}/people?a=2,3"),
        ("</other>; rel=next", f"{URL}/other"),
        ('<?a=1>; rel="prev"; title="next"', None),
        ("garbage, <, ;;; rel=next", None),
    ],
)
def test_a_link_header_tells_the_next_page(tmp_path: Path, header: str, following: str | None) -> None:
    config = config_in(tmp_path, config_text(URL, "link"))
    page = read_page(config, ApiAnswer(200, {"link": header}, b'{"data": []}'), f"{URL}/people", "", 0)
    assert (page.following, page.says_end) == (following, following is None)


@pytest.mark.parametrize(
    ("said", "following"),
    [
        (b'"abc"', "abc"), (b"7", "7"), (b'""', None), (b"null", None), (b"false", None),
    ],
)  # fmt: skip
def test_a_cursor_of_the_body_tells_the_next_page(tmp_path: Path, said: bytes, following: str | None) -> None:
    config = config_in(tmp_path, config_text(URL))
    body = b'{"data": [], "meta": {"next_cursor": %b}}' % said
    page = read_page(config, ApiAnswer(200, {}, body), URL, "", 0)
    assert (page.following, page.says_end) == (following, following is None)
    with pytest.raises(NothingConcluded, match="has no cursor at"):
        read_page(config, ApiAnswer(200, {}, body.replace(said, b"[1]")), URL, "", 0)


def test_without_a_parameter_the_cursor_is_an_address(tmp_path: Path) -> None:
    config = config_in(tmp_path, config_text(URL, 'style = "cursor"\nnext = "next"'))
    page = read_page(config, ApiAnswer(200, {}, b'{"data": [], "next": "/people?page=2"}'), f"{URL}/people", "", 0)
    assert page.following == f"{URL}/people?page=2"
    assert address_of(config, f"{URL}/people", page.following or "") == f"{URL}/people?page=2"


@pytest.mark.parametrize(
    ("items", "body", "said"),
    [
        ("data", b'{"rows": []}', "no list of objects at 'data' of its answer: correct items; it has 'rows'"),
        ("data.rows", b'{"data": []}', "no list of objects at 'data.rows'"),
        ("data", b'{"data": [1]}', "no list of objects"),
        ("", b'{"data": []}', "no list of objects in its answer"),
        ("data", b"<html>", "answers with no JSON"),
        ("data", b'{"data": [%b1%b]}' % (b'{"a":' * 100_000, b"}" * 100_000), "or with one too deep"),
        ("data", b'{"data": [{}, {}, {}]}', "has a page of 3 rows"),
    ],
)
def test_a_body_of_another_form_concludes_nothing(tmp_path: Path, items: str, body: bytes, said: str) -> None:
    text = config_text(URL, rest="[limits]\npage_rows = 2").replace('items = "data"', f'items = "{items}"')
    with pytest.raises(NothingConcluded, match=said):
        read_page(config_in(tmp_path, text), ApiAnswer(200, {}, body), URL, "", 0)


def test_a_wait_grows_and_what_the_server_asks_for_is_seconds_or_a_time() -> None:
    assert [growing_wait(number, 60) for number in (1, 2, 3, 8, 9, 1_000)] == [0.5, 1, 2, 60, 60, 60]
    date = "Sun, 03 May 2026 10:00:00 GMT"
    for said, seconds in (
        ({"retry-after": " 120"}, 120.0),
        ({"retry-after": "Sun, 03 May 2026 10:00:30 GMT"}, 30.0),
        ({"retry-after": "Sun, 03 May 2026 10:05:30 GMT", "date": "Sun, 03 May 2026 10:05:00 GMT"}, 30.0),
        ({"retry-after": "Sun, 03 May 2026 09:00:00 GMT"}, 0.0),
        ({"retry-after": "soon", "date": date}, None),
        ({"retry-after": "-1"}, None),
        ({}, None),
    ):
        assert asked_wait(said, NOW) == seconds, said
