"""Asks an API within its limits: paced, patient with faults, bound in time and size, and with its token to it alone."""

import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urljoin

import httpx2 as httpx

from ingest.cli.terminal import printable
from projections.truth.api.config import ApiConfig, origin_of
from projections.truth.api.waits import asked_wait, growing_wait
from projections.truth.conclusion import NothingConcluded

_PASSING = (429, 500, 502, 503, 504)
_MOVED = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
_RENEW_BEFORE = 30.0  # seconds before a token runs out
_LONG_WAIT = 4.0  # seconds, in which a bar that stands still says nothing
_CHUNK = 65_536  # bytes


class Unanswered(NothingConcluded):
    """The API does not answer for now: what was read of the list is kept, and the next run goes on."""


class _Fault(Exception):
    """One attempt failed in a way that may pass; the message says how."""


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """An answer. `headers`: by their names in small letters."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class ApiClient:
    """Asks the API of a configuration. Close it.

    `secrets`: the environment. `pause`: waits so many seconds. `tell`: is told of long waits.
    """

    def __init__(
        self,
        config: ApiConfig,
        secrets: Mapping[str, str],
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._config, self._limits = config, config.limits
        self._pause, self._clock, self._tell = pause, clock, tell
        self._secret = _secret_of(config, secrets)
        self._token = "" if config.oauth is not None else self._secret
        self._expires_at = float("-inf") if config.oauth is not None else float("inf")
        self._free_at = float("-inf")
        self._ends_at = clock() + 60 * config.limits.minutes
        self._client = httpx.Client(
            timeout=config.limits.timeout_seconds,
            trust_env=False,
            headers={"Accept": "application/json", "User-Agent": "rosterlog-reconcile"},
        )

    def get(self, address: str) -> ApiAnswer:
        """What an address of the API answers, after all tries. Raises `Unanswered`, or `NothingConcluded`."""
        answer = self._patiently(lambda: self._get(address))
        if answer.status == 401 and self._config.oauth is not None:  # once: a wrong secret stays wrong
            self._expires_at = float("-inf")
            answer = self._patiently(lambda: self._get(address))
        return answer

    def close(self) -> None:
        self._client.close()

    def _get(self, address: str) -> ApiAnswer:
        """One attempt, through redirects of the same server: another one must not see the token."""
        origin = origin_of(address)
        if origin != origin_of(self._config.url):
            raise NothingConcluded(f"{_shown(address)} is another server than url's, which must not see the token")
        token = self._token_now()
        for _ in range(_MOST_REDIRECTS):
            answer = self._send("GET", address, {"Authorization": f"Bearer {token}"})
            if answer.status not in _MOVED:
                return answer
            address = urljoin(address, answer.headers.get("location", ""))
            if origin_of(address) != origin:
                raise NothingConcluded(
                    f"{_shown(self._config.url)} redirects to another server, {_shown(address)}, which must not see "
                    "the token: put the address that it is to be into url"
                )
        raise NothingConcluded(f"{_shown(address)} redirects again and again: is url right?")

    def _token_now(self) -> str:
        """The token, another one if it has run out."""
        if self._clock() >= self._expires_at:
            self._token, seconds = self._new_token()
            self._expires_at = self._clock() + max(0.0, seconds - min(_RENEW_BEFORE, seconds / 2))
        return self._token

    def _new_token(self) -> tuple[str, float]:
        oauth = self._config.oauth
        assert oauth is not None  # noqa: S101 - a plain token never runs out
        form = {"grant_type": "client_credentials"} | ({} if oauth.scope is None else {"scope": oauth.scope})
        basic = None
        if oauth.secret_in == "header":  # noqa: S105 - where it stands, not what it is
            basic = httpx.BasicAuth(oauth.client_id, self._secret)
        else:
            form |= {"client_id": oauth.client_id, "client_secret": self._secret}
        answer = self._patiently(lambda: self._send("POST", oauth.token_url, {}, form, basic))
        where = _shown(oauth.token_url)
        if answer.status != 200:
            raise NothingConcluded(
                f"{where} gives no token (answer {answer.status}): are client_id, scope and the secret in "
                f"{oauth.secret_env} right?"
            )
        given = _token_in(answer.content)
        if given is None:
            raise NothingConcluded(f"{where} answers with no bearer token of OAuth 2: is token_url right?")
        return given

    def _patiently(self, attempt: Callable[[], ApiAnswer]) -> ApiAnswer:
        """The answer of a request that is tried again after faults that may pass."""
        for number in range(1, self._limits.attempts + 1):
            asked: float | None = None
            try:
                answer = attempt()
            except _Fault as fault:
                says = str(fault)
            else:
                if answer.status not in _PASSING:
                    return answer
                says = f"answer {answer.status}"
                asked = asked_wait(answer.headers, datetime.now(UTC))
            wait = max(asked or 0.0, growing_wait(number, self._limits.longest_wait))
            if number < self._limits.attempts:
                self._wait(wait, says)
        raise Unanswered(
            f"{self._config.place}: {says}, {self._limits.attempts} times; what was read is kept, so run it again later"
        )

    def _wait(self, seconds: float, says: str) -> None:
        """Wait, if it fits into the whole time."""
        if self._clock() + seconds > self._ends_at:
            raise Unanswered(
                f"{self._config.place}: {says}, and {seconds:.0f} s to wait are more than is left of "
                f"{self._limits.minutes:g} minutes; what was read is kept, so run it again later"
            )
        if seconds >= _LONG_WAIT:
            self._tell(f"{self._config.place}: {says}; the next try is in {seconds:.0f} s")
        self._pause(seconds)

    def _send(
        self,
        method: str,
        address: str,
        headers: dict[str, str],
        form: dict[str, str] | None = None,
        auth: httpx.Auth | None = None,
    ) -> ApiAnswer:
        """One request, not before the rate allows it. Raises `_Fault`."""
        now = self._clock()
        if now < self._free_at:
            self._wait(self._free_at - now, "the rate limit is reached")
        elif now > self._ends_at:
            raise Unanswered(
                f"{self._config.place} is not read within {self._limits.minutes:g} minutes; what was read is kept, so "
                "run it again"
            )
        self._free_at = max(now, self._free_at) + 1 / self._limits.requests_a_second
        try:
            with self._client.stream(method, address, headers=headers, data=form, auth=auth) as answer:
                content = self._body(answer, address)
                return ApiAnswer(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, content)
        except httpx.InvalidURL:
            raise NothingConcluded(f"{_shown(address)} is no address that can be asked") from None
        except httpx.HTTPError as error:
            raise _fault_of(error, address) from None

    def _body(self, answer: httpx.Response, address: str) -> bytes:
        ends_at = self._clock() + self._limits.timeout_seconds
        parts: list[bytes] = []
        size = 0
        for part in answer.iter_bytes(_CHUNK):
            size += len(part)
            if size > self._limits.body_bytes:
                raise NothingConcluded(
                    f"{_shown(address)} answers with more than {self._limits.body_bytes} bytes: ask for smaller pages, "
                    "or raise limits.body_bytes"
                )
            if self._clock() > ends_at:
                raise _Fault(f"no whole answer within {self._limits.timeout_seconds:g} s")
            parts.append(part)
        return b"".join(parts)


def _token_in(content: bytes) -> tuple[str, float] | None:
    """The token of an answer of OAuth 2, and for how many seconds it is; None if there is none."""
    try:
        said = json.loads(content)
        token, kind, seconds = said["access_token"], said.get("token_type", "bearer"), said.get("expires_in")
        lasts = float("inf") if seconds is None else float(seconds)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return None
    is_usable = isinstance(token, str) and _is_sendable(token) and str(kind).lower() == "bearer"
    return (token, lasts) if is_usable else None


def _secret_of(config: ApiConfig, secrets: Mapping[str, str]) -> str:
    name = config.oauth.secret_env if config.oauth is not None else config.bearer.token_env if config.bearer else ""
    secret = secrets.get(name, "").strip()
    if not secret:
        raise NothingConcluded(f"{name} is not set: it has the secret with which the API is entered")
    if not _is_sendable(secret):
        raise NothingConcluded(f"{name} has signs that no secret of an API has: is it one line of text?")
    return secret


def _is_sendable(secret: str) -> bool:
    return bool(secret) and secret.isascii() and secret.isprintable() and " " not in secret


def _shown(address: str) -> str:
    """An address without its query, which may have a secret."""
    return printable(address.partition("?")[0].partition("#")[0])


def _fault_of(error: httpx.HTTPError, address: str) -> Exception:
    """Why there was no answer: a fault that may pass, or one that does not."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return NothingConcluded(f"the certificate of {_shown(address)} is not trusted: {cause.verify_message}")
    if isinstance(error, httpx.UnsupportedProtocol):
        return NothingConcluded(f"{_shown(address)} is no address that can be asked")
    if isinstance(error, httpx.DecodingError):
        return NothingConcluded(f"{_shown(address)} answers with bytes that cannot be unpacked")
    return _Fault(f"no answer ({type(error).__name__})")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
