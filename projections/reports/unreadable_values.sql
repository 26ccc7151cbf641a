-- Columns that are null because their value could not be read, with the reason; rosterlog fields shows the keys.
--
-- event text: only this event, by its id
with unreadable as (
  select f.key as column_name, f.value as reason, p.participant_id, p.position
  from reporting.participants p
  cross join lateral jsonb_each_text(p.field_errors) as f (key, value)
  where p.source = :source
    and p.field_errors <> '{}'
    and (cast(:event as text) is null or p.event_id = :event)
)
select
  u.column_name, u.reason, count(*) as participants,
  (array_agg(u.participant_id order by u.position desc))[1] as newest_participant_id
from unreadable u
group by u.column_name, u.reason
order by participants desc, u.column_name, u.reason
