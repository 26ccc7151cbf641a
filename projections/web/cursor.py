"""Keyset cursors: where a page ended, signed so that only the same token can go on with the same query. Pure."""

import base64
import hmac
from collections.abc import Mapping

from pydantic_core import to_json

_RELEASE = b"4"
_MAC_BYTES = 16


class WrongCursor(Exception):
    """The cursor was not made for this token and query, or not by this release."""


def write_cursor(last: str, query: Mapping[str, str], key: bytes) -> str:
    """A cursor for the page that begins after `last`. `key`: the token's digest, which no cursor reveals."""
    payload = _RELEASE + last.encode()
    return base64.urlsafe_b64encode(_mac(payload, query, key) + payload).decode().rstrip("=")


def read_cursor(cursor: str, query: Mapping[str, str], key: bytes) -> str:
    """What the page begins after. Raises `WrongCursor` unless `write_cursor` made it for this key and query."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, _mac(payload, query, key)) or not payload.startswith(_RELEASE):
            raise WrongCursor
        return payload[len(_RELEASE) :].decode()
    except ValueError:
        raise WrongCursor from None


def _mac(payload: bytes, query: Mapping[str, str], key: bytes) -> bytes:
    return hmac.digest(key, to_json(sorted(query.items())) + b"\0" + payload, "sha256")[:_MAC_BYTES]
