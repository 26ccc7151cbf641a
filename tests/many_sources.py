"""A database of many sources, made by a few statements, of which some are in trouble."""

import psycopg
from sqlalchemy import Engine

from tests import model
from tests.fold_all import drain

NUMBER = 600
EVENTS = 3  # of each source; the largest has one more
LARGEST, BEHIND, PARKED, DAMAGED, REFUSING = "s0100", "s0200", "s0300", "s0400", "s0500"
TROUBLED = (BEHIND, PARKED, DAMAGED, REFUSING)

_LOG = """
insert into event_log (source, position, received_at, event_type, digest, body, signature, chain)
select
  s.name, p.n, now() - (s.name = %(behind)s)::int * interval '10 minutes', 'another.type',
  sha256((s.name || p.n)::bytea), 'x', '', sha256(s.name::bytea)
from (select 's' || lpad(i::text, 4, '0') from generate_series(1, %(number)s) as i) as s (name)
cross join lateral generate_series(1, %(events)s + (s.name = %(largest)s)::int) as p (n)
"""
_SAME = """
insert into source (source, head) select e.source, max(e.position) from event_log e group by e.source
on conflict on constraint source_pkey do nothing;
insert into checkpoint (source, projection, build, position)
select s.source, p.projection, p.live, s.head from source s cross join projection p
on conflict on constraint checkpoint_pkey do nothing;
insert into verification (source, head, problems) select s.source, s.head, 0 from source s;
"""
_TROUBLES = f"""
update checkpoint set position = 1 where source = '{BEHIND}';
insert into quarantine (source, projection, build, position, reason)
select '{PARKED}', p.projection, p.live, 2, 'unreadable' from projection p where p.projection = 'participants';
update verification set problems = 7 where source = '{DAMAGED}';
select count_refused('{REFUSING}', 'signature_wrong', now(), 9, now());
"""


def make(database: str, worker_engine: Engine) -> None:
    """Fill a database: one source, with a person ahead of time, is folded, as the others would have been."""
    model.append(database, [model.body(1, updated_at="2999-01-01T00:00:00Z")])
    drain(worker_engine)
    with psycopg.connect(database, autocommit=True) as connection:
        values = {"number": NUMBER - 1, "events": EVENTS, "largest": LARGEST, "behind": BEHIND}
        connection.execute(_LOG, values)
        connection.execute(_SAME)
        connection.execute(_TROUBLES.encode())
        connection.execute("analyze")
