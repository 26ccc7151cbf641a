-- Records that a participant's rows are about to change without an event of the log: by an erasure or a refold.
-- Call it before the change, with the checkpoints locked: it records the races that the participant's rows name now.
create or replace function note_roster_change(in_source text, in_subject text)
returns void
language sql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
  insert into roster_change (source, number, position, subject, event_ids)
  select
    in_source,
    coalesce((select max(n.number) from roster_change n where n.source = in_source), 0) + 1,
    coalesce((
      select c.position
      from checkpoint c
      join projection r on r.projection = c.projection and r.live = c.build
      where c.source = in_source and c.projection = 'participants'
    ), 0),
    in_subject,
    array(
      select p.event_id from participants p
      where p.source = in_source and p.participant_id = in_subject and p.event_id is not null
      union
      select h.event_id from participant_history h
      where h.source = in_source and h.participant_id = in_subject and h.event_id is not null
    )
$$;

revoke all on function note_roster_change(text, text) from public;
grant execute on function note_roster_change(text, text) to rosterlog_worker;
