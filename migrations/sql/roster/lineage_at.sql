-- A mark of what a source had been through when it was at a position of the log and at a number of `roster_change`: 16
-- hexadecimal digits, others after the restore of a backup that lacked any of it. Of what is not there it is empty, since
-- it was lost; on a replica it is null, since it may only not have come yet.
create or replace function lineage_at(in_source text, in_position bigint, in_change bigint)
returns text
language sql
stable
security definer
set search_path = pg_catalog, public, pg_temp
as $$
  select coalesce(
    left(encode(sha256(
      case in_position
        when 0 then ''::bytea
        else (select e.chain from event_log e where e.source = in_source and e.position = in_position)
      end
      || case in_change
        when 0 then ''::bytea
        else (
          select convert_to(concat_ws(' ', n.position, extract(epoch from n.changed_at), n.subject), 'UTF8')
          from roster_change n where n.source = in_source and n.number = in_change
        )
      end
    ), 'hex'), 16),
    case when not pg_is_in_recovery() then '' end
  )
$$;

revoke all on function lineage_at(text, bigint, bigint) from public;
grant execute on function lineage_at(text, bigint, bigint) to rosterlog_api;
