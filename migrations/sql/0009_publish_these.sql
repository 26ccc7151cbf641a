-- Makes the published rows of these participants what readers see; whoever is not on the roster goes.
create function publish_these(in_source text, in_ids text[])
returns void
language sql
set search_path = pg_catalog, public, pg_temp
as $$
  delete from published_participants gone
  where gone.source = in_source and gone.participant_id = any (in_ids)
    and not exists (select from participants p where p.source = in_source and p.participant_id = gone.participant_id);
  insert into published_participants as known
  select
    p.source, p.participant_id, p.event_id, p.event_name, p.sub_event_id, p.sub_event_name, p.athlete_id, p.status,
    p.first_name, p.last_name, p.bib, p.gender, p.team, p.wave, p.state, p.country, p.checked_in_at, p.registered_at,
    p.updated_at, p.first_position, p.position, p.received_at, p.age_band
  from reporting.participants p
  where p.source = in_source and p.participant_id = any (in_ids)
  on conflict (source, participant_id) do update set
    (
      event_id, event_name, sub_event_id, sub_event_name, athlete_id, status, first_name, last_name, bib, gender, team,
      wave, state, country, checked_in_at, registered_at, updated_at, first_position, position, received_at, age_band
    ) = (
      excluded.event_id, excluded.event_name, excluded.sub_event_id, excluded.sub_event_name, excluded.athlete_id,
      excluded.status, excluded.first_name, excluded.last_name, excluded.bib, excluded.gender, excluded.team,
      excluded.wave, excluded.state, excluded.country, excluded.checked_in_at, excluded.registered_at,
      excluded.updated_at, excluded.first_position, excluded.position, excluded.received_at, excluded.age_band
    )
  where known is distinct from excluded;
$$
