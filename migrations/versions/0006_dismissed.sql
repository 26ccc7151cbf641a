-- Parked events that an operator has put away, by source and position: so it outlasts the builds, whose quarantine goes
-- with them. It has no participant: the row stays when a person is erased.
create table dismissed_event (
  source text collate "C" not null,
  position bigint not null,
  operator text not null,
  reason text not null,
  dismissed_at timestamptz not null default now(),
  constraint dismissed_event_pkey primary key (source, position),
  constraint dismissed_event_operator check (operator <> ''),
  constraint dismissed_event_reason check (reason <> '')
);

grant insert, delete on dismissed_event to rosterlog_operator;
grant select on dismissed_event to rosterlog_api, rosterlog_operator, rosterlog_worker;
-- An operator dismisses what is parked, and sees what that is.
grant select on projection, quarantine to rosterlog_operator;
