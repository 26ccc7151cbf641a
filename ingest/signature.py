"""Tells whether Movemint signed these bytes. Pure and total: any bytes give yes or no."""

import hmac
import re
from collections.abc import Iterable, Sequence

HEADER = b"x-signature"
_HEX_SHA256 = re.compile(rb"[0-9a-fA-F]{64}\Z")


def signature_in(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The one well-formed `X-Signature`: 64 hex digits, either case.

    None if there is none, more than one, or one that no secret could have made. Header names are lower case, as ASGI
    hands them over.
    """
    signatures = [value for name, value in headers if name == HEADER]
    if len(signatures) == 1 and _HEX_SHA256.match(signatures[0]):
        return signatures[0]
    return None


def is_missing(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether there is no `X-Signature` at all."""
    return all(name != HEADER for name, _ in headers)


def sign(body: bytes, secret: bytes) -> str:
    """What Movemint puts into `X-Signature`: the bare lower-case hex HMAC-SHA256 of the body."""
    return hmac.digest(secret, body, "sha256").hex()


def is_signed(body: bytes, signature: bytes, secrets: Sequence[bytes]) -> bool:
    """Whether any of the secrets signed exactly these bytes. `signature` is what `signature_in` gave.

    Every secret is compared, whichever fits: the time tells nothing.
    """
    received = signature.lower()
    fits = False
    for secret in secrets:
        fits |= hmac.compare_digest(sign(body, secret).encode(), received)
    return fits
