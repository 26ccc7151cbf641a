-- Scheduled comparisons with the source that failed, one after the other: a row per source and choice of events, which
-- goes when one succeeds. `event_ids`: none for all events; `events_digest`: SHA-256 of them, which are too many for an
-- index at times. `failures`: how many since `since`. `why`: of the last one, with what to do; without anybody's data.
create table failed_look (
  source text collate "C" not null,
  events_digest bytea not null,
  event_ids text[] not null,
  failures integer not null default 1,
  since timestamptz not null default now(),
  failed_at timestamptz not null default now(),
  why text not null,
  constraint failed_look_pkey primary key (source, events_digest)
);

grant select on failed_look to rosterlog_api, rosterlog_worker, rosterlog_operator;
grant insert, update, delete on failed_look to rosterlog_operator;
