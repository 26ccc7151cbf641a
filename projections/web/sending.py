"""Sends responses piece by piece: a slow client holds little memory, for a limited time; other answers do not wait."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack

from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

_SEND_SECONDS = 30.0  # for the client to take one piece
_PIECE = 131_072  # bytes; of pieces as large as this, the compression runs in a thread


class Streamed(StreamingResponse):
    """A streamed response. It ends early if the client takes too long for a piece; the rest is not read then.

    `resources`: released at the end of the response, also after an error. `seconds`: for the whole response.
    """

    def __init__(
        self,
        pieces: AsyncIterator[bytes],
        resources: AsyncExitStack,
        headers: Mapping[str, str],
        media_type: str,
        seconds: float,
    ) -> None:
        super().__init__(pieces, headers=headers, media_type=media_type)
        self._resources = resources
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._resources:
            await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(_SEND_SECONDS):
                await send(message)

        try:
            async with asyncio.timeout(self._seconds):
                await super().stream_response(send_in_time)
        except TimeoutError:  # without its last piece, so that the client sees an incomplete response
            logger.warning("reader too slow", extra={"fields": {"seconds": _SEND_SECONDS}})


async def in_pieces(texts: Iterable[bytes]) -> AsyncGenerator[bytes]:
    """Texts joined and cut into pieces of one size or a little more; other tasks run between two pieces."""
    buffer: list[bytes] = []
    size = 0
    for text in texts:
        for begin in range(0, len(text), _PIECE):
            part = text[begin : begin + _PIECE]
            buffer.append(part)
            size += len(part)
            if size >= _PIECE:
                yield b"".join(buffer)
                buffer, size = [], 0
                await asyncio.sleep(0)
    if buffer:
        yield b"".join(buffer)
