"""Links that sign in once: used by whom they are meant for, and by nothing that only looks."""

import asyncio

from sqlalchemy import Engine

from projections.web.access import sessions, tokens
from tests.api_client import Api, make_token
from tests.browser_session import Browser, text_of
from tests.fold_all import query


def make_link(engine: Engine, token: str) -> str:
    with engine.begin() as connection:
        return sessions.make_link(connection, token)


def test_a_link_signs_in_once_and_what_only_looks_uses_nothing_up(api: Api, engine: Engine) -> None:
    link = make_link(engine, make_token(engine))
    browser = Browser(api)
    for _ in range(2):
        assert browser.open(f"/sign-in/{link}", method="HEAD").status_code == 200
    answer = browser.follow(link)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert browser.open("/").status_code == 200
    again = Browser(api).follow(link)
    assert (again.status_code, again.headers.get("set-cookie")) == (410, None)
    assert "has been used" in text_of(again)


def test_a_link_that_is_old_or_whose_token_is_revoked_signs_nobody_in(api: Api, engine: Engine, ada: str) -> None:
    old = make_link(engine, make_token(engine))
    query(ada, "update sign_in_link set expires_at = now() returning 1")
    revoked = make_link(engine, make_token(engine, "u"))
    with engine.begin() as connection:
        tokens.revoke(connection, "u")
    for link in (old, revoked, "made-up"):
        answer = Browser(api).follow(link)
        # What the page loads names no link to a proxy: after a failure it may still be good.
        assert (answer.status_code, answer.headers["referrer-policy"]) == (410, "no-referrer")


def test_a_link_raced_by_many_signs_one_of_them_in(api: Api, engine: Engine) -> None:
    link = make_link(engine, make_token(engine))

    async def all_at_once() -> list[int]:
        asked = (api.client.get(f"/sign-in/{link}") for _ in range(8))
        return [answer.status_code for answer in await asyncio.gather(*asked)]

    assert sorted(api.runner.run(all_at_once())) == [303, *[410] * 7]


def test_a_link_is_taken_where_too_many_made_up_sessions_came_from(api: Api, engine: Engine) -> None:
    link = make_link(engine, make_token(engine))
    for number in range(80):
        Browser(api, cookie=f"rosterlog={number}").open("/")
    assert Browser(api).follow(link).status_code == 303


def test_a_link_is_not_used_up_by_what_prefetches(api: Api, engine: Engine) -> None:
    link = make_link(engine, make_token(engine))
    for header in ("Sec-Purpose", "Purpose"):
        answer = Browser(api).open(f"/sign-in/{link}", **{header: "prefetch;prerender"})
        assert (answer.status_code, answer.headers.get("set-cookie")) == (425, None)
    assert Browser(api).follow(link).status_code == 303
