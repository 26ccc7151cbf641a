"""One worker's tries to fold: a batch of one source, or of several together, and what a failure means for each."""

import logging
import time
from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Engine, text

from ingest.driver import answered_within
from ingest.log.read import HoleInLog
from ingest.session import FOLDING
from ingest.sqlstate import DRIVER_ERRORS, error_fields, fails_with_any_data, is_blocked, sqlstate
from projections.folding import builds
from projections.folding.batch import fold_next, fold_shared, park_next
from projections.folding.complaints import Complaints
from projections.folding.pace import Pace
from projections.folding.projection import Projection, Track
from projections.folding.promptness import Promptness
from projections.folding.quarantine import TRIED_AGAIN
from projections.folding.sharing import Sharing

logger = logging.getLogger(__name__)

_UNSUPPORTED = "0A000"
_LONG_SECONDS = 0.4  # for one event, which takes milliseconds
_END_OVERDUE_EVERY = 1.0  # seconds between two looks for overdue sessions, while a checkpoint is locked by another one
_SHARED_TIME = 0.2  # of all the time there is, as for a batch that is well: one of the sources may be slow

_TIMES = text("select set_config('statement_timeout', :statement, true), set_config('lock_timeout', :lock, true)")


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
            connection.execute(_TIMES, _times(seconds))
        build = builds.open_for(connection, projection)
        return fold_next(connection, Track(projection, build, source), limit) if build else 0


def run_shared(
    engine: Engine, projection: Projection, sources: Sequence[str], limit: int, seconds: float
) -> dict[str, int]:
    """Fold the next events of several sources into the live build, in one transaction; it is done for all or for none.

    Gives the number of events of each, without those that another worker folds. `seconds`: as above.
    """
    with engine.begin() as connection:
        connection.execute(_TIMES, _times(seconds))
        build = builds.open_for(connection, projection)
        return fold_shared(connection, projection, build, sources, limit) if build else dict.fromkeys(sources, 0)


def _times(seconds: float) -> dict[str, str]:
    return {"statement": f"{seconds * 1000:.0f}ms", "lock": f"{seconds * 500:.0f}ms"}


class Tries:
    """What one worker has learned by trying: the pace of each source, how many may share a transaction.

    It may be used by several threads, each for lanes of its own. `limit`: events of a batch.
    """

    def __init__(self, engine: Engine, limit: int, promptness: Promptness, complaints: Complaints) -> None:
        self._engine = engine
        self._promptness = promptness
        self._complaints = complaints
        self._ended_overdue_at = 0.0
        self._said_rights = False
        self.pace = Pace(limit)
        self.sharing = Sharing(self.pace, limit)
        self.folded: Counter[tuple[str, str]] = Counter()  # events, by source and projection

    def fold(self, projection: Projection, source: str) -> int:
        """Fold one batch of a source; gives the number of events."""
        lane = (projection.name, source)
        fields: dict[str, object] = {"projection": projection.name, "source": source}
        folded: int | None = 0
        begun, share = time.monotonic(), self.pace.share(lane)
        try:
            with answered_within(FOLDING.transaction * share):
                folded = run_once(self._engine, projection, source, self.pace.limit(lane), FOLDING.statement * share)
            if folded is None:
                self._end_overdue()
            else:
                self.pace.succeeded(lane, took_long=time.monotonic() - begun > _LONG_SECONDS)
                self.folded[source, projection.name] += folded
                if folded:
                    logger.debug("folded", extra={"fields": {**fields, "events": folded}})
        except HoleInLog as error:
            self.pace.failed(lane, time.monotonic(), is_to_blame=False)
            self._complaints.say(str(error), fields, None)
        except Exception as error:  # whatever it is, it must not stop the other sources
            self._complaints.say("a batch failed; a smaller one is tried", fields, error)
            # What takes long while the database does says nothing of the batch, which need not become smaller for it.
            is_quick = self._promptness.is_quick_since(begun)
            took_long = is_quick and time.monotonic() - begun > _LONG_SECONDS
            is_to_blame = is_quick and _may_be_to_blame(error, took_long=took_long)
            if self.pace.failed(lane, time.monotonic(), is_to_blame=is_to_blame, took_long=took_long):
                cause = ", ".join(str(said) for said in error_fields(error).values() if said is not None)
                self._park_next(projection, source, f"{TRIED_AGAIN}{cause}")
        return folded or 0

    def fold_shared(self, projection: Projection, sources: Sequence[str]) -> int:
        """Fold the next events of several sources together; gives their number.

        If that fails, nobody knows which source is to blame: each of them goes by itself, until it has succeeded.
        """
        fields: dict[str, object] = {"projection": projection.name, "sources": len(sources)}
        begun = time.monotonic()
        try:
            with answered_within(FOLDING.transaction * _SHARED_TIME):
                folded = run_shared(
                    self._engine, projection, sources, self.sharing.events, FOLDING.statement * _SHARED_TIME
                )
            self.sharing.ended(time.monotonic() - begun)
            for source, events in folded.items():
                self.pace.succeeded((projection.name, source))
                self.folded[source, projection.name] += events
            if len(folded) < len(sources):
                self._end_overdue()
            logger.debug("folded", extra={"fields": {**fields, "events": sum(folded.values())}})
            return sum(folded.values())
        except Exception as error:  # whatever it is, the next try says it of the source that it is about
            for source in sources:
                self.pace.part((projection.name, source))
            self.sharing.ended(None)
            if sqlstate(error) == _UNSUPPORTED:
                self.sharing.refused()
            logger.info("sources are folded one by one", extra={"fields": {**fields, **error_fields(error)}})
            return 0

    def _park_next(self, projection: Projection, source: str, reason: str) -> None:
        """Park an event that fails again and again, or no later one would ever be folded."""
        try:
            with self._engine.begin() as connection:
                build = builds.open_for(connection, projection)
                if build and park_next(connection, Track(projection, build, source), reason):
                    self.pace.parked((projection.name, source))
        except DRIVER_ERRORS as error:
            fields: dict[str, object] = {"projection": projection.name, "source": source}
            self._complaints.say("an event could not be parked", fields, error)

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


def _may_be_to_blame(error: Exception, *, took_long: bool) -> bool:
    """Whether the next event may have caused the failure of a batch, while the database was quick.

    One that is slow or away fails with every event, and whoever waits for a lock, waits for somebody else. But an event
    that takes too long ends the session, which looks as if the database had gone away.
    """
    if isinstance(error, DRIVER_ERRORS) and is_blocked(error):
        return False
    return took_long or not fails_with_any_data(error)
