-- Refuses any change of a body but one: it may become null if an erasure of its participant names the event.
create or replace function refuse_change_but_erasure()
returns trigger
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
begin
  if new.body is null and exists (
    select from erasures r
    where r.source = old.source and r.subject = old.subject and old.digest = any (r.digests)
  ) then
    return new;
  end if;
  raise exception '% is append-only: % is refused', tg_table_name, lower(tg_op)
    using errcode = 'restrict_violation';
end
$$;
