-- The roster for people who ask in SQL: each participant's newest state, personal columns null without the right to
-- see them.
create or replace view reporting.participants as
select
  p.source, p.participant_id,
  {p.masked},
  p.first_position, p.position, p.received_at,
  p.field_errors,
  case when (select reporting.sees_personal_data()) then p.attributes end as attributes,
  reporting.age_band(p.dob, p.age, counted.day) as age_band,
  case
    when reporting.age_band(p.dob, null, counted.day) is not null then counted.basis
    when reporting.age_band(p.age) is not null then 'as sent'
  end as age_basis,
  p.origin, p.unlisted_at{p.added_masked}
from public.participants p
{counted};

grant select on reporting.participants to rosterlog_reporting, rosterlog_reporting_pii;
comment on view reporting.participants is 'The roster: the newest state of each participant, one row per participant.';
comment on column reporting.participants.source is 'The source of the deliveries; movemint unless you have several.';
comment on column reporting.participants.participant_id
  is 'The participant in Movemint; unique within a source.';
{comments}
comment on column reporting.participants.first_position is 'Log position of the first delivery about the participant.';
comment on column reporting.participants.position is 'Log position of the delivery that this state comes from.';
comment on column reporting.participants.received_at is 'When that delivery arrived.';
comment on column reporting.participants.origin
  is 'Where this state comes from: delivery, or observation, when the roster was compared with the source.';
comment on column reporting.participants.unlisted_at
  is 'When it was observed that the source does not list the participant any more; null if it does, or nobody looked.';
comment on column reporting.participants.field_errors
  is 'Columns that are null because their value could not be read, each with the reason; an object.';
comment on column reporting.participants.attributes
  is 'The whole participant as Movemint sent it, an object. Personal: null without rosterlog_reporting_pii.';
comment on column reporting.participants.age_band
  is 'Band of the age on the day that age_basis says, by date of birth, else by age: under 18, 18-24 ... 65+.';
comment on column reporting.participants.age_basis
  is 'Of which day the age is: race day, if the calendar has the start of the event, else registration; or as sent.';
