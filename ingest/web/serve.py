"""Runs an application under uvicorn on one socket, until a signal; requests under way are answered first."""

import asyncio
import errno
import gc
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import cast

import uvicorn
from starlette.applications import Starlette

from ingest.failures import Failure, WrongUsage
from ingest.hangup import on_hangup
from ingest.web.bounds import raise_descriptor_limit
from ingest.web.clients import Clients
from ingest.web.protocol import BoundedProtocol

BACKLOG = 2048  # connections that may wait to be accepted
DRAIN_SECONDS = 15  # for requests that are under way when the signal comes


class PortTaken(Failure):
    """Another program listens at this address, or it is not this machine's; the message names it."""


_NAMES = ("--host or ROSTERLOG_HOST", "--port or ROSTERLOG_PORT")
_METRICS_NAMES = ("ROSTERLOG_METRICS_HOST", "ROSTERLOG_METRICS_PORT")


def bind(host: str, port: int, names: tuple[str, str] = _NAMES) -> socket.socket:
    """The listening address, taken before anything else is started. Port 0 takes a free one.

    `names`: the settings by which a person chooses another one. Raises `PortTaken`.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError):
        raise PortTaken(f"the host {host} is not known: choose another with {names[0]}") from None
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
        bound.listen(BACKLOG)  # now, or another program could still take the port
    except OSError as error:
        bound.close()
        is_taken = error.errno == errno.EADDRINUSE
        reason = "is taken" if is_taken else f"cannot be used ({error.strerror})"
        raise PortTaken(f"{host} port {port} {reason}: choose another with {names[is_taken]}") from None
    return bound


def bind_metrics(host: str, port: int | None) -> socket.socket | None:
    """The listening address of metrics; None without a port. Raises `WrongUsage` if it cannot be had."""
    try:
        return None if port is None else bind(host, port, _METRICS_NAMES)
    except PortTaken as error:
        raise WrongUsage(str(error)) from None


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


class _Beside(uvicorn.Server):
    """A server that leaves the signals to another one, and stops with it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    app: Starlette,
    bound: socket.socket,
    started: Callable[[], None] | None = None,
    observed: socket.socket | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM. `started` is called once connections are accepted.

    `observed`: where metrics and readiness are served too, without a token.
    """
    server = _PatientServer(_config(app))
    observing = _Beside(_config(app.state.observation))
    loop = asyncio.get_running_loop()
    with on_hangup(partial(loop.call_soon_threadsafe, app.state.read_again)):
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(_watched(server, app, bound))
            if observed is not None:
                tasks.create_task(_watched(observing, app.state.observation, observed))
                serving.add_done_callback(lambda _: setattr(observing, "should_exit", True))
            while not server.started and not serving.done():
                await asyncio.sleep(0.01)
            if started is not None and server.started:
                started()


@contextmanager
def observed_beside(app: Starlette, bound: socket.socket) -> Iterator[None]:
    """Serve metrics and readiness in a thread for the block, for a program that serves nothing else."""
    observing = _Beside(_config(app.state.observation))
    thread = threading.Thread(
        target=lambda: asyncio.run(_watched(observing, app.state.observation, bound)), daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        observing.should_exit = True
        thread.join(DRAIN_SECONDS)


async def _watched(server: uvicorn.Server, app: Starlette, bound: socket.socket) -> None:
    """Serve, and look after the connections meanwhile."""
    watching = asyncio.create_task(app.state.clients.watch())
    try:
        await server.serve(sockets=[bound])
    finally:
        watching.cancel()


def _config(app: Starlette) -> uvicorn.Config:
    clients: Clients = app.state.clients
    clients.limit(raise_descriptor_limit())
    return uvicorn.Config(
        app,
        http=cast("type[asyncio.Protocol]", partial(BoundedProtocol, clients=clients, shortcuts=app.state.shortcuts)),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


def spare_collections() -> None:
    """Keep the garbage collector from scanning all modules again and again.

    A sixth of a busy server's time went there.

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
    spare_collections()
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)
