-- The calendar of a build, a part of its definition. `event_id` null: of every event without a row of its own. From each
-- of `changes` on holds the offset after it, in seconds; the first offset holds before the first change.
create table event_calendar (
  projection text collate "C" not null,
  build integer not null,
  event_id text collate "C",
  time_zone text collate "C" not null,
  changes timestamptz[] not null,
  offsets integer[] not null,
  starts_on date,
  previous_event_id text collate "C",
  constraint event_calendar_key unique nulls not distinct (projection, build, event_id),
  constraint event_calendar_build_fkey
    foreign key (projection, build) references projection_build (projection, build) on delete cascade
);
-- Read for every participant: the arrays must not have to be decompressed each time.
alter table event_calendar alter column changes set storage plain, alter column offsets set storage plain;
grant select on event_calendar to rosterlog_api;

-- The days of the builds that are there are in UTC.
insert into event_calendar (projection, build, time_zone, changes, offsets)
select b.projection, b.build, 'UTC', '{}', '{0}' from projection_build b;

-- It is handed the calendar now, and a build without one would have no days; migrations/sql has the function of today.
-- squawk-ignore ban-drop-function
drop function if exists begin_build(text, text);

alter table published_participants add column age_basis text;
