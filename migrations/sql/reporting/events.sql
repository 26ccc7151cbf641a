-- The events that participants are in. The name of an event is the one in the newest delivery that has one.
create or replace view reporting.events as
with named as (
  select
    p.source, p.event_id, p.event_name,
    count(*) as participants,
    min(p.registered_at) as first_registered_at,
    max(p.registered_at) as last_registered_at,
    max(p.position) as position
  from public.participants p
  where p.event_id is not null
  group by p.source, p.event_id, p.event_name
),
counted as (
  select
    n.source, n.event_id,
    (array_agg(n.event_name order by n.position desc) filter (where n.event_name is not null))[1] as event_name,
    sum(n.participants)::bigint as participants,
    min(n.first_registered_at) as first_registered_at,
    max(n.last_registered_at) as last_registered_at,
    array_agg(n.position order by n.position desc) as positions
  from named n
  group by n.source, n.event_id
)
select
  c.source, c.event_id, c.event_name, c.participants, c.first_registered_at, c.last_registered_at,
  -- Else a guess at Movemint's keys. Looked for in the newest deliveries, one for each name that the event has or had.
  coalesce(k.starts_on, (
    select d.starts_on
    from unnest(c.positions[1:20]) with ordinality as newest (position, place)
    join public.participants p on p.source = c.source and p.position = newest.position
    cross join lateral (
      select reporting.iso_date(coalesce(p.attributes #>> '{event,start_date}', p.attributes ->> 'event_start_date'))
    ) as d (starts_on)
    where d.starts_on is not null and (
      (select reporting.sees_personal_data())
      -- No shown column takes the key: so ten people must have it, among a thousand.
      or 10 <= (
        select count(distinct o.person)
        from (
          select
            coalesce(s.athlete_id, s.participant_id) as person,
            coalesce(s.attributes #>> '{event,start_date}', s.attributes ->> 'event_start_date') as said
          from public.participants s
          where s.source = c.source and s.event_id = c.event_id
          limit 1000
        ) o
        where reporting.iso_date(o.said) = d.starts_on
      )
    )
    order by newest.place
    limit 1
  )) as starts_on,
  coalesce(k.time_zone, (select o.time_zone from reporting.calendar o where o.event_id is null)) as time_zone,
  k.previous_event_id
from counted c
left join reporting.calendar k on k.event_id = c.event_id;

grant select on reporting.events to rosterlog_reporting, rosterlog_reporting_pii;
comment on view reporting.events is 'The events that participants are in.';
comment on column reporting.events.source is 'The source of the deliveries; movemint unless you have several.';
comment on column reporting.events.event_id is 'The event in Movemint.';
comment on column reporting.events.event_name is 'Name of the event in the newest delivery that has one.';
comment on column reporting.events.participants is 'Participants on the roster, whatever their status.';
comment on column reporting.events.first_registered_at is 'The earliest registration of these participants.';
comment on column reporting.events.last_registered_at is 'The latest registration of these participants.';
comment on column reporting.events.starts_on
  is 'First day: as the calendar says, else as the newest deliveries say under event.start_date, a key that is a guess.';
comment on column reporting.events.time_zone is 'IANA name of the time zone in which days of the event are.';
comment on column reporting.events.previous_event_id
  is 'The previous edition of the event; null if the calendar names none.';
