-- Participants whose newest state is ahead of now, then deliveries with an older state than the roster had already.
-- Such a delivery changed nothing. With days_ahead, the newest state says that it was changed so many days after now. It
-- stays until then, or until a delivery says that it is newer still: have updated_at corrected where it comes from. Where
-- nothing arrived since, the delivery is the one that brought that state.
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
),
late as (
  select c.participant_id, c.position, c.received_at, p.position as newest_position, p.updated_at
  from changed_nothing c
  join reporting.participants p on p.source = :source and p.participant_id = c.participant_id
  where p.first_position < c.position
),
shown as (
  select l.participant_id, l.position, l.received_at, l.newest_position, l.updated_at from late l
  union all
  select p.participant_id, p.position, p.received_at, p.position, p.updated_at
  from reporting.participants p
  where p.source = :source
    and p.updated_at > now() + interval '1 day'
    and (cast(:since as date) is null or p.received_at >= (select reporting.day_begins(cast(:since as date))))
    and not exists (select from late l where l.participant_id = p.participant_id)
)
select s.participant_id, s.position, s.received_at, s.newest_position, s.updated_at as newest_updated_at,
  case when s.updated_at > now() + interval '1 day' then extract(day from s.updated_at - now())::integer end as days_ahead
from shown s
order by s.updated_at > now() + interval '1 day' desc nulls last, s.position desc
limit coalesce(cast(:most as integer), 100)
