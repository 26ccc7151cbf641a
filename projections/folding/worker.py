"""Folds the log into the live builds as it grows: `run_once` one batch, `Worker.run` until it is stopped."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from sqlalchemy import Engine, text

from ingest.driver import answered_within
from ingest.log.read import HoleInLog, sources
from ingest.session import FOLDING
from ingest.sqlstate import DRIVER_ERRORS, fails_with_any_data, sqlstate
from projections.folding import builds, checkpoint
from projections.folding.batch import fold_next, park_next
from projections.folding.heartbeat import Heartbeat
from projections.folding.pace import Pace
from projections.folding.projection import Build, Projection, Track
from projections.folding.quarantine import TRIED_AGAIN

logger = logging.getLogger(__name__)

_LONGEST_IDLE = 0.5  # seconds between two looks at the log, however long nothing has arrived
_OTHER_WORK_EVERY = 1.0  # seconds between two calls of the other work, once none of it is left
_LIST_SOURCES_EVERY = 1.0  # seconds
_AGAIN_SECONDS = 0.2  # until the next look at the log after one that failed
_QUICK_SECONDS = 0.5  # for a look at the log, which takes milliseconds
_LONG_SECONDS = 0.4  # for one event, which takes milliseconds
_SAY_EVERY = 10.0  # seconds between two lines that say the same
_END_OVERDUE_EVERY = 1.0  # seconds between two looks for overdue sessions, while a checkpoint is locked by another one

Beat = Callable[[bool], None]


def run_once(engine: Engine, projection: Projection, source: str, limit: int) -> int | None:
    """Fold one batch of a source into the live build, in one transaction; a killed worker leaves no part of a batch.

    Gives the number of events folded, 0 at the head; None while another worker folds this source. 0 as well if the live
    build is of another definition, since this program must not write into it.
    """
    with engine.begin() as connection:
        build = builds.open_for(connection, projection)
        return fold_next(connection, Track(projection, build, source), limit) if build else 0


class Worker:
    """A worker's loop, with what it remembers: the sources, their paces, what it has said.

    `other_work` is called between two batches; it returns whether more of it is left. No failure ends the loop: of the
    database, which is tried again; of one source, whose turn comes again while the others go on.
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
        self._pace = Pace(limit)
        self._sources: list[str] = []
        self._looked_at = 0.0
        self._other_work = other_work
        self._other_work_at = 0.0
        self._ended_overdue_at = 0.0
        self._needs_rebuild: set[str] = set()
        self._said_rights = False
        self._heartbeat = Heartbeat()
        self._is_quick = True  # the database has answered the last look at the log without delay
        self._said: dict[str, float] = {}
        self.folded: Counter[tuple[str, str]] = Counter()  # events, by source and projection

    def run(self, poll_seconds: float, stop: threading.Event, beat: Beat) -> None:
        """Fold what arrives until `stop` is set, and finish the batch then.

        `beat` is called after each look at the log, with whether that succeeded, and after each batch: so its caller
        can tell that this loop still moves.
        """
        idle = 0
        while not stop.is_set():
            begun = time.monotonic()
            try:
                with answered_within(FOLDING.transaction):
                    behind = self.behind()
            except DRIVER_ERRORS as error:
                self._say("the log cannot be read; trying again", {}, error)
                beat(False)
                stop.wait(_AGAIN_SECONDS)
                continue
            self._is_quick = time.monotonic() - begun < _QUICK_SECONDS
            beat(True)
            self._note(behind)
            folded = self._fold_each(behind, stop, beat)
            worked = self._do_other_work()
            if folded:
                logger.debug("folded", extra={"fields": {"events": folded}})
            if folded or worked:
                idle = 1
            else:
                # Nothing arrives: wait longer, up to half a second or `poll_seconds`, whichever is more.
                idle += 1
                stop.wait(min(poll_seconds * (1 + idle // 50), max(poll_seconds, _LONGEST_IDLE)))

    def _note(self, behind: Sequence[tuple[Projection, str]]) -> None:
        """Say in the database that this worker is there, and what it has before it."""
        working_on = f"{behind[0][0].name} of {behind[0][1]}" if behind else None
        try:
            self._heartbeat.note(self._engine, working_on)
        except DRIVER_ERRORS as error:
            self._say("this worker's heartbeat could not be written", {}, error)

    def behind(self) -> list[tuple[Projection, str]]:
        """The (projection, source) pairs that this worker can fold: those whose log goes on past the checkpoint."""
        with self._engine.begin() as connection:
            if time.monotonic() - self._looked_at > _LIST_SOURCES_EVERY:
                self._sources = sources(connection)
                self._looked_at = time.monotonic()
            live = builds.every_live(connection)
            writable = {
                projection.name: projection
                for projection in self._projections
                if self._may_write(live.get(projection.name), projection)
            }
            return [
                (writable[name], source) for name, source in checkpoint.behind(connection, [*writable], self._sources)
            ]

    def _may_write(self, build: Build | None, projection: Projection) -> bool:
        """Whether the live build, if any, is of this program's definition; another definition is logged once."""
        if build is None or build.definition == projection.definition:
            self._needs_rebuild.discard(projection.name)
            return True
        if projection.name not in self._needs_rebuild:
            self._needs_rebuild.add(projection.name)
            fields = {
                "projection": projection.name,
                "built_with": build.definition,
                "definition": projection.definition,
                "do": f"rosterlog rebuild {projection.name}",
            }
            logger.error("rebuild needed: nothing is folded until then", extra={"fields": fields})
        return False

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

    def _fold_each(self, behind: Sequence[tuple[Projection, str]], stop: threading.Event, beat: Beat) -> int:
        """Fold one batch of each pair whose pause is over; gives the number of events."""
        folded = 0
        for projection, source in behind:
            if stop.is_set():
                break
            if self._pace.may_try((projection.name, source), time.monotonic()):
                folded += self._fold(projection, source)
                beat(True)
        return folded

    def _fold(self, projection: Projection, source: str) -> int:
        """Fold one batch of a pair; gives the number of events."""
        lane = (projection.name, source)
        fields: dict[str, object] = {"projection": projection.name, "source": source}
        folded: int | None = 0
        begun = time.monotonic()
        try:
            with answered_within(FOLDING.transaction):
                folded = run_once(self._engine, projection, source, self._pace.limit(lane))
            if folded is None:
                self._end_overdue()
            else:
                self._pace.succeeded(lane)
                self.folded[source, projection.name] += folded
        except HoleInLog as error:
            self._pace.failed(lane, time.monotonic(), is_to_blame=False)
            self._say(str(error), fields, None)
        except Exception as error:  # whatever it is, it must not stop the other sources
            self._say("a batch failed; a smaller one is tried", fields, error)
            # A database that is slow or away fails with every event: then the event is not to blame. But an event that
            # takes too long ends the session, which looks as if the database had gone away.
            took_long = time.monotonic() - begun > _LONG_SECONDS
            is_to_blame = self._is_quick and (took_long or not fails_with_any_data(error))
            if self._pace.failed(lane, time.monotonic(), is_to_blame=is_to_blame, took_long=took_long):
                self._park_next(projection, source, f"{TRIED_AGAIN}{type(error).__name__}, {sqlstate(error)}")
        return folded or 0

    def _park_next(self, projection: Projection, source: str, reason: str) -> None:
        """Park an event that fails again and again, or no later one would ever be folded."""
        try:
            with self._engine.begin() as connection:
                build = builds.open_for(connection, projection)
                if build and park_next(connection, Track(projection, build, source), reason):
                    self._pace.succeeded((projection.name, source))
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
        """Log an error, the same one not more often than every ten seconds."""
        key = f"{what} {fields}"
        if time.monotonic() - self._said.get(key, -_SAY_EVERY) >= _SAY_EVERY:
            self._said = {known: at for known, at in self._said.items() if time.monotonic() - at < _SAY_EVERY}
            self._said[key] = time.monotonic()
            cause = {} if error is None else {"error": type(error).__name__, "sqlstate": sqlstate(error)}
            logger.error(what, extra={"fields": {**fields, **cause}})
