"""Who is signed in on the pages: sessions begin with a token or a link, end, expire, and are of nobody else."""

import hashlib
import re

import pytest
from sqlalchemy import Engine, text

from projections.web.access import sessions, tokens
from projections.web.api import ApiSettings
from tests.api_client import Api, make_token, running
from tests.browser_session import FORM, Browser, links_of, text_of
from tests.fold_all import query

PAGES = ("/", "/find?q=ada", "/races/1", "/participants/1", "/operations", "/download/v1/participants.csv")


def test_without_a_session_every_page_leads_to_signing_in_and_back(api: Api, engine: Engine) -> None:
    browser = Browser(api)
    for page in PAGES:
        answer = browser.open(page)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in?next=%2F"), page
    form = browser.open(browser.open("/races/1?sort=bib").headers["location"])
    assert 'name="next" value="/races/1?sort=bib"' in form.text
    assert browser.send("/sign-in", {"token": make_token(engine), "next": "/races/1?sort=bib"}).headers["location"] == (
        "/races/1?sort=bib"
    )
    assert "Ada" in text_of(browser.open("/races/1?sort=bib"))


@pytest.mark.parametrize(
    "wanted", ["//elsewhere.example", "https://elsewhere.example/", "/\\elsewhere", "elsewhere", "/\n"]
)
def test_signing_in_leads_to_no_other_host(api: Api, engine: Engine, wanted: str) -> None:
    assert Browser(api).send("/sign-in", {"token": make_token(engine), "next": wanted}).headers["location"] == "/"


def test_an_address_too_long_to_lead_back_to_hinders_nobody(api: Api, engine: Engine) -> None:
    browser = Browser(api)
    answer = browser.open("/races/1?" + "team=" + "%E6%97%A5" * 400)
    assert answer.headers["location"] == "/sign-in"
    assert browser.sign_in(make_token(engine)).status_code == 303


def test_a_session_is_a_new_secret_of_which_the_digest_is_stored(api: Api, engine: Engine, ada: str) -> None:
    token = make_token(engine)
    first, second = Browser(api, cookie="rosterlog=chosen-by-somebody-else"), Browser(api)
    answer = first.sign_in(token)
    assert answer.headers["set-cookie"].lower().endswith("; path=/; samesite=lax")
    assert "; httponly" in answer.headers["set-cookie"].lower()
    second.sign_in(token)
    assert len({first.cookie, second.cookie, "rosterlog=chosen-by-somebody-else"}) == 3
    secrets = [browser.cookie.partition("=")[2] for browser in (first, second)]
    stored = query(ada, "select digest, token from page_session")
    assert {digest for digest, _ in stored} == {hashlib.sha256(secret.encode()).digest() for secret in secrets}
    assert {of for _, of in stored} == {tokens.digest(token)}


def test_a_wrong_token_signs_nobody_in_and_too_many_are_refused(api: Api, engine: Engine) -> None:
    browser, token = Browser(api), make_token(engine)
    answer = browser.sign_in("wrong")
    assert (answer.status_code, browser.cookie) == (401, "")
    assert "unknown, revoked or expired" in text_of(answer)
    while answer.status_code == 401:
        answer = browser.sign_in("wrong")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert browser.sign_in(token).status_code == 303, "a right one is let in all the same"
    for _ in range(3):  # the valid digests are read once a second: these sessions begin after that
        while browser.sign_in("wrong").status_code != 429:
            pass
        browser.sign_in(token)
        assert browser.open("/").status_code == 200, "and so is its session, at once"


def test_sessions_that_somebody_makes_up_are_limited_and_shut_nobody_out(api: Api, engine: Engine, ada: str) -> None:
    signed_in = Browser(api)
    signed_in.sign_in(make_token(engine))
    with running(ada) as another:  # a process that has not seen the session before
        statuses = {Browser(another, cookie=f"rosterlog={number}").open("/").status_code for number in range(80)}
        assert statuses == {303, 429}
        signed_in.api = another
        assert signed_in.open("/").status_code == 200


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "", "Origin": "http://evil"}])
def test_a_form_of_another_site_signs_nobody_in_or_out(api: Api, engine: Engine, headers: dict[str, str]) -> None:
    browser = Browser(api)
    answer = browser.send("/sign-in", {"token": make_token(engine), "next": "/"}, **headers)
    assert (answer.status_code, browser.cookie) == (403, "")
    browser.sign_in(make_token(engine, "u"))
    kept = browser.cookie
    browser.send("/sign-out", {}, **headers)
    browser.cookie = kept
    assert browser.open("/").status_code == 200


def test_an_expired_token_signs_nobody_in_and_a_session_lasts_no_longer_than_its_token(
    api: Api, engine: Engine, ada: str
) -> None:
    """And what has expired is deleted with the next session."""
    token, later = make_token(engine), make_token(engine, "later")
    Browser(api).sign_in(token)
    with engine.begin() as owner:
        sessions.make_link(owner, token)
        owner.execute(text("update api_token set expires_at = now() - interval '1 s' where name <> 'later'"))
        owner.execute(text("update api_token set expires_at = now() + interval '1 h' where name = 'later'"))
        owner.execute(text("update page_session set expires_at = now() - interval '1 s'"))
        owner.execute(text("update sign_in_link set expires_at = now() - interval '1 s'"))
    refused = Browser(api)
    assert (refused.sign_in(token).status_code, refused.cookie) == (401, "")
    assert Browser(api).sign_in(later).status_code == 303
    assert query(ada, "select s.expires_at = t.expires_at from page_session s, api_token t where name = 'later'") == [
        (True,)
    ]
    assert query(ada, "select count(*) from sign_in_link") == [(0,)]


