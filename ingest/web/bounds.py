"""How much a client may send, hold and take its time, before anything is known about it. Numbers only."""

import contextlib
from dataclasses import dataclass, replace

RESERVED_DESCRIPTORS = 64  # for what is no client: database, log, listening socket, the files of exports
MOST_CONNECTIONS = 8_192  # however many descriptors there are: an idle connection takes some 10 kB of memory


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of a server's connections, in bytes and seconds. All are kept before authentication.

    `head_bytes` is for everything of a request but its body: request line, headers, trailers, sizes and extensions of
    chunks, blank lines before it. `line_bytes` is for a header or the request line. `body_bytes` is what is kept of one
    body; more is read and dropped. `arriving_bytes` is for all requests together that are still arriving.
    """

    head_bytes: int = 65_536
    line_bytes: int = 16_384
    headers: int = 100
    body_bytes: int = 1_048_576
    arriving_bytes: int = 67_108_864
    first_byte_seconds: float = 10.0  # from connecting to the first byte of a request
    head_seconds: float = 10.0  # from the first byte to the end of the headers
    body_seconds: float = 30.0  # from the end of the headers to the end of the body
    idle_seconds: float = 65.0  # between two requests; most proxies wait for 60
    unread_seconds: float = 30.0  # in which a client takes nothing of its answer
    linger_seconds: float = 5.0  # in which a refused client may still send, so that it reads the refusal
    sweep_seconds: float = 0.5  # between two looks at all connections; how exact the others are
    connections: int = MOST_CONNECTIONS

    def among(self, processes: int) -> "Bounds":
        """Those of each process, so that all processes of a server together keep these."""
        connections, arriving_bytes = (-(-most // processes) for most in (self.connections, self.arriving_bytes))
        return replace(self, connections=connections, arriving_bytes=arriving_bytes)


def raise_descriptor_limit() -> int:
    """Allow this process as many descriptors as it may have; gives how many connections fit beside the reserve."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return MOST_CONNECTIONS
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS does not take "unlimited" here
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(1, min(MOST_CONNECTIONS, soft - RESERVED_DESCRIPTORS))
