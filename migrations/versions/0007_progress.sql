-- How far the loading of a build is, written by the rebuild about once a second; null for a build that was not loaded.
alter table projection_build
  add column loaded_events bigint,
  add column events_to_load bigint,
  add column moved_at timestamptz;
grant update (loaded_events, events_to_load, moved_at) on projection_build to rosterlog_worker;

-- When `rosterlog verify` last read the log of a source to its head, and what it found.
create table verification (
  source text collate "C" not null,
  finished_at timestamptz not null default now(),
  head bigint not null,
  problems bigint not null,
  constraint verification_pkey primary key (source)
);
grant select, insert, update on verification to rosterlog_operator;
grant select on verification to rosterlog_api, rosterlog_worker;
