"""A program that is told to stop ends, also if it was just about to wait for that."""

import subprocess
import sys

import pytest

from tests import DEADLINE, ROOT

_WITHIN_ITS_WAIT = """
import os, signal, threading
from ingest.stopping import stopped_by_signals
stop = threading.Event()
stopped_by_signals(stop)
with stop._cond:  # as stop.wait() does for a moment
    signal.raise_signal(signal.{signal})
print(stop.wait({seconds}))
"""


@pytest.mark.parametrize("signal", ["SIGINT", "SIGTERM"])
def test_a_signal_within_the_wait_for_it_stops_the_program(signal: str) -> None:
    code = _WITHIN_ITS_WAIT.format(signal=signal, seconds=DEADLINE)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=DEADLINE
    )
    assert (done.stdout, done.stderr, done.returncode) == ("True\n", "", 0)
