-- Participants who changed from one event or sub-event to another, the newest change first.
-- Being put into an event or sub-event for the first time is no change, nor are new words for the same id. Of those
-- without an id the names are compared.
--
-- event text: only from this event, into it, or within it, by its id
-- since date: only deliveries that arrived on this day or later, in the time zone of the event
-- most integer: at most this many changes (100)
with moved as (
  select
    h.participant_id, n.position, n.received_at, n.event_id, n.event_name, n.sub_event_id, n.sub_event_name,
    h.event_id as from_event_id, h.event_name as from_event_name,
    h.sub_event_id as from_sub_event_id, h.sub_event_name as from_sub_event_name
  from reporting.participant_history h
  join reporting.participant_history n
    on n.source = :source and n.participant_id = h.participant_id and n.position = h.valid_to_position
  where h.source = :source
    and h.valid_to_position is not null
    and (
      case
        when h.event_id is not null and n.event_id is not null then h.event_id <> n.event_id
        when h.event_name is not null and n.event_name is not null
          then reporting.text_key(h.event_name) <> reporting.text_key(n.event_name)
        else coalesce(h.event_id, h.event_name) is not null and coalesce(n.event_id, n.event_name) is null
      end
      or case
        when h.sub_event_id is not null and n.sub_event_id is not null then h.sub_event_id <> n.sub_event_id
        when h.sub_event_name is not null and n.sub_event_name is not null
          then reporting.text_key(h.sub_event_name) <> reporting.text_key(n.sub_event_name)
        else coalesce(h.sub_event_id, h.sub_event_name) is not null
          and coalesce(n.sub_event_id, n.sub_event_name) is null
      end
    )
    and (cast(:event as text) is null or h.event_id = :event or n.event_id = :event)
    and (
      cast(:since as date) is null
      or n.received_at >= reporting.day_begins(cast(:since as date), coalesce(n.event_id, h.event_id))
    )
  order by n.position desc
  limit coalesce(cast(:most as integer), 100)
)
select
  m.participant_id, p.first_name, p.last_name, p.bib, m.received_at, m.position,
  m.from_event_id, m.from_sub_event_id, m.from_sub_event_name, m.event_id, m.sub_event_id, m.sub_event_name,
  m.from_event_name, m.event_name
from moved m
left join reporting.participants p on p.source = :source and p.participant_id = m.participant_id
order by m.position desc
