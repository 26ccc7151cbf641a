-- Room in each page for new versions of its rows, of which an append makes one.
create table source (
  source text collate "C" not null,
  head bigint not null,
  constraint source_pkey primary key (source)
) with (fillfactor = 50);
grant select on source to rosterlog_worker, rosterlog_api, rosterlog_operator;

-- No append is under way from here on, until its function keeps the table: the end of this transaction.
lock table event_log in share row exclusive mode;
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
