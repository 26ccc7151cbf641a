-- By source when its first event and the newest delivery were received, and how many deliveries were in the last hour.
create or replace function arrivals()
returns table (source text, first_at timestamptz, delivered_at timestamptz, last_hour bigint)
language sql
stable
as $$
  select s.source, first.received_at, delivered.received_at,
    head.position - hour.position - own.events as last_hour
  from source s
  cross join lateral (
    select e.position, e.received_at from event_log e where e.source = s.source order by e.position desc limit 1
  ) head
  cross join lateral (
    select e.received_at from event_log e where e.source = s.source order by e.position limit 1
  ) first
  -- Of most sources all events came before the last hour, or in it: only of the others the border is searched for.
  cross join lateral (
    select case
      when head.received_at < now() - interval '1 hour' then head.position
      when first.received_at > now() - interval '1 hour' then 0
      else position_at(s.source, now() - interval '1 hour')
    end as position
  ) hour
  -- What rosterlog itself wrote says nothing of Movemint.
  cross join lateral (
    select count(*) as events from event_log e
    where e.source = s.source and e.position > hour.position and starts_with(e.event_type, 'rosterlog.')
  ) own
  left join lateral (
    select e.received_at from event_log e
    where e.source = s.source and (e.event_type is null or not starts_with(e.event_type, 'rosterlog.'))
    order by e.position desc limit 1
  ) delivered on true
$$;
