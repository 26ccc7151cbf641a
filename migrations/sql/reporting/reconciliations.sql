-- When the roster was compared with the source, and what was found: the headers of observations in the log.
create or replace view reporting.reconciliations as
select
  h.source, h.position, h.received_at,
  h.told ->> 'observation' as observation_id,
  h.told #>> '{data,kind}' as kind,
  (h.told #>> '{data,taken_at}')::timestamptz as taken_at,
  case when h.told #> '{data,scope}' <> 'null' then array(
    select jsonb_array_elements_text(h.told #> '{data,scope}')
  ) end as event_ids,
  array(select jsonb_array_elements_text(h.told #> '{data,match}')) as matched_by,
  h.told ->> 'file_sha256' as file_sha256,
  (h.told #>> '{data,rows}')::bigint as rows_read,
  (h.told #>> '{data,pages}')::bigint as pages_read,
  (h.told #>> '{data,before,missing}')::bigint as missing,
  (h.told #>> '{data,before,stale}')::bigint as stale,
  (h.told #>> '{data,before,unlisted}')::bigint as unlisted,
  (h.told #>> '{data,before,unknowable}')::bigint as unknowable,
  h.told #> '{data,before}' -> 'columns' as stale_columns,
  (h.told #>> '{data,after,missing}')::bigint as missing_after,
  (h.told #>> '{data,after,stale}')::bigint as stale_after,
  (h.told #>> '{data,after,unlisted}')::bigint as unlisted_after,
  (h.told #>> '{data,after,unknowable}')::bigint as unknowable_after,
  (h.told #>> '{data,overtaken}')::bigint as overtaken,
  (h.told #>> '{data,withheld}')::bigint as withheld,
  h.told #>> '{data,listed_digest}' as listed_digest,
  h.told #>> '{data,roster_digest}' as roster_digest,
  (h.told #>> '{data,position}')::bigint as compared_at_position,
  h.told #>> '{data,chain}' as compared_at_chain
from (
  select e.source, e.position, e.received_at, convert_from(e.body, 'UTF8')::jsonb as told
  from public.event_log e
  -- The null subject is what an index finds them by; a delivery that claims the type has a signature.
  where e.subject is null and e.signature is null and e.event_type = 'rosterlog.observation'
) h;

grant select on reporting.reconciliations to rosterlog_reporting, rosterlog_reporting_pii;
comment on view reporting.reconciliations
  is 'When the roster was compared with the source, and what was found, one row per observation.';
comment on column reporting.reconciliations.source is 'The source that was compared; movemint unless you have several.';
comment on column reporting.reconciliations.position is 'Log position of the observation.';
comment on column reporting.reconciliations.received_at is 'When the observation was written into the log.';
comment on column reporting.reconciliations.observation_id is 'The observation; the events of its participants name it.';
comment on column reporting.reconciliations.kind is 'What the roster was compared with: file, api, or a number alone.';
comment on column reporting.reconciliations.taken_at is 'Of when that is.';
comment on column reporting.reconciliations.event_ids is 'The events that were compared; null for all of the source.';
comment on column reporting.reconciliations.matched_by is 'The columns by which participants were paired.';
comment on column reporting.reconciliations.file_sha256 is 'SHA-256 of the file; null if there was none.';
comment on column reporting.reconciliations.rows_read is 'Number of rows that were read.';
comment on column reporting.reconciliations.pages_read is 'Number of pages that an API gave; null if it was none.';
comment on column reporting.reconciliations.missing is 'Participants who were listed, and not on the roster.';
comment on column reporting.reconciliations.stale is 'Participants who were listed with other values.';
comment on column reporting.reconciliations.unlisted
  is 'Participants on the roster who were not listed, but for those of whom that was written down before.';
comment on column reporting.reconciliations.unknowable
  is 'Participants of whom nothing could be said: changed since, erased, parked, or ambiguous.';
comment on column reporting.reconciliations.stale_columns
  is 'By column, how many participants were listed with another value; an object.';
comment on column reporting.reconciliations.missing_after is 'As missing, once the observation was in the log.';
comment on column reporting.reconciliations.stale_after is 'As stale, once the observation was in the log.';
comment on column reporting.reconciliations.unlisted_after is 'As unlisted, once the observation was in the log.';
comment on column reporting.reconciliations.unknowable_after is 'As unknowable, once the observation was in the log.';
comment on column reporting.reconciliations.overtaken
  is 'Participants who were not written down, since something newer had arrived; the next observation sees them anew.';
comment on column reporting.reconciliations.withheld is 'Participants who were not written down, since they are erased.';
comment on column reporting.reconciliations.listed_digest is 'Digest of what was listed, as a set; null if not taken.';
comment on column reporting.reconciliations.roster_digest is 'Digest of the roster, as a set; null if not taken.';
comment on column reporting.reconciliations.compared_at_position is 'Log position up to which the roster was compared.';
comment on column reporting.reconciliations.compared_at_chain is 'Value of the chain at that position.';
