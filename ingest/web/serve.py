"""Runs an application under uvicorn on one socket, until a signal; requests under way are answered first."""

import asyncio
import errno
import gc
import signal
import socket
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import cast

import uvicorn
from starlette.applications import Starlette

from ingest.failures import Failure
from ingest.web.bounds import Bounds, raise_descriptor_limit
from ingest.web.clients import Clients
from ingest.web.protocol import BoundedProtocol

BACKLOG = 2048  # connections that may wait to be accepted
DRAIN_SECONDS = 15  # for requests that are under way when the signal comes


class PortTaken(Failure):
    """Another program listens at this address, or it is not this machine's; the message names it."""


def bind(host: str, port: int) -> socket.socket:
    """The listening address, taken before anything else is started. Port 0 takes a free one. Raises `PortTaken`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError):
        raise PortTaken(f"the host {host} is not known: choose another with --host or ROSTERLOG_HOST") from None
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
        bound.listen(BACKLOG)  # now, or another program could still take the port
    except OSError as error:
        bound.close()
        reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise PortTaken(f"{host} port {port} {reason}: choose another with --port or ROSTERLOG_PORT") from None
    return bound


def base_url(bound: socket.socket) -> str:
    """The address a person types to reach the socket from this machine."""
    host, port = bound.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - shown, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _PatientServer(uvicorn.Server):
    """A server that every signal stops in the same way: a second SIGINT would leave uvicorn's own stop unfinished."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self.should_exit:
            super().handle_exit(sig, frame)


async def serve(app: Starlette, bound: socket.socket, started: Callable[[], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM. `started` is called once connections are accepted."""
    bounds: Bounds = app.state.bounds
    clients = Clients(replace(bounds, connections=min(bounds.connections, raise_descriptor_limit())))
    config = uvicorn.Config(
        app,
        http=cast("type[asyncio.Protocol]", partial(BoundedProtocol, clients=clients)),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    server = _PatientServer(config)
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(clients.watch())
        serving = tasks.create_task(server.serve(sockets=[bound]))
        serving.add_done_callback(lambda _: watching.cancel())
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        if started is not None and server.started:
            started()


def _spare_collections() -> None:
    """Keep the garbage collector from scanning all modules again and again: a sixth of a busy server's time went there.

    Objects that exist by now are never scanned again. Requests that wait for their commit survive young collections, so
    the default thresholds start full ones, of 50 ms each, for nothing; with ours, cycles are still found, only later.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def run_server(main: Coroutine[object, object, None]) -> None:
    """Run a server's main coroutine, on uvloop where there is one. Signals end it in order, so this returns."""
    # After its shutdown uvicorn raises the caught signals a second time; they must not end the process then.
    for caught in (signal.SIGINT, signal.SIGTERM):
        signal.signal(caught, lambda *_: None)
    try:
        import uvloop
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    _spare_collections()
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)
