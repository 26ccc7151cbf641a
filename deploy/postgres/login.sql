-- What compose.yaml runs when it makes the database: the login of rosterlog's services owns the database and may make
-- roles, but is no superuser. The superuser has no password: it works in its container alone, for
-- `docker compose --file deploy/compose.yaml exec postgres psql --username=postgres`.
\getenv password POSTGRES_PASSWORD
create role rosterlog login createrole password :'password';
grant pg_read_all_stats to rosterlog; -- or metrics and status do not see the transactions of other logins
alter database rosterlog owner to rosterlog;
alter role postgres password null;
