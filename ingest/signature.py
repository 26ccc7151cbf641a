"""Tells whether Movemint signed these bytes. Pure and total: any bytes give yes or no."""

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Sequence

HEADER = b"x-signature"
_HEX_DIGITS = 64  # of a SHA-256
_HEX = frozenset(b"0123456789abcdefABCDEF")
_LENGTHS = {32: "MD5", 40: "SHA-1", 56: "SHA-224", 96: "SHA-384", 128: "SHA-512"}  # in hex digits
PREFIX = b"sha256="
_HEX_SHA256 = re.compile(rb"[0-9a-fA-F]{64}\Z")


def signature_in(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The one well-formed `X-Signature`: 64 hex digits, either case.

    None if there is none, more than one, or one that no secret could have made. Header names are lower case, as ASGI
    hands them over.
    """
    signature = None
    for name, value in headers:  # no comprehension: this is done for each delivery, and half as dear
        if name == HEADER:
            if signature is not None:
                return None
            signature = value
    return signature if signature is not None and _HEX_SHA256.match(signature) else None


def is_missing(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether there is no `X-Signature` at all."""
    return all(name != HEADER for name, _ in headers)


def why_malformed(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """What is wrong with the form of `X-Signature` where `signature_in` gives None and it is not missing."""
    values = [value for name, value in headers if name == HEADER]
    return f"is there {len(values)} times" if len(values) > 1 else fault_of_form(values[0]) or "is malformed"


def fault_of_form(value: bytes) -> str | None:
    """What keeps a value from being 64 hex digits, as far as it is certain; None if it is 64 hex digits."""
    if _HEX_SHA256.match(value):
        return None
    if not value:
        return "is empty"
    if value.lower().startswith(PREFIX):
        return "begins with sha256=, which is no part of it"
    if set(value) <= _HEX:
        algorithm = f", as {_LENGTHS[len(value)]} makes them" if len(value) in _LENGTHS else ""
        return f"has {len(value)} hex digits{algorithm}"
    if _is_base64(value):
        return "is base64"
    return "has characters that are no hex digits"


def _is_base64(value: bytes) -> bool:
    """Whether the value is 32 bytes in base64, in either alphabet, padded or not."""
    padded = value.rstrip(b"=") + b"="
    try:
        return len(base64.b64decode(padded.replace(b"-", b"+").replace(b"_", b"/"), validate=True)) == _HEX_DIGITS // 2
    except binascii.Error:
        return False


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
