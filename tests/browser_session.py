"""A browser's side of the pages without a browser: it signs in, keeps the cookie, sends forms, reads HTML."""

import re
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urlencode

import httpx2 as httpx

from tests.api_client import Api

FORM = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}


@dataclass
class Browser:
    """`cookie`: as the browser sends it; "" before it signs in."""

    api: Api
    cookie: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def open(self, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        """One request, with the cookie."""
        all_headers = {**self.headers, **headers, **({"Cookie": self.cookie} if self.cookie else {})}
        return self.api.ask(path, method=method, headers=all_headers)

    def send(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        """Send a form; a cookie that is set is kept."""
        all_headers = {**FORM, **headers, **({"Cookie": self.cookie} if self.cookie else {})}
        request = self.api.client.post(path, content=urlencode(fields).encode(), headers=all_headers)
        return self._keeping(self.api.runner.run(request))

    def sign_in(self, token: str) -> httpx.Response:
        return self.send("/sign-in", {"token": token, "next": "/"})

    def follow(self, link: str) -> httpx.Response:
        """Open a link that signs in."""
        return self._keeping(self.open(f"/sign-in/{link}"))

    def _keeping(self, answer: httpx.Response) -> httpx.Response:
        self.api.client.cookies.clear()
        if (header := answer.headers.get("set-cookie")) is not None:
            self.cookie = header.partition(";")[0]
        return answer


def text_of(answer: httpx.Response) -> str:
    """What a person reads on a page."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", answer.text)).split())


def links_of(answer: httpx.Response) -> list[str]:
    return [unescape(link) for link in re.findall(r'href="([^"]*)"', answer.text)]
