"""Ends a program in order when it is told to by SIGINT or SIGTERM, wherever it is just then."""

import os
import signal
import threading


def stopped_by_signals(stop: threading.Event) -> None:
    """Let SIGINT and SIGTERM set the event. For the main thread.

    A thread sets it, which the handler wakes: a handler interrupts its own thread anywhere, also where that holds the
    event's lock to wait for it, and would then wait for that lock for ever.
    """
    told, tell = os.pipe()

    def wait() -> None:
        os.read(told, 1)
        stop.set()

    threading.Thread(target=wait, name="stopping", daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os.write(tell, b"."))
