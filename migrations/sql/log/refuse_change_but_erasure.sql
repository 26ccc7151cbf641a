-- Refuses any change of a body but one: it may become null if an erasure of its participant names the event. What is
-- about a participant, but under no subject, may be about any: its id was not read when the event came.
create or replace function refuse_change_but_erasure()
returns trigger
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
begin
  if new.body is null and exists (
    select from erasures r
    where r.source = old.source and old.digest = any (r.digests) and (
      r.subject = old.subject or (old.subject is null and starts_with(old.event_type, 'event.participant.'))
    )
  ) then
    return new;
  end if;
  raise exception '% is append-only: % is refused', tg_table_name, lower(tg_op)
    using errcode = 'restrict_violation';
end
$$;
