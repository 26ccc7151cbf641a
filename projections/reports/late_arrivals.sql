-- Deliveries with an older state than the roster had already, which changed nothing; the newest delivery first.
-- With days_ahead, the newest state says that it was changed so many days after now. It stays until then, or until a
-- delivery says that it is newer still: have updated_at corrected where it comes from.
--
-- since date: only deliveries that arrived on this day or later
-- most integer: at most this many deliveries (100)
with no_newest_state as materialized (
  select d.position
  from reporting.deliveries d
  where d.source = :source
    and not exists (
      select from reporting.participants p where p.source = :source and p.position = d.position
    )
),
changed_nothing as (
  select d.position, d.received_at, d.participant_id
  from no_newest_state n
  join reporting.deliveries d on d.source = :source and d.position = n.position
  where d.event_type = 'event.participant.created'
    and not d.is_erased
    and not d.is_quarantined
    and d.position <= (select f.checkpoint from reporting.freshness f where f.source = :source)
    and (cast(:since as date) is null or d.received_at >= (select reporting.day_begins(cast(:since as date))))
    and not exists (
      select from reporting.participant_history h
      where h.source = :source and h.participant_id = d.participant_id and h.position = d.position
        and h.valid_to_position is not null
    )
)
select c.participant_id, c.position, c.received_at, p.position as newest_position, p.updated_at as newest_updated_at,
  case when p.updated_at > now() + interval '1 day' then extract(day from p.updated_at - now())::integer end as days_ahead
from changed_nothing c
join reporting.participants p on p.source = :source and p.participant_id = c.participant_id
where p.first_position < c.position
order by c.position desc
limit coalesce(cast(:most as integer), 100)
