"""A TCP proxy before a database, which refuses, cuts off, delays and swallows on demand."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from psycopg.conninfo import conninfo_to_dict, make_conninfo


class Proxy:
    """Passes bytes on, but for what is set. `delay`: seconds before each answer of the database.

    `swallows`: every connection of that time goes on acknowledging what it is sent, and never answers again.
    """

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._target = int(str(conninfo_to_dict(conninfo)["port"]))
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._connections: list[_Connection] = []
        self.port = 0
        self.delay = 0.0
        self.refuses = False
        self.swallows = False

    @property
    def conninfo(self) -> str:
        """The database's address through this proxy."""
        return make_conninfo(self._conninfo, host="127.0.0.1", port=self.port)

    @contextmanager
    def running(self) -> Iterator["Proxy"]:
        ready = threading.Event()
        thread = threading.Thread(target=self._run, args=[ready])
        thread.start()
        ready.wait()
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()

    def silence(self) -> None:
        """Let no connection that is open now ever answer again, idle ones as well; new ones do."""
        for connection in self._connections:
            connection.is_dead = True

    def cut(self) -> None:
        """End every connection."""
        self._loop.call_soon_threadsafe(self._abort_all)

    def _abort_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def _run(self, ready: threading.Event) -> None:
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()
        server.close()
        self._abort_all()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            writer.transport.abort()
            return
        with suppress(OSError, asyncio.CancelledError):
            try:
                upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._target)
            except OSError:  # nobody is there: refused as it would be without this proxy
                writer.transport.abort()
                return
            self._writers |= {writer, upstream_writer}
            connection = _Connection(self)
            self._connections.append(connection)
            await asyncio.gather(
                connection.pump(reader, upstream_writer, 0), connection.pump(upstream_reader, writer, 1)
            )
            self._writers -= {writer, upstream_writer}


class _Connection:
    """One connection. `is_dead`: it was there while the proxy swallowed."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self.is_dead = proxy.swallows

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delayed: int) -> None:
        try:
            await self._pump(reader, writer, delayed)
        except OSError:  # a side was reset, and so is the other
            if not self.is_dead:
                writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delayed: int) -> None:
        while content := await reader.read(65_536):
            await asyncio.sleep(self._proxy.delay * delayed)
            self.is_dead = self.is_dead or self._proxy.swallows
            if not self.is_dead:
                writer.write(content)
                await writer.drain()
        if not self.is_dead:
            writer.close()
