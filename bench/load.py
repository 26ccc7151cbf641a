"""A load generator: signed deliveries over keep-alive connections, each of which sends the next one when answered."""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import cast

import uvloop

from ingest.signature import sign
from ingest.simulator.people import body_of, person

SECRET = b"bench"
MOST_SECONDS = 600


class Client(asyncio.Protocol):
    """One connection. Each answer is a short JSON object, so its closing brace ends it."""

    def __init__(self, requests: Iterator[bytes], answers: Counter[str], done: asyncio.Semaphore) -> None:
        self._requests = requests
        self._answers = answers
        self._done = done
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transport does not subclass it
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._buffer.endswith(b"}"):
            self._answers[self._buffer[9:12].decode()] += 1
            self._buffer = b""
            self._send()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._done.release()

    def _send(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
        else:
            self._transport.write(request)


def request_for(body: bytes) -> bytes:
    return (
        b"POST /webhooks/movemint HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"X-Signature: %b\r\nContent-Length: %d\r\n\r\n%b" % (sign(body, SECRET).encode(), len(body), body)
    )


async def run(port: int, requests: list[bytes], connections: int) -> tuple[float, Counter[str]]:
    """Send all requests; give the seconds it took and the number of answers per status."""
    loop = asyncio.get_running_loop()
    answers: Counter[str] = Counter()
    done = asyncio.Semaphore(0)
    waiting = iter(requests)
    begun = time.perf_counter()
    for _ in range(connections):
        await loop.create_connection(lambda: Client(waiting, answers, done), "127.0.0.1", port)
    async with asyncio.timeout(MOST_SECONDS):
        for _ in range(connections):
            await done.acquire()
    return time.perf_counter() - begun, answers


def main() -> None:
    port, count, connections, seed = map(int, sys.argv[1:])
    requests = [request_for(body_of(person(seed, number))) for number in range(count)]
    seconds, answers = uvloop.run(run(port, requests, connections))
    print(json.dumps({"seconds": seconds, "answers": answers}))


if __name__ == "__main__":
    main()
