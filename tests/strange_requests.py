"""Requests as strangers make them, by the byte, and what each is to be answered."""

from tests import model
from tests.raw_client import FIRST, delivery, head, signed

BODY = model.body("raw", first_name="Raw")
CHUNKED = b"Transfer-Encoding: chunked"
LENGTH = b"Content-Length: %d" % len(BODY)
UPGRADES = (
    (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"),
    (b"Connection: Upgrade", b"Upgrade: h2c"),
    (b"Upgrade: websocket", b"Connection: upgrade", b"Sec-WebSocket-Key: x", b"Sec-WebSocket-Version: 13"),
    (b"Connection: keep-alive, Upgrade", b"Upgrade: TLS/1.0, HTTP/1.1"),
    (b"Connection: upgrade", b"Upgrade: whatever"),
    (b"Upgrade: h2c",),
    (b"Connection: Upgrade",),
)


def get(target: bytes) -> bytes:
    return b"GET " + target + b" HTTP/1.1"


def chunks(*sizes: bytes) -> bytes:
    return head(CHUNKED, signed(BODY)) + b"".join(sizes)


HEX = b"%x" % len(BODY)
WHOLE = HEX + b"\r\n" + BODY + b"\r\n0\r\n\r\n"

# What is sent, the statuses that are answered, and whether the server then closes.
CASES: dict[str, tuple[bytes, list[int], bool]] = {
    # two lengths
    "length and coding": (head(LENGTH, CHUNKED, signed(BODY)) + WHOLE, [400], True),
    "coding and length": (head(CHUNKED, LENGTH, signed(BODY)) + WHOLE, [400], True),
    "length twice, the same": (head(LENGTH, LENGTH, signed(BODY)) + BODY, [400], True),
    "length twice, another": (head(LENGTH, b"Content-Length: 0", signed(BODY)) + BODY, [400], True),
    "length list": (head(b"Content-Length: 3, 3") + b"abc", [400], True),
    "length plus": (head(b"Content-Length: +3") + b"abc", [400], True),
    "length minus": (head(b"Content-Length: -3") + b"abc", [400], True),
    "length hex": (head(b"Content-Length: 0x3") + b"abc", [400], True),
    "length underscore": (head(b"Content-Length: 1_0") + b"abc", [400], True),
    "length blank within": (head(b"Content-Length: 3 3") + b"abc", [400], True),
    "length empty": (head(b"Content-Length:") + b"abc", [400], True),
    "length fraction": (head(b"Content-Length: 3.0") + b"abc", [400], True),
    "length too many digits": (head(b"Content-Length: " + b"9" * 30), [400], True),
    "length larger than taken": (head(b"Content-Length: 99999999999"), [413], True),
    "length of other digits": (head("Content-Length: ٣".encode()) + b"abc", [400], True),
    "length in a folded line": (head(b"Content-Length:\r\n 3") + b"abc", [400], True),
    "length before colon blank": (head(b"Content-Length : 3") + b"abc", [400], True),
    "length with blanks around": (head(b"Content-Length: \t 3 \t") + b"abc", [401], False),
    # transfer codings
    "coding twice": (head(CHUNKED, CHUNKED, signed(BODY)) + WHOLE, [400], True),
    "coding twice in a line": (head(b"Transfer-Encoding: chunked, chunked") + WHOLE, [400], True),
    "coding identity": (head(b"Transfer-Encoding: identity") + WHOLE, [501], True),
    "coding identity last": (head(b"Transfer-Encoding: chunked, identity") + WHOLE, [400], True),
    "coding gzip": (head(b"Transfer-Encoding: gzip, chunked", signed(BODY)) + WHOLE, [501], True),
    "coding unknown": (head(b"Transfer-Encoding: xchunked") + WHOLE, [501], True),
    "coding quoted": (head(b'Transfer-Encoding: "chunked"') + WHOLE, [501], True),
    "coding with a parameter": (head(b"Transfer-Encoding: chunked;q=1") + WHOLE, [501], True),
    "coding empty": (head(b"Transfer-Encoding:", LENGTH, signed(BODY)) + BODY, [400], True),
    "coding after a vertical tab": (head(b"Transfer-Encoding: \x0bchunked") + WHOLE, [400], True),
    "coding before colon blank": (head(b"Transfer-Encoding : chunked") + WHOLE, [400], True),
    "coding in HTTP/1.0": (head(CHUNKED, first=b"POST / HTTP/1.0") + WHOLE, [400], True),
    "coding in another case": (head(b"Transfer-Encoding: ChunKed") + WHOLE, [401], False),
    "coding with blanks around": (head(b"Transfer-Encoding:  \t chunked ") + WHOLE, [401], False),
    "coding with a tab after": (head(b"Transfer-Encoding: chunked\t") + WHOLE, [400], True),
    # chunks
    "chunk of no hex": (chunks(b"zz\r\n"), [400], True),
    "chunk minus": (chunks(b"-1\r\n"), [400], True),
    "chunk plus": (chunks(b"+1\r\nx\r\n"), [400], True),
    "chunk 0x": (chunks(b"0x3\r\nabc\r\n"), [400], True),
    "chunk blank after": (chunks(b"3 \r\nabc\r\n"), [400], True),
    "chunk empty size": (chunks(b"\r\n"), [400], True),
    "chunk of 17 digits": (chunks(b"F" * 17 + b"\r\n"), [400], True),
    "chunk larger than taken": (chunks(b"FFFFFFFFFFFFFFFF\r\n" + b"x" * 1000), [408], True),
    "chunk longer than said": (chunks(b"3\r\nabcd\r\n"), [400], True),
    "chunk shorter than said": (chunks(b"5\r\nabc\r\n0\r\n\r\n"), [400], True),
    "chunk bare line feed": (chunks(b"3\nabc\r\n"), [400], True),
    "chunk bare line feed after": (chunks(b"3\r\nabc\n0\r\n\r\n"), [400], True),
    "chunk without an end": (chunks(b"3\r\nabc\r\n"), [408], True),
    "chunk extension endless": (chunks(b"3;" + b"x" * 100_000), [431], True),
    "chunk extensions of many": (chunks(*[b"1;" + b"x" * 5000 + b"\r\nx\r\n"] * 20), [431], True),
    "chunk size of endless zeros": (chunks(b"0" * 100_000), [431], True),
    "trailers endless": (chunks(b"0\r\n" + b"A: b\r\n" * 200), [431], True),
    "trailer of one line, endless": (chunks(b"0\r\nA: " + b"b" * 100_000), [431], True),
    "trailers of a whole request": (chunks(HEX, b"\r\n", BODY, b"\r\n0\r\n", b"A: b\r\n" * 200, b"\r\n"), [431], True),
    "a trailer is no signature": (head(CHUNKED) + WHOLE[:-2] + signed(BODY) + b"\r\n\r\n", [401], False),
    "a trailer of bytes": (chunks(b"0\r\n\x00\r\n\r\n"), [400], True),
    # lines
    "no colon": (head(b"nocolon"), [400], True),
    "no name": (head(b": b"), [400], True),
    "blank in a name": (head(b"a b: c"), [400], True),
    "folded line": (head(b"A: b\r\n c"), [400], True),
    "folded first line": (head(b" c: d", host=b""), [400], True),
    "NUL in a value": (head(b"A: b\x00c"), [400], True),
    "NUL in a name": (head(b"A\x00: b"), [400], True),
    "control byte in a value": (head(b"A: \x01"), [400], True),
    "bare line feeds": (b"GET /healthz HTTP/1.1\nHost: x\n\n", [400], True),
    "one bare line feed": (b"GET /healthz HTTP/1.1\r\nHost: x\n\r\n", [400], True),
    "bare line feed at the end": (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\n", [400], True),
    "bare carriage return": (b"GET /healthz HTTP/1.1\rHost: x\r\n\r\n", [400], True),
    "101 headers": (head(*(b"A%d: b" % number for number in range(100))), [431], True),
    "100 headers": (head(*(b"A%d: b" % number for number in range(99)), first=get(b"/healthz")), [200], False),
    "a value of 20 kB": (head(b"A: " + b"b" * 20_000), [431], True),
    "a value of 16 kB": (head(b"A: " + b"b" * 16_300, first=get(b"/healthz")), [200], False),
    "a name of 20 kB": (head(b"a" * 20_000 + b": b"), [431], True),
    "70 kB of headers": (head(*(b"A: " + b"b" * 10_000 for _ in range(7))), [431], True),
    "60 kB of headers": (head(*(b"A: " + b"b" * 10_000 for _ in range(6)), first=get(b"/healthz")), [200], False),
    "a line of 20 kB without an end": (FIRST + b"\r\nA: " + b"b" * 20_000, [431], True),
    "a target of 20 kB without an end": (b"GET /" + b"b" * 20_000, [431], True),
    "a header without an end": (FIRST + b"\r\nA: " + b"b" * 70_000, [431], True),
    "headers without an end": (FIRST + b"\r\n" + b"A: b\r\n" * 12_000, [431], True),
    "blank lines before": (b"\r\n" * 20 + delivery(model.body("after blank lines")), [200], False),
    "blank lines without an end": (b"\r\n" * 40_000, [431], True),
    # hosts
    "no host": (head(host=b"", first=get(b"/healthz")), [400], True),
    "two hosts": (head(b"Host: example.org", first=get(b"/healthz")), [400], True),
    "an empty host": (head(host=b"Host:", first=get(b"/healthz")), [200], False),
    # first lines
    "target of 20 kB": (head(first=get(b"/" + b"a" * 20_000)), [431], True),
    "target of 16 kB": (head(first=get(b"/" + b"a" * 16_000)), [404], False),
    "target without an end": (b"GET /" + b"a" * 70_000, [431], True),
    "target absolute": (head(first=get(b"http://example.org/healthz")), [200], False),
    "target absolute without a path": (head(first=get(b"http://example.org")), [200], False),
    "target absolute with a wrong port": (head(first=get(b"http://example.org:99999/healthz")), [400], True),
    "target authority": (head(first=get(b"example.org:80")), [400], True),
    "target star": (head(first=b"OPTIONS * HTTP/1.1"), [404], False),
    "target of two slashes": (head(first=get(b"//healthz")), [404], False),
    "target only slashes": (head(first=get(b"//")), [404], False),
    "target with dots": (head(first=get(b"/v1/../healthz")), [404], False),
    "target with escaped dots": (head(first=get(b"/%2e%2e/healthz")), [404], False),
    "target with an escaped slash": (head(first=b"POST /webhooks%2Fmovemint HTTP/1.1"), [401], False),
    "target with an escaped NUL": (head(first=b"POST /webhooks/movemint%00 HTTP/1.1"), [404], False),
    "target with a NUL": (head(first=get(b"/\x00")), [400], True),
    "target not of ASCII": (head(first=get("/é".encode())), [400], True),
    "target escaped, not of UTF-8": (head(first=get(b"/%ff%fe")), [404], False),
    "target half escaped": (head(first=get(b"/%")), [404], False),
    "target with a fragment": (head(first=get(b"/healthz#x")), [200], False),
    "target with a line break escaped": (head(first=get(b"/healthz%0d%0aA:%20b")), [404], False),
    "no target": (b"GET HTTP/1.1\r\nHost: x\r\n\r\n", [400], True),
    "blank before the method": (b" GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", [400], True),
    "blank after the version": (b"GET /healthz HTTP/1.1 \r\nHost: x\r\n\r\n", [400], True),
    "a proxy's connect": (b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n\x16\x03\x01", [400], True),
    "lower-case method": (head(first=b"post /webhooks/movemint HTTP/1.1"), [400], True),
    "unknown method": (head(first=b"BREW /healthz HTTP/1.1"), [400], True),
    "another method": (head(first=b"DELETE /webhooks/movemint HTTP/1.1"), [405], False),
    "very long method": (b"A" * 100_000 + b" / HTTP/1.1\r\n\r\n", [400], True),
    # versions and other protocols
    "HTTP/0.9": (b"GET /healthz\r\n", [408], True),
    "HTTP/0.9 with an empty line": (b"GET /healthz\r\n\r\n", [505], True),
    "HTTP/1.0": (b"GET /healthz HTTP/1.0\r\n\r\n", [200], True),
    "HTTP/1.2": (head(first=b"GET /healthz HTTP/1.2"), [400], True),
    "HTTP/2.0": (head(first=b"GET /healthz HTTP/2.0"), [505], True),
    "HTTP/9.9": (head(first=b"GET /healthz HTTP/9.9"), [400], True),
    "HTTP/2 from the start": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 50, [400], True),
    "http in lower case": (head(first=b"GET /healthz http/1.1"), [400], True),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), [400], True),
    "a proxy's own protocol": (b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n" + head(first=get(b"/healthz")), [400], True),
    "bytes": (bytes(range(256)) * 100, [400], True),
    "NULs": (bytes(100_000), [400], True),
    # what follows
    "bytes after a request": (head(first=get(b"/healthz")) + b"\x00" * 100, [200, 400], True),
    "a second request without a host": (head(first=get(b"/healthz")) * 2 + head(host=b""), [200, 200, 400], True),
    "bytes after the last request": (head(b"Connection: close", first=get(b"/healthz")) + b"\x00" * 100, [200], True),
    "a request within a body": (head(b"Content-Length: 300") + head(signed(BODY), LENGTH) + BODY, [408], True),
    "expectation that nobody knows": (delivery(model.body("expects"), b"Expect: 200-fine"), [200], False),
}  # fmt: skip
