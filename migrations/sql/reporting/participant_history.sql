-- Every state that participants had and have, each with the positions and times between which it was the newest.
create or replace view reporting.participant_history as
select
  p.source, p.participant_id,
  {p.masked},
  p.first_position, p.position, p.received_at,
  p.field_errors,
  case when (select reporting.sees_personal_data()) then p.attributes end as attributes,
  reporting.age_band(p.dob, p.age, counted.day) as age_band,
  p.position as valid_from_position,
  p.until_position as valid_to_position,
  p.received_at as valid_from,
  ended.received_at as valid_to,
  case
    when reporting.age_band(p.dob, null, counted.day) is not null then counted.basis
    when reporting.age_band(p.age) is not null then 'as sent'
  end as age_basis,
  p.origin, p.unlisted_at{p.added_masked}
from (
  select
    h.source, h.participant_id,
    {h.columns},
    h.first_position, h.position, h.received_at,
    h.field_errors, h.attributes, h.until_position, h.origin, h.unlisted_at{h.added_columns}
  from public.participant_history h
  union all
  select
    n.source, n.participant_id,
    {n.columns},
    n.first_position, n.position, n.received_at,
    n.field_errors, n.attributes, null, n.origin, n.unlisted_at{n.added_columns}
  from public.participants n
) p
left join public.event_log ended on ended.source = p.source and ended.position = p.until_position
{counted};

grant select on reporting.participant_history to rosterlog_reporting, rosterlog_reporting_pii;
comment on view reporting.participant_history
  is 'Every state that participants had and have, one row per state; valid_to of the newest state is null.';
comment on column reporting.participant_history.valid_from_position
  is 'Log position of the delivery that brought this state.';
comment on column reporting.participant_history.valid_to_position
  is 'Log position of the delivery that ended this state; null for the newest state.';
comment on column reporting.participant_history.valid_from is 'When the delivery arrived that brought this state.';
comment on column reporting.participant_history.valid_to
  is 'When the delivery arrived that ended this state; null for the newest state.';
-- The columns that the two views share have the same comments.
do $$ declare described record; begin
  for described in
    select a.attname, col_description(a.attrelid, a.attnum) as meaning
    from pg_attribute a
    where a.attrelid = 'reporting.participants'::regclass and a.attnum > 0
  loop
    execute format('comment on column reporting.participant_history.%I is %L', described.attname, described.meaning);
  end loop;
end $$;
