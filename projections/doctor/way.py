"""Examines the way to the public address: whether probes reach this deployment, and with their own bytes."""

import gzip
import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

import httpx2 as httpx

from ingest.disk import amount
from ingest.failures import WrongUsage
from ingest.listed import listed
from ingest.sources import Secrets
from projections.doctor.contact import LONGEST_SHOWN, judge
from projections.doctor.finding import DoctorFinding, fail, first_few, ok, warn
from projections.doctor.posting import POST_SECONDS, NoWay, ProbeAnswer, ProbeBody, new_client, post

_PATH = "/webhooks/"
_NO_ADDRESS = "--url is no http or https address without user and query, such as https://example.org/webhooks/movemint"
_LARGEST = 2**24  # bytes that are sent at most, whatever the limit is
_MEDIUM = 100_000
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_FIRST = ProbeBody("a small JSON body", b'{"type": "rosterlog.probe"}')
_ODD_JSON = b'\xef\xbb\xbf{ "b" :\t1.0 ,\r\n  "a": "\\u00e9\\/ \xc3\xa9",\n\n  "a": 1e2 }\r\n \n'


def addresses(url: str, sources: Mapping[str, Secrets]) -> dict[str, str]:
    """The address of each source that is to be examined. Raises `WrongUsage`, which shows no part of a wrong one."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 80) > 0
    except ValueError:
        good = False
    # A user's password would stand in every address that is printed.
    if not good or parts.query or parts.fragment or "@" in url or not url.isprintable():
        raise WrongUsage(_NO_ADDRESS)
    if not sources:
        raise WrongUsage("--url needs a secret, with which the server knows a probe: set MOVEMINT_WEBHOOK_SECRET")
    server, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    before, webhooks, name = path.rpartition(_PATH)
    if not webhooks:
        before = path.removesuffix(_PATH.rstrip("/"))
        return {source: f"{server}{before}{_PATH}{source}" for source in sources}
    if parts.path.endswith("/"):
        raise WrongUsage("--url ends with a slash, with which a webhook is answered 404: is that how Movemint has it?")
    if name not in sources:
        raise WrongUsage(f"--url is the address of {name}, which has no secret here; there is {listed([*sources], 20)}")
    return {name: f"{server}{before}{_PATH}{name}"}


async def examine_way(
    url: str, sources: Mapping[str, Secrets], limit: int, seconds: float = POST_SECONDS
) -> list[DoctorFinding]:
    """Every finding about the way to an address, of one source or of all. `limit`: the largest body in bytes."""
    contacts: list[tuple[str, DoctorFinding]] = []
    arrived: list[DoctorFinding] | None = None
    async with new_client() as client:
        for source, address in addresses(url, sources).items():
            secret, contact = await _contact(client, address, source, sources[source], seconds)
            contacts += ((source, finding) for finding in contact)
            if secret is not None and arrived is None:
                arrived = await _bodies_arrive(client, address, secret, bodies(limit), seconds)
    return [*_transport(url), *first_few(contacts), *(arrived or ())]


def bodies(limit: int) -> list[ProbeBody]:
    """What proxies are known to change or to refuse. `limit`: the largest body, in bytes."""
    medium, largest = min(_MEDIUM, limit), min(limit, _LARGEST)
    odd = [
        ProbeBody("JSON with a byte order mark, blanks, CR LF and escapes", _ODD_JSON),
        ProbeBody("bytes that are no text", bytes(range(256)), is_usual=False),
        ProbeBody("compressed bytes", gzip.compress(b"rosterlog" * 20, mtime=0), is_usual=False),
    ]
    return [
        ProbeBody("1 byte", b"1"),
        *(body for body in odd if len(body.content) <= limit),
        ProbeBody(amount(medium), _json_of(medium)),
        ProbeBody(f"{amount(medium)} in chunks", _json_of(medium), in_chunks=True),
        ProbeBody(f"{amount(largest)}, the largest", _json_of(largest)),
    ]


def _transport(url: str) -> Iterator[DoctorFinding]:
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        says = "the address is http: names of people, and tokens of the API, can be read on the way"
        yield warn("tls", says, "put a proxy that ends TLS before it, and give Movemint the https address")


async def _contact(
    client: httpx.AsyncClient, address: str, source: str, known: Sequence[bytes], seconds: float
) -> tuple[bytes | None, list[DoctorFinding]]:
    """The secret by which the server knows a probe, None if there is none; and what the first answers tell."""
    answer: ProbeAnswer | None = None
    for number, secret in enumerate(known, 1):
        try:
            answer = await post(client, address, secret, _FIRST, seconds)
        except NoWay as error:
            return None, [fail("address", f"{address}: {error.says}", error.do)]
        if answer.echo is not None:
            reached = [ok("address", f"{address} leads to a server that has the secret of {source}, and answers 401")]
            if number > 1:
                says = f"the server at {address} knows secret {number} of {source} and not the newest one"
                reached = [fail("address", says, "start it again with the newest secret in front")]
            return secret, reached
        if answer.status != 401:
            break
    return None, [judge(answer, address, source)] if answer is not None else []


async def _bodies_arrive(
    client: httpx.AsyncClient, address: str, secret: bytes, sent: Sequence[ProbeBody], seconds: float
) -> list[DoctorFinding]:
    """Whether each body arrives with its own bytes, and the header of the signature with it."""
    changed: list[str] = []
    headers: list[str] = []  # what was said of the signature, per body that arrived
    refused: list[DoctorFinding] = []
    for body in sent:
        try:
            answer = await post(client, address, secret, body, seconds)
        except NoWay as error:
            refused.append(_refused(body, f": {error.says}", error.do))
            if len(refused) > 1:
                break  # each of them may have taken all of its time
            continue
        if (echo := answer.echo) is None:
            refused.append(_not_echoed(body, answer))
            continue
        headers.append(str(echo.get("refused_for")))
        if echo.get("sha256") != hashlib.sha256(body.content).hexdigest():
            changed.append(f"{body.name} ({len(body.content)} bytes sent, {echo.get('bytes')} arrived)")
    return [*_about_bytes(changed, len(headers)), *_about_signature(headers), *_once_limited(refused)]


def _once_limited(refused: Sequence[DoctorFinding]) -> Iterator[DoctorFinding]:
    """Of bodies that were too large, the smallest alone."""
    yield from [finding for finding in refused if finding.check == "limit"][:1]
    yield from (finding for finding in refused if finding.check != "limit")


def _about_bytes(changed: list[str], arrived: int) -> Iterator[DoctorFinding]:
    if changed:
        says = f"bodies are changed on the way, which makes their signatures wrong: {listed(changed)}"
        yield fail("bytes", says, "let the proxy pass bodies on as they are: no rewriting, no decoding, no filter")
    elif arrived:
        yield ok("bytes", f"{arrived} bodies of all kinds arrived exactly as they were sent")


def _about_signature(headers: Sequence[str]) -> Iterator[DoctorFinding]:
    if "signature_missing" in headers:
        yield fail("signature", "X-Signature does not arrive: every delivery is refused", "let the proxy pass it on")
    elif "signature_malformed" in headers:
        says = "X-Signature arrives changed, or more than once: every delivery is refused"
        yield fail("signature", says, "let the proxy pass it on as it is")
    elif headers:
        yield ok("signature", "X-Signature arrives as it was sent")


def _not_echoed(body: ProbeBody, answer: ProbeAnswer) -> DoctorFinding:
    if answer.status == 413 and answer.problem is not None:
        says = (
            f"the server takes no body of {amount(len(body.content))}: its ROSTERLOG_MAX_BODY_BYTES is lower than here"
        )
        return warn("limit", says, "give server and doctor the same settings")
    if answer.status == 413:
        says = f"a proxy refuses bodies of {amount(len(body.content))} (413), which the server would take"
        do = "raise its limit to that of ROSTERLOG_MAX_BODY_BYTES (nginx: client_max_body_size, Caddy: max_size)"
        return fail("limit", says, do)
    if answer.problem is not None:
        detail = str(answer.problem.get("detail"))[:LONGEST_SHOWN]
        return _refused(body, f" is answered {answer.status} by the server ({detail})", "look at the server's log")
    do = "let the proxy take every body up to ROSTERLOG_MAX_BODY_BYTES, of any bytes, with or without a length"
    return _refused(body, f" is answered {answer.status} by a proxy", do)


def _refused(body: ProbeBody, says: str, do: str) -> DoctorFinding:
    """Movemint sends JSON alone: what is refused of other bodies matters less."""
    return (fail if body.is_usual else warn)("bodies", f"a body of {body.name}{says}", do)


def _json_of(size: int) -> bytes:
    """A JSON text of so many bytes that no compression makes small."""
    return b'"' + secrets.token_hex(size // 2 + 1).encode()[: size - 2] + b'"' if size > 2 else b"1" * size
