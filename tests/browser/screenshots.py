"""Takes the README's screenshots of the demo's pages: `python -m tests.browser.screenshots FOLDER`."""

import re
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.program import environ, running
from tests.tools import tool

_PAGES = {"races": "/", "race": "/races/501?status=active&sort=last_name", "person": "/participants/7000001"}
_LARGEST = 150_000  # bytes


def main() -> None:
    folder = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as data:
        env = environ(ROSTERLOG_DATA_DIR=f"{data}/demo")
        with running("up", "--demo", "--port", "0", env=env) as up:
            link = up.line(r"^sign in +(\S+)").group(1)
            up.line("Ctrl-C")
            take(link, folder)


def take(link: str, folder: Path) -> None:
    """Sign in by the link, and write a picture of each page into the folder."""
    url = re.sub(r"/sign-in/.*", "", link)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=tool("chromium-headless-shell"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 700})
        page.goto(link)
        for name, path in _PAGES.items():
            page.goto(url + path)
            picture = page.screenshot()
            assert len(picture) < _LARGEST, f"{name}: {len(picture)} bytes"
            (folder / f"{name}.png").write_bytes(picture)
        browser.close()


if __name__ == "__main__":
    main()
