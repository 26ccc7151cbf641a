-- Takes a deleted registration off its day's count. The worker deletes one to count it elsewhere, an erasure for good.
create or replace function uncount_registration()
returns trigger
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
begin
  delete from registrations_daily_build d
  where d.source = old.source and d.build = old.build and d.day = old.day and d.registrations = 1
    and (d.event_id = old.event_id or (d.event_id is null and old.event_id is null))
    and (d.sub_event_id = old.sub_event_id or (d.sub_event_id is null and old.sub_event_id is null));
  if not found then
    update registrations_daily_build d set registrations = d.registrations - 1
    where d.source = old.source and d.build = old.build and d.day = old.day
      and (d.event_id = old.event_id or (d.event_id is null and old.event_id is null))
      and (d.sub_event_id = old.sub_event_id or (d.sub_event_id is null and old.sub_event_id is null));
  end if;
  return null;
end
$$;
