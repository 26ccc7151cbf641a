"""Work in threads beside the caller: never two of one key, and nobody waits for what has taken long before."""

import threading
from contextlib import closing

from projections.folding.aside import Aside
from tests import DEADLINE
from tests.program import until


def test_what_takes_a_moment_is_waited_for_and_what_takes_longer_goes_on_alone() -> None:
    enough = threading.Event()
    with closing(Aside(DEADLINE)) as patient:
        assert patient.do("a", lambda: 7) == 7
    with closing(Aside(0.01)) as aside:
        assert aside.longest() == 0
        assert aside.do("slow", lambda: enough.wait(DEADLINE)) is None
        assert aside.longest() > 0
        assert aside.do("slow", list) is None, "never two of one key"
        enough.set()
        until(lambda: aside.longest() == 0)
        assert until(lambda: aside.do("slow", lambda: 8)) == 8


def test_suspects_however_many_keep_nobody_waiting() -> None:
    enough, begun = threading.Event(), []

    def hang() -> bool:
        begun.append(1)
        return enough.wait(DEADLINE)

    with closing(Aside(DEADLINE)) as aside:
        assert [aside.do(number, hang, is_suspect=True) for number in range(20)] == [None] * 20
        assert aside.do("another", lambda: "done") == "done"
        assert len(begun) < 8
        enough.set()
        until(lambda: aside.longest() == 0)
        aside.do(20, hang, is_suspect=True)
        until(lambda: len(begun) == 5)


def test_at_the_end_what_is_under_way_is_finished() -> None:
    enough, done = threading.Event(), []
    aside = Aside(0.01)
    aside.do("a", lambda: done.append(enough.wait(DEADLINE)))
    closing_it = threading.Thread(target=aside.close)
    closing_it.start()
    assert not done
    enough.set()
    closing_it.join(DEADLINE)
    assert done == [True]
