"""Folds the log into the live builds as it grows: `run_once` one batch, `Worker.run` until it is stopped."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import closing
from functools import partial
from itertools import groupby
from operator import itemgetter

from sqlalchemy import Engine, text

from ingest.driver import answered_within
from ingest.log.read import HoleInLog
from ingest.session import FOLDING
from ingest.sqlstate import DRIVER_ERRORS, error_fields, fails_with_any_data, is_blocked
from projections.folding import builds
from projections.folding.aside import Aside
from projections.folding.batch import fold_next, park_next
from projections.folding.heartbeat import Heartbeat
from projections.folding.looks import Looks
from projections.folding.pace import Pace
from projections.folding.projection import Projection, Track
from projections.folding.quarantine import TRIED_AGAIN

logger = logging.getLogger(__name__)

_LONGEST_IDLE = 0.2  # seconds between two looks at the log, however long nothing has arrived
_OTHER_WORK_EVERY = 1.0  # seconds between two calls of the other work, once none of it is left
_AGAIN_SECONDS = 0.2  # until the next look at the log after one that failed
_QUICK_SECONDS = 0.5  # for a look at the log and the heartbeat after it, which take milliseconds
_PATIENCE_SECONDS = 0.2  # that one source may keep the others waiting: a batch that takes longer goes on beside them
_TOGETHER_SECONDS = 2.0  # that a source's projections wait for each other, so that they can share a fold
_HUNG_SECONDS = 30.0  # longer than all deadlines of a batch together
_LONG_SECONDS = 0.4  # for one event, which takes milliseconds
_SAY_EVERY = 10.0  # seconds between two lines that say the same
_END_OVERDUE_EVERY = 1.0  # seconds between two looks for overdue sessions, while a checkpoint is locked by another one

_TIMES = text("select set_config('statement_timeout', :statement, true), set_config('lock_timeout', :lock, true)")

Beat = Callable[[bool], None]


def run_once(
    engine: Engine, projection: Projection, source: str, limit: int, seconds: float | None = None
) -> int | None:
    """Fold one batch of a source into the live build, in one transaction; a killed worker leaves no part of a batch.

    Gives the number of events folded, 0 at the head; None while another worker folds this source. 0 as well if the live
    build is of another definition, since this program must not write into it. `seconds`: that a statement may take,
    and half of them a wait for a lock, which no event is to blame for; None: as the session says.
    """
    with engine.begin() as connection:
        if seconds is not None:
            connection.execute(_TIMES, {"statement": f"{seconds * 1000:.0f}ms", "lock": f"{seconds * 500:.0f}ms"})
        build = builds.open_for(connection, projection)
        return fold_next(connection, Track(projection, build, source), limit) if build else 0


class Worker:
    """A worker's loop, with what it remembers: the paces of the sources, what it has said.

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
        self._looks = Looks(engine, projections)
        self._pace = Pace(limit)
        self._other_work = other_work
        self._other_work_at = 0.0
        self._ended_overdue_at = 0.0
        self._said_rights = False
        self._heartbeat = Heartbeat()
        self._looking_since: float | None = None
        self._slow_at = float("-inf")  # when the database last answered a look at the log late, or not at all
        self._said: dict[str, float] = {}
        self._saying = threading.Lock()
        self.folded: Counter[tuple[str, str]] = Counter()  # events, by source and projection

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
                    stop.wait(min(poll_seconds * (1 + idle // 50), max(poll_seconds, _LONGEST_IDLE)))

    def _look(self) -> list[tuple[Projection, str]] | None:
        """The pairs that can be folded now; None if the log cannot be read."""
        begun = self._looking_since = time.monotonic()
        try:
            with answered_within(FOLDING.transaction):
                behind = self._looks.find()
                self._note(behind)
                return behind
        except DRIVER_ERRORS as error:
            self._say("the log cannot be read; trying again", {}, error)
            self._slow_at = time.monotonic()
            return None
        finally:
            self._looking_since = None
            if time.monotonic() - begun >= _QUICK_SECONDS:
                self._slow_at = time.monotonic()

    def _is_quick_since(self, begun: float) -> bool:
        """Whether the database has answered every look without delay, from the one before that moment until now."""
        looking_since = self._looking_since
        is_late = looking_since is not None and time.monotonic() - looking_since >= _QUICK_SECONDS
        return not is_late and self._slow_at < begun - _LONGEST_IDLE

    def _note(self, behind: Sequence[tuple[Projection, str]]) -> None:
        """Say in the database that this worker is there, and what it has before it."""
        working_on = f"{behind[0][0].name} of {behind[0][1]}" if behind else None
        try:
            self._heartbeat.note(self._engine, working_on)
        except DRIVER_ERRORS as error:
            self._say("this worker's heartbeat could not be written", {}, error)

    def _do_other_work(self) -> bool:
        """Call the other work: every time while more of it is left, else once per second."""
        if time.monotonic() - self._other_work_at < _OTHER_WORK_EVERY:
            return False
        more_is_left = False
        for work in self._other_work:
            try:
                more_is_left = work(self._engine) or more_is_left
            except Exception as error:  # whatever it is, folding goes on
                self._say("work beside folding failed; trying again", {}, error)
        if not more_is_left:
            self._other_work_at = time.monotonic()
        return more_is_left

    def _fold_each(
        self, behind: Sequence[tuple[Projection, str]], stop: threading.Event, beat: Beat, aside: Aside
    ) -> int:
        """Fold one batch of each pair whose pause is over; gives the number of events, of those that took a moment.

        The projections of a source are folded at once: PostgreSQL writes for one, while this program works for another.
        """
        folded = 0
        for source, pairs in groupby(sorted(behind, key=itemgetter(1)), itemgetter(1)):
            if stop.is_set():
                break
            if 0 < aside.longest(self._well(source)) < _TOGETHER_SECONDS:
                continue
            tried = [pair for pair in pairs if self._pace.may_try((pair[0].name, source), time.monotonic())]
            for under_way in [self._begin(projection, source, aside) for projection, _ in tried]:
                folded += (under_way and aside.wait(under_way)) or 0
                beat(True)
        return folded

    def _well(self, source: str) -> list[tuple[str, str]]:
        """The lanes of a source whose batches take as long as usual."""
        return [lane for each in self._projections if not self._pace.is_suspect(lane := (each.name, source))]

    def _begin(self, projection: Projection, source: str, aside: Aside) -> Future[int] | None:
        lane = (projection.name, source)
        return aside.begin(lane, partial(self._fold, projection, source), is_suspect=self._pace.is_suspect(lane))

    def _fold(self, projection: Projection, source: str) -> int:
        """Fold one batch of a pair; gives the number of events."""
        lane = (projection.name, source)
        fields: dict[str, object] = {"projection": projection.name, "source": source}
        folded: int | None = 0
        begun, share = time.monotonic(), self._pace.share(lane)
        try:
            with answered_within(FOLDING.transaction * share):
                folded = run_once(self._engine, projection, source, self._pace.limit(lane), FOLDING.statement * share)
            if folded is None:
                self._end_overdue()
            else:
                self._pace.succeeded(lane, took_long=time.monotonic() - begun > _LONG_SECONDS)
                self.folded[source, projection.name] += folded
                if folded:
                    logger.debug("folded", extra={"fields": {**fields, "events": folded}})
        except HoleInLog as error:
            self._pace.failed(lane, time.monotonic(), is_to_blame=False)
            self._say(str(error), fields, None)
        except Exception as error:  # whatever it is, it must not stop the other sources
            self._say("a batch failed; a smaller one is tried", fields, error)
            # What takes long while the database does says nothing of the batch, which need not become smaller for it.
            is_quick = self._is_quick_since(begun)
            took_long = is_quick and time.monotonic() - begun > _LONG_SECONDS
            is_to_blame = is_quick and _may_be_to_blame(error, took_long=took_long)
            if self._pace.failed(lane, time.monotonic(), is_to_blame=is_to_blame, took_long=took_long):
                cause = ", ".join(str(said) for said in error_fields(error).values() if said is not None)
                self._park_next(projection, source, f"{TRIED_AGAIN}{cause}")
        return folded or 0

    def _park_next(self, projection: Projection, source: str, reason: str) -> None:
        """Park an event that fails again and again, or no later one would ever be folded."""
        try:
            with self._engine.begin() as connection:
                build = builds.open_for(connection, projection)
                if build and park_next(connection, Track(projection, build, source), reason):
                    self._pace.parked((projection.name, source))
        except DRIVER_ERRORS as error:
            self._say("an event could not be parked", {"projection": projection.name, "source": source}, error)

    def _end_overdue(self) -> None:
        """End what has locked a checkpoint for too long, such as a worker that is stopped in the middle of a COPY."""
        if time.monotonic() - self._ended_overdue_at >= _END_OVERDUE_EVERY:
            self._ended_overdue_at = time.monotonic()
            with self._engine.begin() as connection:
                ended = connection.execute(text("select end_overdue()")).scalar_one()
            if ended < 0 and not self._said_rights:
                self._said_rights = True
                logger.warning(
                    "a checkpoint is locked by a session that cannot be ended if it hangs: grant pg_signal_backend and "
                    "pg_read_all_stats to the login that migrates"
                )
            if ended > 0:
                logger.error("ended sessions that kept a checkpoint locked", extra={"fields": {"sessions": ended}})

    def _say(self, what: str, fields: dict[str, object], error: Exception | None) -> None:
        """Log an error, the same one not more often than every ten seconds. Of a fault of ours the place is said."""
        key = f"{what} {fields}"
        with self._saying:
            now = time.monotonic()
            if now - self._said.get(key, -_SAY_EVERY) < _SAY_EVERY:
                return
            self._said = {known: at for known, at in self._said.items() if now - at < _SAY_EVERY}
            self._said[key] = now
        cause = {} if error is None else error_fields(error)
        is_fault = error is not None and not isinstance(error, DRIVER_ERRORS)
        logger.error(what, extra={"fields": {**fields, **cause}}, exc_info=error if is_fault else None)


def _may_be_to_blame(error: Exception, *, took_long: bool) -> bool:
    """Whether the next event may have caused the failure of a batch, while the database was quick.

    One that is slow or away fails with every event, and whoever waits for a lock, waits for somebody else. But an event
    that takes too long ends the session, which looks as if the database had gone away.
    """
    if isinstance(error, DRIVER_ERRORS) and is_blocked(error):
        return False
    return took_long or not fails_with_any_data(error)
