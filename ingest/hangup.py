"""What SIGHUP does: it ends a program that has a terminal, in order, and has others read their files again."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def on_hangup(read_again: Callable[[], object]) -> Iterator[None]:
    """In the block SIGHUP ends the program as SIGTERM does, if it has a terminal; otherwise it calls `read_again`.

    For the main thread. A program that was told to outlive its terminal, as by nohup, counts as without one.
    """
    ends = has_terminal() and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN

    def take(_number: int, _frame: object) -> None:
        if ends:
            signal.raise_signal(signal.SIGTERM)
        else:
            read_again()

    before = signal.signal(signal.SIGHUP, take)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def has_terminal() -> bool:
    """Whether a terminal controls this program, wherever its input and output go."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
