-- How many deliveries were refused, by source, reason and hour; the source of an unknown source is the empty text. Nothing
-- of what was sent is kept. `run`: of these, how many since the source's last stored delivery, and `run_since`: since when.
create table refused_delivery (
  source text collate "C" not null,
  reason text collate "C" not null,
  hour timestamptz not null,
  count bigint not null,
  last_at timestamptz not null,
  run bigint not null,
  run_since timestamptz not null,
  constraint refused_delivery_pkey primary key (source, reason, hour)
);

-- When a worker last looked at the log, and what it folded then.
create table worker_seen (
  worker text collate "C" not null,
  host text not null,
  pid integer not null,
  version text not null,
  seen_at timestamptz not null default now(),
  working_on text,
  constraint worker_seen_pkey primary key (worker)
);

grant select, insert, update, delete on worker_seen to rosterlog_worker;
grant select on refused_delivery, worker_seen to rosterlog_api, rosterlog_operator, rosterlog_worker;
