"""What RFC 9110 and 9112 refuse in the head of a request, beyond what the parser refuses. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

Headers = Sequence[tuple[bytes, bytes]]

_CHUNKED = b"chunked"


class Fault(NamedTuple):
    """Why a request is refused: the status, and what a person reads. `kind` is counted in the log."""

    status: int
    detail: str
    kind: str = "malformed"


MALFORMED = Fault(400, "This is not a request of HTTP/1.1; see RFC 9112.")
TOO_LARGE = Fault(431, "The request has too many headers, or too many bytes beside its body.", "head_too_large")
_CONNECT = Fault(400, "This server is no proxy: it does not take CONNECT.")
_VERSION = Fault(505, "This server speaks HTTP/1.1 and HTTP/1.0.")
_HOST = Fault(400, "A request of HTTP/1.1 needs one Host header.")
_CODING = Fault(501, "The only transfer coding that this server knows is chunked.")
_OLD_CHUNKED = Fault(400, "A request of HTTP/1.0 cannot be chunked.")


def fault_in(method: bytes, version: str, headers: Headers) -> Fault | None:
    """The first fault of a request's head, or None. Names of headers are lower case."""
    names = [name for name, _ in headers]
    hosts = names.count(b"host")
    if hosts != 1 and (hosts > 1 or version == "1.1"):
        return _HOST
    if version not in ("1.1", "1.0"):
        return _VERSION
    if method == b"CONNECT":
        return _CONNECT
    if b"transfer-encoding" in names:
        return _fault_of_coding(version, headers)
    return None


def _fault_of_coding(version: str, headers: Headers) -> Fault | None:
    """Nothing but one `chunked` will do: what is read in two ways by two servers hides a second request."""
    codings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
    if codings != [_CHUNKED]:
        return _CODING
    return _OLD_CHUNKED if version == "1.0" else None


def is_too_large(url: bytes, headers: Headers, line_bytes: int, head_bytes: int) -> bool:
    """Whether a line, or all lines together, have more bytes than they may."""
    lines = line_sizes(url, headers)
    return max(lines) > line_bytes or sum(lines) > head_bytes


def line_sizes(url: bytes, headers: Headers) -> list[int]:
    """The bytes of the request line and of each header, about: blanks around a value are not counted."""
    return [len(url) + 16, *(len(name) + len(value) + 4 for name, value in headers)]


def expects_continue(version: str, headers: Headers) -> bool:
    """Whether the client waits for `100 Continue` before it sends its body. HTTP/1.0 has no such answer."""
    return version == "1.1" and any(name == b"expect" and value.lower() == b"100-continue" for name, value in headers)


def without_upgrade(method: bytes, url: bytes, version: str, headers: Headers) -> bytes:
    """The bytes of the same head without its wish to speak another protocol, which a server may ignore."""
    lines = [b"%s %s HTTP/%s" % (method, url, version.encode())]
    lines += [b"%s: %s" % header for header in headers if header[0] != b"upgrade"]
    return b"\r\n".join((*lines, b"", b""))
