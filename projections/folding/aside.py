"""Threads for work that may take long: its caller waits a moment for it, and goes on without it after that."""

import time
from collections.abc import Callable, Collection, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Done = TypeVar("Done")

_THREADS = 8
_MOST_SUSPECTS = 4  # of these threads, so that suspects, however many, never keep the others waiting


class Aside:
    """What is under way, by key: never two works of one key at once. To be used by one thread."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._threads = ThreadPoolExecutor(_THREADS, "aside")
        self._under_way: dict[Hashable, tuple[Future[Any], float]] = {}
        self._suspects: set[Hashable] = set()

    def do(self, key: Hashable, work: Callable[[], Done], *, is_suspect: bool = False) -> Done | None:
        """Begin a work and wait a moment for what it gives; None if it takes longer, or cannot begin now.

        `is_suspect`: it took long the last time, so it is not waited for at all.
        """
        future = self.begin(key, work, is_suspect=is_suspect)
        return None if future is None else self.wait(future)

    def begin(self, key: Hashable, work: Callable[[], Done], *, is_suspect: bool = False) -> Future[Done] | None:
        """Begin a work; None if it cannot begin now, or is a suspect, which is not waited for."""
        self._forget_done()
        if is_suspect and len(self._suspects) >= _MOST_SUSPECTS:
            return None
        future = self.begin_for([key], work)
        if is_suspect and future is not None:
            self._suspects.add(key)
            return None
        return future

    def begin_for(self, keys: Collection[Hashable], work: Callable[[], Done]) -> Future[Done] | None:
        """Begin a work that is one of several keys at once; None if another work of any of them is under way."""
        self._forget_done()
        if not self._under_way.keys().isdisjoint(keys):
            return None
        future: Future[Done] = self._threads.submit(work)
        self._under_way.update(dict.fromkeys(keys, (future, time.monotonic())))
        return future

    def wait(self, future: Future[Done]) -> Done | None:
        """Wait a moment for what a work gives; None if it takes longer."""
        try:
            return future.result(self._patience)
        except TimeoutError:
            return None

    def longest(self, keys: Collection[Hashable] | None = None) -> float:
        """For how many seconds the oldest work, or the oldest of these keys, has been under way; 0 if none is."""
        self._forget_done()
        now = time.monotonic()
        chosen = self._under_way.keys() if keys is None else self._under_way.keys() & set(keys)
        return max((now - self._under_way[key][1] for key in chosen), default=0.0)

    def keys(self) -> set[Hashable]:
        """The keys of what is under way."""
        self._forget_done()
        return {*self._under_way}

    def close(self) -> None:
        """Wait for what is under way, and begin nothing more."""
        self._threads.shutdown(cancel_futures=True)

    def _forget_done(self) -> None:
        self._under_way = {key: work for key, work in self._under_way.items() if not work[0].done()}
        self._suspects &= self._under_way.keys()
