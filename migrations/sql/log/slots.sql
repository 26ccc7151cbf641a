-- The replication slots that stay, and the bytes of the write-ahead log that each holds back: null for a slot that holds
-- none, or has lost what it held. On a replica those are counted that are replayed. The search path is the caller's.
create or replace function slots()
returns table (slot_name text, is_active boolean, is_lost boolean, is_unbounded boolean, held_bytes bigint)
language sql
stable
as $$
  select s.slot_name::text, s.active, s.wal_status is not distinct from 'lost',
    current_setting('max_slot_wal_keep_size') = '-1',
    pg_wal_lsn_diff(
      case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end, s.restart_lsn
    )::bigint
  from pg_replication_slots s
  where not s.temporary and s.slot_name !~ '^pg_[0-9]+_sync_'
$$;
