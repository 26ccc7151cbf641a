"""The probe of `rosterlog doctor`: a refused delivery whose sender is told what arrived. Pure; `webhook` answers it.

The probe's key is made of a source's secret under a label of its own. So a probe is of no use as a signature of a
delivery, and a signature of no use as a probe.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence

PROBE_HEADER = "X-Rosterlog-Probe"
PROBE_SECONDS = 60.0  # by which the clocks of both sides may differ; for so long a probe that was seen can be repeated
PROBE_MEMBER = "probe"  # of the problem document

_NAME = PROBE_HEADER.lower().encode()
_LABEL = b"rosterlog probe 1"
_WELL_FORMED = re.compile(rb"(?P<challenge>(?P<seconds>[0-9]{1,12})\.[0-9a-f]{32})\.(?P<proof>[0-9a-f]{64})\Z")


def probe_of(secret: bytes, seconds: float, nonce: bytes) -> str:
    """The header's value: the time since 1970, 16 random bytes, and the proof that its sender has the secret."""
    challenge = f"{seconds:.0f}.{nonce.hex()}"
    return f"{challenge}.{_proof(secret, challenge.encode()).decode()}"


def is_probe(headers: Iterable[tuple[bytes, bytes]], secrets: Sequence[bytes], now: float) -> bool:
    """Whether a request is a probe of this minute by somebody who has one of the secrets. Total, as signatures are."""
    values = [value for name, value in headers if name == _NAME]
    match = _WELL_FORMED.match(values[0]) if len(values) == 1 else None
    if match is None or abs(now - int(match["seconds"])) > PROBE_SECONDS:
        return False
    fits = False
    for secret in secrets:
        fits |= hmac.compare_digest(_proof(secret, match["challenge"]), match["proof"])
    return fits


def echo_of(body: bytes, refused_for: str) -> dict[str, object]:
    """What a probe is told: length and digest of its own body as it arrived, and what was wrong with its signature."""
    return {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest(), "refused_for": refused_for}


def _proof(secret: bytes, challenge: bytes) -> bytes:
    return hmac.digest(hmac.digest(secret, _LABEL, "sha256"), challenge, "sha256").hex().encode()
