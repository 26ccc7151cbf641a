"""Follows the log until it is stopped: looks what is behind, and folds what is this worker's to fold, in turns."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import closing
from functools import partial

from sqlalchemy import Engine

from ingest.driver import answered_within
from ingest.session import FOLDING
from ingest.sqlstate import DRIVER_ERRORS
from projections.folding.aside import Aside
from projections.folding.complaints import Complaints
from projections.folding.division import Division
from projections.folding.heartbeat import Heartbeat
from projections.folding.looks import Looks
from projections.folding.projection import Behind, Projection
from projections.folding.promptness import LONGEST_IDLE, Promptness
from projections.folding.tries import Tries

_OTHER_WORK_EVERY = 1.0  # seconds between two calls of the other work, once none of it is left
_AGAIN_SECONDS = 0.2  # until the next look at the log after one that failed
_PATIENCE_SECONDS = 0.2  # that one source may keep the others waiting: a batch that takes longer goes on beside them
_TOGETHER_SECONDS = 2.0  # that a source's projections wait for each other, so that they can share a fold
_HUNG_SECONDS = 30.0  # longer than all deadlines of a batch together
_LEAVING_SECONDS = 0.5  # for the last note of a worker that ends

Beat = Callable[[bool], None]


class Worker:
    """A worker's loop.

    `other_work` is called between two batches; it returns whether more of it is left. No failure ends the loop: of the
    database, which is tried again; of one source, whose turn comes again while the others go on. What takes longer than
    a moment goes on in a thread of its own.
    """

    def __init__(
        self,
        engine: Engine,
        projections: Sequence[Projection],
        limit: int,
        other_work: Sequence[Callable[[Engine], bool]] = (),
    ) -> None:
        self._engine = engine
        self._projections = projections
        self._complaints = Complaints()
        self._promptness = Promptness()
        self._looks = Looks(engine, projections)
        self._heartbeat = Heartbeat()
        self._division = Division(self._heartbeat.name)
        self._tries = Tries(engine, limit, self._promptness, self._complaints)
        self._other_work = other_work
        self._other_work_at = 0.0

    @property
    def folded(self) -> Counter[tuple[str, str]]:
        """The number of events folded, by source and projection."""
        return self._tries.folded

    def run(self, poll_seconds: float, stop: threading.Event, beat: Beat) -> None:
        """Fold what arrives until `stop` is set, and finish the batch then.

        `beat` is called after each look at the log, with whether that succeeded, and after each batch: so its caller
        can tell that this loop still moves.
        """
        with closing(Aside(_PATIENCE_SECONDS)) as aside:

            def move(is_read: bool) -> None:  # noqa: FBT001 - the worker's own signature
                if aside.longest() < _HUNG_SECONDS:
                    beat(is_read)

            idle = 0
            while not stop.is_set():
                behind = self._look()
                move(behind is not None)
                if behind is None:
                    stop.wait(_AGAIN_SECONDS)
                    continue
                folded = self._fold_each(behind, stop, move, aside)
                worked = aside.do("other work", self._do_other_work)
                # Nothing arrives: wait longer, up to a fifth of a second or `poll_seconds`, whichever is more.
                idle = 0 if folded or worked else idle + 1
                if idle:
                    stop.wait(min(poll_seconds * (1 + idle // 50), max(poll_seconds, LONGEST_IDLE)))
        self._leave()

    def _look(self) -> list[Behind] | None:
        """What this worker should fold now; None if the log cannot be read."""
        try:
            with self._promptness.looking(), answered_within(FOLDING.transaction):
                behind = self._looks.find()
                self._note(behind)
                return self._division.share(behind, self._heartbeat.workers, time.monotonic())
        except DRIVER_ERRORS as error:
            self._complaints.say("the log cannot be read; trying again", {}, error)
            return None

    def _note(self, behind: Sequence[Behind]) -> None:
        """Say in the database that this worker is there, and what it has before it."""
        working_on = f"{behind[0].projection.name} of {behind[0].source}" if behind else None
        try:
            self._heartbeat.note(self._engine, working_on)
        except DRIVER_ERRORS as error:
            self._complaints.say("this worker's heartbeat could not be written", {}, error)

    def _leave(self) -> None:
        try:
            with answered_within(_LEAVING_SECONDS):
                self._heartbeat.leave(self._engine)
        except DRIVER_ERRORS as error:
            self._complaints.say("the end of this worker could not be noted", {}, error)

    def _do_other_work(self) -> bool:
        """Call the other work: every time while more of it is left, else once per second."""
        if time.monotonic() - self._other_work_at < _OTHER_WORK_EVERY:
            return False
        more_is_left = False
        for work in self._other_work:
            try:
                more_is_left = work(self._engine) or more_is_left
            except Exception as error:  # whatever it is, folding goes on
                self._complaints.say("work beside folding failed; trying again", {}, error)
        if not more_is_left:
            self._other_work_at = time.monotonic()
        return more_is_left

    def _fold_each(self, behind: Iterable[Behind], stop: threading.Event, beat: Beat, aside: Aside) -> int:
        """Fold one batch of each source whose pause is over; gives the number of events, of those that took a moment.

        In turns: of sources that share a transaction, and of one by itself, which has another turn for as long as it
        has more to do and others share: neither keeps the other waiting. What failed together goes by itself, at once.
        """
        shared, alone = self._divide(behind, aside)
        folded = 0
        while (shared or alone) and not stop.is_set():
            group = [shared.popleft() for _ in range(min(len(shared), self._tries.sharing.sources))]
            if len(group) == 1:
                alone.append(group.pop())
            begun = self._begin_group(group, aside)
            if alone:
                pairs = alone.popleft()
                begun += self._begin_source(pairs, aside)
                if shared and (more := self._after_a_batch(pairs)):
                    alone.append(more)
            for under_way in begun:
                folded += (under_way and aside.wait(under_way)) or 0
                beat(True)
            alone.extend(failed for pairs in group if (failed := self._tries.sharing.failed(pairs)))
            if not self._tries.sharing.is_possible:
                alone.extend(shared)
                shared.clear()
        return folded

    def _divide(self, behind: Iterable[Behind], aside: Aside) -> tuple[deque[list[Behind]], deque[list[Behind]]]:
        """The sources that may share a transaction, and those that go by themselves; of each its projections."""
        sources: dict[str, list[Behind]] = {}
        for each in behind:
            sources.setdefault(each.source, []).append(each)
        under_way = aside.keys()
        shared, alone = deque[list[Behind]](), deque[list[Behind]]()
        for pairs in sources.values():
            is_free = under_way.isdisjoint(each.lane for each in pairs)
            (shared if is_free and self._tries.sharing.may_share(pairs) else alone).append(pairs)
        return shared, alone

    def _begin_group(self, group: Sequence[list[Behind]], aside: Aside) -> list[Future[int] | None]:
        """Begin to fold sources together, in a transaction of each projection."""
        projections: dict[str, list[Behind]] = {}
        for pairs in group:
            for each in pairs:
                projections.setdefault(each.projection.name, []).append(each)
        return [
            aside.begin_for(
                [each.lane for each in together],
                partial(self._tries.fold_shared, together[0].projection, [each.source for each in together]),
            )
            for together in projections.values()
        ]

    def _begin_source(self, pairs: Sequence[Behind], aside: Aside) -> list[Future[int] | None]:
        """Begin to fold one batch of a source by itself, of the projections whose pause is over.

        They are folded at once: PostgreSQL writes for one, while this program works for another.
        """
        if 0 < aside.longest(self._well(pairs[0].source)) < _TOGETHER_SECONDS:
            return []
        tried = [each for each in pairs if self._tries.pace.may_try(each.lane, time.monotonic())]
        return [self._begin(each.projection, each.source, aside) for each in tried]

    def _begin(self, projection: Projection, source: str, aside: Aside) -> Future[int] | None:
        lane = (projection.name, source)
        is_suspect = self._tries.pace.is_suspect(lane)
        return aside.begin(lane, partial(self._tries.fold, projection, source), is_suspect=is_suspect)

    def _after_a_batch(self, pairs: Sequence[Behind]) -> list[Behind]:
        """What is left of a source after a batch of each projection, as far as is known."""
        after = [each._replace(position=each.position + self._tries.pace.limit(each.lane)) for each in pairs]
        return [each for each in after if each.events > 0]

    def _well(self, source: str) -> list[tuple[str, str]]:
        """The lanes of a source whose batches take as long as usual."""
        lanes = [(each.name, source) for each in self._projections]
        return [lane for lane in lanes if not self._tries.pace.is_suspect(lane)]
