"""The pages of a real server: a first delivery by hand, signing in and out in its log, a database that goes away."""

import http.client
import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import pytest

from ingest import postgres
from ingest.database import WORKER_ROLE, sync_engine
from ingest.migrate import migrate
from tests import DEADLINE, model
from tests.fold_all import drain
from tests.program import Running, environ, free_port, run, running, status_of, until
from tests.tools import tool

pytestmark = pytest.mark.acceptance

FORM = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
HTML = {"Accept": "text/html"}


@dataclass(frozen=True)
class Site:
    """A server of this test's own with a database of its own."""

    server: Running
    port: int
    database: postgres.Server
    data: Path
    env: dict[str, str]

    def ask(self, path: str, cookie: str = "", **form: str) -> tuple[int, dict[str, str], str]:
        """The answer to a browser that has this cookie."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)) as connection:
            sent = {**HTML, **(FORM if form else {}), **({"Cookie": cookie} if cookie else {})}
            connection.request("POST" if form else "GET", path, urlencode(form) or None, sent)
            answer = connection.getresponse()
            content = answer.read().decode()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content

    def signed_in(self, path: str, **form: str) -> str:
        """The cookie of a session that begins so."""
        status, headers, content = self.ask(path, **form)
        assert status == 303, content
        return headers["set-cookie"].partition(";")[0]


@pytest.fixture
def site() -> Iterator[Site]:
    with tempfile.TemporaryDirectory(prefix="rosterlog-pages-") as folder:
        Path(folder).chmod(0o711)
        data, port = Path(folder) / "data", free_port()
        with postgres.server(data, print) as database:
            engine = sync_engine(database.conninfo)
            migrate(engine)
            engine.dispose()
            env = environ(
                DATABASE_URL=database.conninfo, MOVEMINT_WEBHOOK_SECRET="canary-secret,older",
                ROSTERLOG_PUBLIC_URL=f"http://127.0.0.1:{port}", ROSTERLOG_LOG_LEVEL="debug",
            )  # fmt: skip
            with running("serve", "--port", str(port), env=env) as server:
                until(lambda: status_of(port, "/readyz/webhook") == 200)
                yield Site(server, port, database, data, env)


def test_pages_from_the_first_delivery_to_a_database_that_is_away(site: Site) -> None:
    token = run("token", "create", "director", env=site.env).splitlines()[-1]
    link = run("token", "create", "by-link", "--link", env=site.env).splitlines()[-1].rpartition("/")[2]
    cookies = [site.signed_in("/sign-in", token=token, next="/"), site.signed_in(f"/sign-in/{link}")]
    the_curl_of_the_first_page_delivers(site, cookies[0])
    assert site.ask("/sign-in", token="canary-wrong")[0] == 401
    assert site.ask(f"/sign-in/{link}")[0] == 410, "it was used"
    assert site.ask("/sign-out", cookies[1], out="1")[0] == 303
    until(lambda: [line for line in site.server.lines if "signed out" in line])
    postmaster = site.data / "postgres" / "data" / "postmaster.pid"
    os.kill(int(postmaster.read_text().splitlines()[0]), signal.SIGQUIT)
    until(lambda: not postmaster.exists())
    for path in ("/", "/participants/by-hand", "/operations"):
        status, headers, content = site.ask(path, cookies[0])
        assert (status, headers["content-type"]) == (503, "text/html; charset=utf-8")
        assert headers["retry-after"] == "2"
        assert f"Error 503, request {headers['x-request-id']}" in content
        assert "Nothing is lost; try again in a few seconds." in content
    site.server.stop()
    logged = [json.loads(line) for line in site.server.lines if line.startswith("{")]
    signed = [(line["event"], line.get("with")) for line in logged if line["event"].startswith("signed")]
    assert signed == [("signed in", "token"), ("signed in", "link"), ("signed out", None)]
    assert all(line["request_id"] for line in logged if line["event"].startswith("signed"))
    written = "\n".join(site.server.lines) + (site.data / "postgres" / "postgres.log").read_text()
    for secret in (token, link, "canary", "by-hand", *(cookie.partition("=")[2] for cookie in cookies)):
        assert secret not in written, secret


def the_curl_of_the_first_page_delivers(site: Site, cookie: str) -> None:
    """As it stands on the page, in a shell that has the server's secret."""
    page = site.ask("/", cookie)[2]
    assert "canary-secret" not in page
    [commands] = re.findall(r'<pre id="by-hand" tabindex="0"><code>(.*?)</code>', page, re.DOTALL)
    env = {**os.environ, "MOVEMINT_WEBHOOK_SECRET": site.env["MOVEMINT_WEBHOOK_SECRET"]}
    tool("curl")
    shell = ["bash", "-euo", "pipefail", "-c", unescape(commands)]
    said = subprocess.run(shell, env=env, check=True, capture_output=True, text=True, timeout=DEADLINE).stdout
    assert json.loads(said) == {"status": "stored", "source": "movemint", "position": 1}
    worker = sync_engine(site.database.conninfo, WORKER_ROLE)
    drain(worker)
    worker.dispose()
    page = site.ask("/", cookie)[2]
    assert ">Test</a>" in page
    assert "Connect Movemint" not in page
    assert model.stored_roster(site.database.conninfo) == {"by-hand": (1, 1, "Ada")}
