-- Notes what the header of an observation says, for who asks how the roster was compared last: `append_observations`
-- calls it for each header that it appends.
create or replace function note_reconciliation(in_source text, at_position bigint, appended_at timestamptz, told jsonb)
returns void
language sql
set search_path = pg_catalog, public, pg_temp
begin atomic
  insert into reconciliation
    (source, position, recorded_at, kind, taken_at, event_ids, rows_read, missing, stale, unlisted, unknowable,
    is_complete, compared_at)
  select
    in_source, at_position, appended_at, told ->> 'kind', (told ->> 'taken_at')::timestamptz,
    case when told -> 'scope' <> 'null' then array(select jsonb_array_elements_text(told -> 'scope')) end,
    (told ->> 'rows')::bigint, d.missing, d.stale, d.unlisted, d.unknowable,
    coalesce((told ->> 'agrees')::boolean, d.missing + d.stale + d.unlisted + d.unknowable = 0),
    (told ->> 'position')::bigint
  from jsonb_to_record(told -> 'after') as d (missing bigint, stale bigint, unlisted bigint, unknowable bigint);

  update reconciliation r
  set until_position = n.position
  from reconciliation n
  where n.source = in_source and n.position = at_position
    and r.source = in_source and r.position < at_position and r.until_position is null
    and n.taken_at >= r.taken_at and (n.event_ids is null or r.event_ids <@ n.event_ids);

  -- What an older file says is known better already: it never stands.
  update reconciliation n
  set until_position = n.position
  where n.source = in_source and n.position = at_position
    and exists (
      select from reconciliation r
      where r.source = in_source and r.position < at_position and r.until_position is null
        and r.taken_at > n.taken_at and (r.event_ids is null or n.event_ids <@ r.event_ids)
    );
end;

revoke all on function note_reconciliation(text, bigint, timestamptz, jsonb) from public;
