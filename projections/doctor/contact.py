"""Tells from an answer to a probe that was not echoed who gave it, and what is wrong."""

import time
from email.utils import parsedate_to_datetime

from ingest.probe import PROBE_HEADER, PROBE_SECONDS
from projections.doctor.finding import DoctorFinding, fail, warn
from projections.doctor.posting import ProbeAnswer

LONGEST_SHOWN = 200  # characters of what a stranger sent
_OF_PROXIES = {
    401: ("asks for a login before rosterlog does", "let /webhooks/ pass without one: its signature is its login"),
    403: ("forbids the request", "let POSTs to /webhooks/ pass, from every address that Movemint has"),
    404: ("knows no such path", "pass /webhooks/ on to rosterlog, without changing the path"),
    405: ("takes no POST there", "pass POSTs to /webhooks/ on to rosterlog"),
    413: ("takes no body of this size", "raise its limit to ROSTERLOG_MAX_BODY_BYTES"),
    429: ("limits requests", "let deliveries pass: rosterlog has bounds of its own"),
    502: ("does not reach rosterlog", "is rosterlog running, and is its address right in the proxy?"),
    503: ("does not reach rosterlog, or takes none out of those it knows", "is rosterlog running, is it ready?"),
    504: ("waited too long for rosterlog", "is rosterlog running, and does its database answer?"),
}


def judge(answer: ProbeAnswer, address: str, source: str) -> DoctorFinding:
    """The finding about an answer without an echo."""
    status = answer.status
    if answer.problem is not None:
        return _of_rosterlog(answer, address, source)
    if 200 <= status < 300:
        says = (
            f"{address} answers {status} to a wrong signature: another program is there, and Movemint takes its answer"
        )
        return fail("address", f"{says} for a delivery that was kept", "lead the address to rosterlog")
    if 300 <= status < 400:
        location = answer.headers.get("location", "nowhere")[:LONGEST_SHOWN]
        says = f"{address} redirects ({status}) to {location}, and a POST that is redirected can lose its body"
        return fail("address", says, "give Movemint the final address, with https and without a slash at its end")
    who, do = _OF_PROXIES.get(status, ("gives an answer that is not rosterlog's", "is the address right?"))
    return fail("address", f"{address}: a proxy or another program {who} ({status})", do)


def _of_rosterlog(answer: ProbeAnswer, address: str, source: str) -> DoctorFinding:
    detail = str((answer.problem or {}).get("detail", ""))[:LONGEST_SHOWN]
    if answer.status == 404:
        says = f"{address}: a rosterlog answers that it has no source {source}, or not at this path"
        return fail("address", says, "give the server the secret of this source, and the proxy the path as it is")
    if answer.status != 401:
        return fail("address", f"{address}: a rosterlog answers {answer.status} ({detail})", "look at its log")
    if "is missing" in detail:
        says = f"{address}: a rosterlog answers, and X-Signature does not reach it"
        return fail("signature", says, f"let the proxy pass X-Signature and {PROBE_HEADER} on")
    apart = _seconds_apart(answer)
    if apart is not None and abs(apart) > PROBE_SECONDS:
        says = f"{address}: a rosterlog answers whose clock is {abs(apart):.0f} s off, so that it takes no probe"
        return fail("address", says, "let both machines follow a time server, then run doctor again")
    return warn(
        "address",
        f"{address}: a rosterlog answers 401 and does not know the probe: its secret of {source} is another one, it is "
        f"an older release, or a proxy drops {PROBE_HEADER}; whether bodies pass unchanged is not known",
        "compare the secrets here and there (rosterlog check-signature), and upgrade the server",
    )


def _seconds_apart(answer: ProbeAnswer) -> float | None:
    """By how much the server's clock is ahead of ours, from the header `Date`."""
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")).timestamp() - time.time()
    except ValueError:
        return None
