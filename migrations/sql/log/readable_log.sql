-- The log as projections may read it, and the one place that says which bodies an erasure hides: every body of a
-- participant whose erasure is in force, and every body whose digest an erasure names, lifted or not. After the restore
-- of a backup the latter bodies are there until the erasure is carried out again. `is_own`: rosterlog wrote the event.
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
  end as body,
  e.signature is null as is_own
from event_log e;

grant select on readable_log to rosterlog_worker;
