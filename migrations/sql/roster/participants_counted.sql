-- `participants_keyed` without the attributes, which stand in the log: for counting, which an index alone can do then. The
-- planner leaves a join out that no column needs, but still reads what the join would have needed.
create or replace view participants_counted as
select
  p.source, p.participant_id,
  {p.columns},
  p.first_position, p.position, p.received_at,
  p.field_errors, p.last_name_key, p.first_name_key, p.email_key, p.team_key, p.bib_key, p.bib_number, p.words,
  p.origin, p.unlisted_at{p.added_columns}
from participants_build p
where p.build = (select r.live from projection r where r.projection = 'participants');

grant select on participants_counted to rosterlog_api;
