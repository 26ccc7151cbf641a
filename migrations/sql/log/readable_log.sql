-- The log as projections may read it, and the one place that says what an erasure hides: the bodies of whom an erasure
-- in force covers, and those that any erasure names by their digests, lifted or not: restored from a backup, they are
-- there until the erasure is carried out again.
create or replace view readable_log as
select
  e.source, e.position, e.received_at, e.event_type, e.subject,
  case
    -- Asked first, since PostgreSQL can hash it: a scan of a million events does not look each of them up.
    when exists (select from erasures r where r.source = e.source and r.subject = e.subject)
      and exists (
        select from erasures r
        where r.source = e.source and r.subject = e.subject and (r.lifted_at is null or e.digest = any (r.digests))
      )
    then null
    else e.body
  end as body
from event_log e;

grant select on readable_log to rosterlog_worker;
