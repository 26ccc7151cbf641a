"""Posts one probe to the public address and reads the answer, within a deadline; says why if there is none."""

import asyncio
import json
import secrets
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass

import httpx2 as httpx

from ingest.probe import PROBE_HEADER, PROBE_MEMBER, probe_of

POST_SECONDS = 20.0  # from the connection to the end of the answer
_CONNECT_SECONDS = 10.0
_MOST_READ = 65_536  # bytes of an answer
_CHUNK = 8_192  # bytes
_WRONG = "0" * 64  # no secret makes this signature
_PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProbeBody:
    """What is sent. `is_usual`: of a kind that Movemint sends, too. `in_chunks`: without a declared length."""

    name: str
    content: bytes
    is_usual: bool = True
    in_chunks: bool = False


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """What came back. `problem`: the document, if it is one of rosterlog's; None for answers of other programs."""

    status: int
    headers: Mapping[str, str]
    problem: Mapping[str, object] | None

    @property
    def echo(self) -> Mapping[str, object] | None:
        """What arrived, if the server has taken the request for a probe."""
        echo = (self.problem or {}).get(PROBE_MEMBER)
        return echo if isinstance(echo, dict) else None


class NoWay(Exception):
    """There is no answer. `says` why, `do` what to do."""

    def __init__(self, says: str, do: str) -> None:
        super().__init__(says)
        self.says = says
        self.do = do


async def post(
    client: httpx.AsyncClient, address: str, secret: bytes, body: ProbeBody, seconds: float = POST_SECONDS
) -> ProbeAnswer:
    """Post a body with a wrong signature, and the proof that this is a probe. Raises `NoWay`."""
    headers = {
        "Content-Type": "application/json",
        "X-Signature": _WRONG,
        PROBE_HEADER: probe_of(secret, time.time(), secrets.token_bytes(16)),
    }
    content = _chunks(body.content) if body.in_chunks else body.content
    try:
        async with asyncio.timeout(seconds), client.stream("POST", address, content=content, headers=headers) as answer:
            return ProbeAnswer(answer.status_code, dict(answer.headers), _problem(answer, await _start_of(answer)))
    except (TimeoutError, httpx.TimeoutException) as error:
        is_connected = not isinstance(error, httpx.ConnectTimeout)
        says = f"no answer within {seconds:.0f} s" if is_connected else f"no connection within {_CONNECT_SECONDS:.0f} s"
        raise NoWay(says, "is the address right, does a firewall stand between, does the proxy hang?") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise _no_way(error) from None


def new_client() -> httpx.AsyncClient:
    """A client that goes the way that deliveries go: by no proxy of this machine's environment, after no redirect."""
    timeout = httpx.Timeout(POST_SECONDS, connect=_CONNECT_SECONDS)
    return httpx.AsyncClient(timeout=timeout, trust_env=False, headers={"User-Agent": "rosterlog-doctor"})


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    for begin in range(0, len(content), _CHUNK):
        yield content[begin : begin + _CHUNK]


async def _start_of(answer: httpx.Response) -> bytes:
    content = b""
    async for part in answer.aiter_bytes():
        content += part
        if len(content) > _MOST_READ:
            break
    return content


def _problem(answer: httpx.Response, content: bytes) -> Mapping[str, object] | None:
    if not answer.headers.get("Content-Type", "").startswith(_PROBLEM):
        return None
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    is_ours = isinstance(document, dict) and "request_id" in document and document.get("status") == answer.status_code
    return document if is_ours else None


def _no_way(error: Exception) -> NoWay:
    """Why a request failed, by what is behind the library's error."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            says = f"its certificate is not trusted: {cause.verify_message}"
            return NoWay(says, "give the proxy a valid certificate with its whole chain: Movemint checks it, too")
        if isinstance(cause, ssl.SSLError):
            says = f"TLS fails ({cause.reason or 'unknown'})"
            return NoWay(says, "does that port speak TLS? is the address http instead of https?")
        if isinstance(cause, socket.gaierror):
            return NoWay("its host is not known here", "correct the name, or look at the name server")
        if isinstance(cause, ConnectionRefusedError):
            return NoWay("nothing listens there", "start the proxy or the server, or correct host and port")
    says = f"the connection was closed without an answer, or with one that is not HTTP ({type(error).__name__})"
    return NoWay(says, "look at the log of the proxy: does it limit or filter requests?")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
