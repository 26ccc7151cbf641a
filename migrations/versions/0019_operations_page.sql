-- How many deliveries came again, by source and hour. `event_redelivery` has them by event, without their times.
create table redelivery_hour (
  source text collate "C" not null,
  hour timestamptz not null,
  count bigint not null,
  constraint redelivery_hour_pkey primary key (source, hour)
);

-- Counts and times alone, of which nothing is personal.
grant select on redelivery_hour to rosterlog_api, rosterlog_operator, rosterlog_worker;
grant select on event_redelivery to rosterlog_api;
grant select (source, build, updated_at) on participants_build to rosterlog_api;

-- Readers do not wait for it, workers do. Many participants have no athlete of their own.
create index participants_build_athlete on participants_build (source, athlete_id, participant_id)
where athlete_id is not null;
