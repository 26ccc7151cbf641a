"""Work in threads beside the caller: never two of one key, and nobody waits for what has taken long before."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

from projections.folding.aside import Aside
from tests import DEADLINE
from tests.program import until


@contextmanager
def held_up() -> Iterator[threading.Event]:
    """What works wait for. At the latest at the end of the block: otherwise a test that fails would wait with them."""
    enough = threading.Event()
    try:
        yield enough
    finally:
        enough.set()


def test_what_takes_a_moment_is_waited_for_and_what_takes_longer_goes_on_alone() -> None:
    with closing(Aside(DEADLINE)) as patient:
        assert patient.do("a", lambda: 7) == 7
        assert patient.do("a", lambda: 8) == 8
    with closing(Aside(0.01)) as aside, held_up() as enough:
        assert aside.longest() == 0
        assert aside.do("slow", lambda: enough.wait(DEADLINE)) is None
        assert aside.longest() > 0
        assert aside.do("slow", list) is None, "never two of one key"
        enough.set()
        until(lambda: aside.longest() == 0)
        assert until(lambda: aside.do("slow", lambda: 8)) == 8


def test_a_work_of_several_keys_keeps_each_of_them_and_begins_only_if_all_are_free() -> None:
    with closing(Aside(0.01)) as aside, held_up() as enough:
        assert aside.begin_for(["a", "b"], lambda: enough.wait(DEADLINE)) is not None
        assert aside.keys() == {"a", "b"}
        assert (aside.begin("b", list), aside.begin_for(["b", "c"], list)) == (None, None)
        assert aside.do("c", lambda: 7) == 7
        assert aside.longest(["b"]) > 0
        enough.set()
        until(lambda: aside.keys() == set())
        assert until(lambda: aside.do("b", lambda: 8)) == 8


def test_suspects_however_many_keep_nobody_waiting() -> None:
    begun = []

    with closing(Aside(DEADLINE)) as aside, held_up() as enough:

        def hang() -> bool:
            begun.append(1)
            return enough.wait(DEADLINE)

        assert all(aside.do(number, hang, is_suspect=True) is None for number in range(20))
        assert aside.do("another", lambda: "done") == "done"
        assert len(begun) < 8
        enough.set()
        until(lambda: aside.longest() == 0)
        aside.do(20, hang, is_suspect=True)
        until(lambda: len(begun) == 5)


def test_at_the_end_what_is_under_way_is_finished_and_nothing_more_is_begun() -> None:
    done: list[object] = []
    aside = Aside(0.001)
    with held_up() as enough:
        for number in range(20):
            aside.do(number, lambda: done.append(enough.wait(DEADLINE)))
        closing_it = threading.Thread(target=aside.close)
        closing_it.start()
        until(lambda: aside._threads._shutdown)
        assert (closing_it.is_alive(), done) == (True, [])
        enough.set()
        closing_it.join(DEADLINE)
    assert done == [True] * 8
