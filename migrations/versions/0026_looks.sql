-- Looks at a source that were to be written down and failed, since the last one of these events that did not.
-- `event_ids`: none for all events of the source. `why`: of the last one, with what to do.
create table failed_look (
  source text collate "C" not null,
  event_ids text[] not null,
  since timestamptz not null default now(),
  failed_at timestamptz not null default now(),
  why text not null,
  constraint failed_look_pkey primary key (source, event_ids)
);

grant select on failed_look to rosterlog_api, rosterlog_worker, rosterlog_operator;
grant insert, update, delete on failed_look to rosterlog_operator;
