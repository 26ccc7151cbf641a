-- Registrations of an event beside those of its previous edition, by days before the start, if both starts are known.
-- The previous edition is the one that is given, else the one of the file of fields, else the event before it whose name
-- differs only in the year.
--
-- event text: only this event, by its id
-- previous text with event: its previous edition, by its id
-- start date with event: the first day of the event, if neither the file of fields nor deliveries say it
-- previous_start date with previous: the first day of the previous edition
with known as (
  select
    e.event_id, e.event_name, btrim(regexp_replace(e.event_name, '(19|20)[0-9]{2}', '', 'g')) as series,
    case e.event_id
      when cast(:event as text) then coalesce(cast(:start as date), e.starts_on)
      when cast(:previous as text) then coalesce(cast(:previous_start as date), e.starts_on)
      else e.starts_on
    end as starts_on,
    e.previous_event_id
  from reporting.events e
  where e.source = :source
),
ordered as (
  select
    k.event_id, k.event_name, k.starts_on,
    coalesce(
      cast(:previous as text), k.previous_event_id,
      case when k.series <> '' then lag(k.event_id) over (partition by k.series order by k.starts_on, k.event_id) end
    ) as previous_id
  from known k
  where k.starts_on is not null
),
pairs as (
  select o.event_id, o.event_name, o.starts_on, k.event_id as previous_id, k.starts_on as previous_starts_on
  from ordered o
  join known k on k.event_id = o.previous_id and k.event_id <> o.event_id and k.starts_on is not null
  where cast(:event as text) is null or o.event_id = :event
),
counted as (
  select
    p.event_id, p.event_name, p.starts_on, p.previous_id, e.starts_on - d.day as days_before,
    sum(d.registrations) filter (where e.event_id = p.event_id) as now,
    sum(d.registrations) filter (where e.event_id = p.previous_id) as before
  from pairs p
  cross join lateral (values (p.event_id, p.starts_on), (p.previous_id, p.previous_starts_on)) e (event_id, starts_on)
  join reporting.registrations_daily d on d.source = :source and d.event_id = e.event_id
  group by p.event_id, p.event_name, p.starts_on, p.previous_id, days_before
)
select
  c.event_id, c.event_name, c.previous_id as previous_event_id, c.days_before,
  case
    when c.starts_on - c.days_before <= reporting.day_of(now(), c.event_id)
      then coalesce(sum(c.now) over so_far, 0)::bigint
  end as registrations,
  coalesce(sum(c.before) over so_far, 0)::bigint as previous_registrations
from counted c
window so_far as (partition by c.event_id order by c.days_before desc)
order by c.event_id, c.days_before desc
