"""The pulse of a worker's loop: what readiness says of it at each moment."""

import asyncio
from types import SimpleNamespace

import pytest

from projections.folding.pulse import Pulse


def hindrance(pulse: Pulse) -> str | None:
    return asyncio.run(pulse.hindrance())


def test_a_worker_is_ready_while_its_loop_reads_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("projections.folding.pulse.time", SimpleNamespace(monotonic=lambda: now))
    pulse = Pulse()
    assert (pulse.has_begun, hindrance(pulse)) == (False, "it is starting")
    pulse.beat(True)
    assert (pulse.has_begun, hindrance(pulse)) == (True, None)
    pulse.beat(False)
    assert hindrance(pulse) == "it cannot read the log"
    pulse.beat(True)
    now += 5.0
    assert hindrance(pulse) is None
    now += 1.0
    assert hindrance(pulse) == "it has not looked at the log for 6 s"
    pulse.stop()
    assert (pulse.has_begun, hindrance(pulse)) == (False, "it is starting")
