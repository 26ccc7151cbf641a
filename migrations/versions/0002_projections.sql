create table projection (
  projection text collate "C" not null,
  tables text[] not null,
  last_build integer not null default 0,
  live integer,
  previous integer,
  constraint projection_pkey primary key (projection)
);

create table projection_build (
  projection text collate "C" not null,
  build integer not null,
  definition text not null,
  begun_at timestamptz not null default now(),
  constraint projection_build_pkey primary key (projection, build)
);

create table checkpoint (
  source text collate "C" not null,
  projection text collate "C" not null,
  build integer not null,
  position bigint not null,
  moved_at timestamptz not null default now(),
  constraint checkpoint_pkey primary key (source, projection, build),
  constraint checkpoint_build_fkey
    foreign key (projection, build) references projection_build (projection, build) on delete cascade
);

create table quarantine (
  source text collate "C" not null,
  projection text collate "C" not null,
  build integer not null,
  position bigint not null,
  participant_id text collate "C",
  reason text not null,
  parked_at timestamptz not null default now(),
  constraint quarantine_pkey primary key (source, projection, build, position),
  constraint quarantine_build_fkey
    foreign key (projection, build) references projection_build (projection, build) on delete cascade
);
create index quarantine_participant on quarantine (source, projection, build, participant_id);

create table unknown_event_type (
  source text collate "C" not null,
  projection text collate "C" not null,
  build integer not null,
  event_type text collate "C" not null,
  events bigint not null,
  last_position bigint not null,
  constraint unknown_event_type_pkey primary key (source, projection, build, event_type),
  constraint unknown_event_type_build_fkey
    foreign key (projection, build) references projection_build (projection, build) on delete cascade
);

grant select, update (live, previous) on projection to rosterlog_worker;
grant select, delete on projection_build to rosterlog_worker;
grant select, insert, update, delete on checkpoint, quarantine, unknown_event_type to rosterlog_worker;
grant select on projection, projection_build, checkpoint, quarantine, unknown_event_type to rosterlog_api;
