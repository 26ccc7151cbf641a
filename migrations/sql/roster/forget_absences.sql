-- Forgets the absences of whom an observation of these events, null for all, did not miss any more. `in_position`: of
-- its header.
create or replace function forget_absences(in_source text, in_position bigint, in_event_ids text[])
returns void
language sql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
  delete from first_absence f
  using participants p
  where f.source = in_source and f.confirmed < in_position
    and p.source = f.source and p.participant_id = f.participant_id
    and (in_event_ids is null or p.event_id = any (in_event_ids));
$$;

revoke all on function forget_absences(text, bigint, text[]) from public;
grant execute on function forget_absences(text, bigint, text[]) to rosterlog_operator;
