-- Room in each page for new versions of its rows. `noted_at`: when the head was noted, once a second at most.
create table source (
  source text collate "C" not null,
  head bigint not null,
  noted_at timestamptz not null default now(),
  constraint source_pkey primary key (source)
) with (fillfactor = 50);
grant select on source to rosterlog_worker, rosterlog_api, rosterlog_operator;

-- What is appended meanwhile by the function of before is noted later, by note_heads().
insert into source (source, head)
with recursive sources as (
  (select e.source from event_log e order by e.source limit 1)
  union all
  select (select e.source from event_log e where e.source > s.source order by e.source limit 1)
  from sources s
  where s.source is not null
)
select s.source, head.position
from sources s
cross join lateral (
  select e.position from event_log e where e.source = s.source order by e.position desc limit 1
) head;
