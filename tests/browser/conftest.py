"""A server with people on its roster, and browsers that are signed in there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from ingest import postgres
from ingest.database import WORKER_ROLE, sync_engine
from projections.web.access import sessions, tokens
from tests import model
from tests.conftest import create
from tests.fold_all import drain
from tests.program import environ, free_port, running, status_of, until
from tests.tools import tool

PEOPLE = 400
ELSEWHERE = "roster.example"  # a name that is not this machine's own, for which browsers do less
ARGUMENTS = ["--no-sandbox", f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1"]
LONG = "Wolfeschlegelsteinhausenbergerdorff" * 8


def person(number: int) -> dict[str, object]:
    names = ("Ada", "Łukasz", "مريم", "🏃 Runner", LONG, '<b onclick="x">B</b>')
    return {
        "event_id": 501,
        "event_name": "Harbour Lights Marathon",
        "sub_event_name": ("Marathon", "Half marathon", "10 km")[number % 3],
        "first_name": names[number % len(names)] if number < 60 else "Ada",
        "last_name": f"Nowak {number:03}",
        "status": "active" if number % 5 else "deferred",
        "gender": "female" if number % 2 else "male",
        "bib": str(number),
        "team": f"Team {number % 4}",
        "dob": "not a day" if number % 50 == 0 else "1990-01-01",
        "created_at": "2026-05-01T09:30:00Z",
        "answers": [{"question": "Shirt size", "answer": "SML"[number % 3]}],
    }


@dataclass
class Site:
    """A running server: where it is, and the token of its roster. `faults`: what its pages did that they may not."""

    url: str
    database: str
    token: str
    faults: list[str] = field(default_factory=list)

    def link(self, *, is_operator: bool = False) -> str:
        """A link that signs in once."""
        engine = sync_engine(self.database)
        with engine.begin() as connection:
            token = self.token
            if is_operator:
                tokens.revoke(connection, "op")
                token = tokens.create(connection, "op", tokens.NO_SOURCE, (), None)
            link = sessions.make_link(connection, token)
        engine.dispose()
        return f"{self.url}/sign-in/{link}"


@pytest.fixture(scope="session")
def site(server: postgres.Server, template: str) -> Iterator[Site]:
    database = create(server, template)
    with psycopg.connect(database, autocommit=True) as connection:
        bodies = [model.body(7_000_000 + number, **person(number)) for number in range(PEOPLE)]
        model.append_on(connection, bodies)
        model.append_on(connection, [model.body(7_000_001, **{**person(1), "bib": "A1"})])
        model.append_on(connection, [model.body(1, event_id=502, event_name=LONG, first_name="Only")])
    worker, owner = sync_engine(database, WORKER_ROLE), sync_engine(database)
    drain(worker)
    with owner.begin() as begun:
        token = tokens.create(begun, "t", "movemint", (), None)
    for engine in (worker, owner):
        engine.dispose()
    port = free_port()
    env = environ(DATABASE_URL=database, MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode())
    with running("serve", "--port", str(port), env=env):
        until(lambda: status_of(port, "/livez") == 200)
        yield Site(f"http://127.0.0.1:{port}", database, token)


@pytest.fixture(scope="module")  # its event loop may not go on while other tests run
def chromium(site: Site) -> Iterator[Browser]:
    """A browser, which starts after the server."""
    del site
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=tool("chromium-headless-shell"), args=ARGUMENTS)
        yield browser
        browser.close()


Open = Callable[..., Page]


@pytest.fixture
def opened(chromium: Browser, site: Site) -> Iterator[Open]:
    """Opens a page, signed in, in a browser of its own; afterwards no page may have done what it may not."""
    contexts: list[BrowserContext] = []

    def open_page(path: str = "/", *, signed_in: bool = True, is_operator: bool = False, **options: object) -> Page:
        context = chromium.new_context(**options)  # type: ignore[arg-type] # the caller's
        contexts.append(context)
        page = context.new_page()
        watch(page, site)
        if signed_in:
            page.goto(site.link(is_operator=is_operator))
        page.goto(site.url + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    faults, site.faults = site.faults, []
    assert faults == []


def watch(page: Page, site: Site) -> None:
    """Note errors of the console, and requests to other hosts."""

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            site.faults.append(f"{page.url}: {message.text}")

    def on_request(request: Request) -> None:
        if not request.url.startswith((site.url, "data:")):
            site.faults.append(f"{page.url} asks {request.url}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: site.faults.append(f"{page.url}: {error}"))
    page.on("request", on_request)


@contextmanager
def refused(site: Site) -> Iterator[None]:
    """Let pages answer with an error, which a browser writes to its console."""
    yield
    site.faults = [fault for fault in site.faults if "Failed to load resource" not in fault]
