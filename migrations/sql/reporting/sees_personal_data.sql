-- Whether the caller may see contact data, birth dates, free text and the like. The views call it once per query.
create or replace function reporting.sees_personal_data()
returns boolean
language sql
stable
parallel safe
return pg_catalog.pg_has_role(current_user, 'rosterlog_reporting_pii', 'usage');

comment on function reporting.sees_personal_data() is 'Whether you see the columns that are marked as personal.';
