"""A number alone is compared with those of whom it is not written down that they are not listed."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from projections.truth.comparison import scope_of
from projections.truth.expected import count_roster
from tests.applying import Apply, listing
from tests.fold_all import PARTICIPANTS


def test_whoever_is_written_down_as_not_listed_is_counted_apart(applied: Apply, worker_engine: Engine) -> None:
    now = datetime.now(UTC) + timedelta(hours=1)
    for taken_at in (now, now + timedelta(hours=1)):
        applied(listing(besides=39), taken_at=taken_at)
    with worker_engine.connect() as connection:
        count = count_roster(connection, scope_of(connection, PARTICIPANTS, "movemint", ("501",)))
    assert (count.people, count.unlisted) == (39, 1)
