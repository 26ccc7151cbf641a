-- Before it, no event of rosterlog's own could be appended: every state comes from a delivery. A constant default: no row
-- is written anew, and a worker of the release before goes on.
alter table participants_build
  add column origin text not null default 'delivery',
  add column unlisted_at timestamptz;
alter table participant_history_build
  add column origin text not null default 'delivery',
  add column unlisted_at timestamptz;
alter table published_participants
  add column origin text not null default 'delivery',
  add column unlisted_at timestamptz;