def test_signing_out_ends_the_session_for_whoever_has_its_secret(api: Api, engine: Engine, ada: str) -> None:
    browser = Browser(api)
    browser.sign_in(make_token(engine))
    kept = browser.cookie
    answer = browser.send("/sign-out", {})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    assert Browser(api, cookie=kept).open("/").status_code == 303
    assert query(ada, "select from page_session") == []
    assert browser.open("/sign-out").status_code == 303, "a link to it ends nothing"


def test_a_session_ends_with_its_time_and_with_its_token(api: Api, engine: Engine, ada: str) -> None:
    browser, other = Browser(api), Browser(api)
    browser.sign_in(make_token(engine))
    other.sign_in(make_token(engine, "u"))
    query(ada, "update page_session set expires_at = now() where token = %s returning 1", tokens_of(engine, "t"))
    assert browser.open("/").status_code == 303
    assert other.open("/").status_code == 200
    with engine.begin() as connection:
        tokens.revoke(connection, "u")
    assert other.open("/").status_code == 303


def tokens_of(engine: Engine, name: str) -> bytes:
    with engine.connect() as connection:
        found: bytes = connection.exec_driver_sql("select digest from api_token where name = %s", (name,)).scalar_one()
    return found


def test_behind_https_the_cookie_is_of_this_host_alone(ada: str, engine: Engine) -> None:
    with running(ada, ApiSettings(public_url="https://example.org/rosterlog")) as api:
        browser = Browser(api)
        header = browser.sign_in(make_token(engine)).headers["set-cookie"]
        assert header.startswith("__Host-rosterlog=")
        assert "; secure" in header.lower()
        assert "domain" not in header.lower()
        page = browser.open("/")
        assert all(link.startswith(("/rosterlog/", "#", "data:")) for link in links_of(page))
        assert browser.send("/sign-out", {}).headers["location"] == "/rosterlog/sign-in"


def test_an_operator_sees_operations_and_no_participant(api: Api, engine: Engine) -> None:
    with engine.begin() as connection:
        operator = tokens.create(connection, "op", tokens.NO_SOURCE, (), None)
    browser = Browser(api)
    browser.sign_in(operator)
    assert browser.open("/").headers["location"] == "/operations"
    page = browser.open("/operations")
    assert page.status_code == 200
    assert "movemint" in text_of(page)
    assert "Ada" not in page.text
    for path in ("/races/1", "/participants/1", "/find?q=ada", "/download/v1/participants.csv"):
        assert browser.open(path).status_code == 403
    roster = Browser(api)
    roster.sign_in(make_token(engine))
    assert roster.open("/operations").status_code == 403


def test_a_right_session_is_not_counted_as_a_wrong_token_by_a_process_that_sees_it_first(
    api: Api, engine: Engine, ada: str
) -> None:
    with engine.begin() as connection:
        operator = tokens.create(connection, "op", tokens.NO_SOURCE, (), None)
    browser = Browser(api)
    browser.sign_in(operator)
    with running(ada) as another:
        browser.api = another
        assert {browser.open("/operations").status_code for _ in range(80)} == {200}
        assert Browser(another).sign_in("wrong").status_code == 401, "the first wrong one of this address"


def test_a_form_that_is_none_is_refused(api: Api) -> None:
    for content in (b"token=%ff%fe", b"\xff", b"token=" + b"x" * 100_000, b"&" * 50, b""):
        answer = api.runner.run(api.client.post("/sign-in", content=content, headers=FORM))
        assert answer.status_code == 401
    assert Browser(api).open("/sign-in", method="PUT").status_code == 405


def test_a_form_longer_than_ours_is_not_read(api: Api, engine: Engine) -> None:
    browser = Browser(api)
    assert browser.send("/sign-in", {"next": "/" * 20_000, "token": make_token(engine)}).status_code == 401


def test_no_page_of_signing_in_shows_or_keeps_what_was_sent(api: Api) -> None:
    answer = Browser(api).sign_in('"><script>alert(1)</script>')
    assert "alert" not in answer.text
    assert re.search(r"no-cache|no-store", answer.headers["cache-control"])


def test_signing_in_again_ends_the_session_of_before(api: Api, engine: Engine, ada: str) -> None:
    browser, token = Browser(api), make_token(engine)
    browser.sign_in(token)
    before = browser.cookie
    browser.sign_in(token)
    assert Browser(api, cookie=before).open("/").status_code == 303
    assert len(query(ada, "select from page_session")) == 1


def test_a_token_has_at_most_fifty_sessions_the_newest_ones(api: Api, engine: Engine, ada: str) -> None:
    token = make_token(engine)
    browsers = [Browser(api) for _ in range(52)]
    for browser in browsers:
        browser.sign_in(token)
    assert len(query(ada, "select from page_session")) == 50
    assert [browser.open("/").status_code for browser in (browsers[0], browsers[1], browsers[-1])] == [303, 303, 200]


def test_sessions_together_have_the_requests_of_their_token(ada: str, engine: Engine) -> None:
    with running(ada, ApiSettings(token_rate=1)) as api:
        token = make_token(engine)
        browsers = [Browser(api) for _ in range(4)]
        statuses = [browser.sign_in(token).status_code for browser in browsers]
        statuses += [browser.open("/operations").status_code for browser in browsers for _ in range(6)]
    assert 429 in statuses


def test_no_page_of_somebody_is_kept_by_a_browser(api: Api, engine: Engine) -> None:
    browser = Browser(api)
    browser.sign_in(make_token(engine))
    for path in ("/", "/races/1", "/participants/1", "/participants/nobody"):
        assert browser.open(path).headers["cache-control"] == "no-store", path
        assert browser.open(path).headers["referrer-policy"] == "same-origin", "or a browser names no origin in a form"
