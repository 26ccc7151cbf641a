-- Makes the published rows of these participants equal to the roster's, and deletes those that the roster lacks.
create or replace function publish_these(in_source text, in_ids text[])
returns void
language sql
set search_path = pg_catalog, public, pg_temp
as $$
  delete from published_participants gone
  where gone.source = in_source and gone.participant_id = any (in_ids)
    and not exists (select from participants p where p.source = in_source and p.participant_id = gone.participant_id);
  insert into published_participants as known (
    source, participant_id,
    {not_personal},
    first_position, position, received_at, age_band, age_basis, origin, unlisted_at{added_not_personal}
  )
  select
    p.source, p.participant_id,
    {p.not_personal},
    p.first_position, p.position, p.received_at,
    p.age_band, p.age_basis, p.origin, p.unlisted_at{p.added_not_personal}
  from reporting.participants p
  where p.source = in_source and p.participant_id = any (in_ids)
  on conflict (source, participant_id) do update set
    (
      {not_personal},
      first_position, position, received_at, age_band, age_basis, origin, unlisted_at{added_not_personal}
    ) = (
      {excluded.not_personal},
      excluded.first_position, excluded.position, excluded.received_at,
      excluded.age_band, excluded.age_basis, excluded.origin, excluded.unlisted_at{excluded.added_not_personal}
    )
  where known is distinct from excluded;
$$;

revoke all on function publish_these(text, text[]) from public;
