-- A token without personal data sees what rosterlog_reporting sees.
alter table api_token add column sees_personal_data boolean not null default true;
