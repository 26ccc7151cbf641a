"""Logins for reporting: which are refused, since they are none, or may do more already."""

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from projections.reports.logins import LoginRefused, check_name, grant, withdraw


@pytest.mark.parametrize(
    ("user", "says"),
    [
        ("", "needs a name"),
        (" ", "needs a name"),
        ("a\x00b", "needs a name"),
        ("ä" * 32, "at most 63 bytes"),
        ("pg_monitor", "is reserved"),
        ("Rosterlog_worker", "is reserved"),
        ("ROSTERLOG", "is reserved"),
        ("Public", "is reserved"),
        ("current_user", "is reserved"),
    ],
)
def test_a_name_that_postgresql_or_rosterlog_keeps_for_itself_is_refused(user: str, says: str) -> None:
    with pytest.raises(LoginRefused, match=says):
        check_name(user)


def test_the_address_asks_for_the_safety_that_the_owners_has(database: str) -> None:
    user = f"wary_{conninfo_to_dict(database)['dbname']}"
    with psycopg.connect(make_conninfo(database, sslmode="allow"), autocommit=True) as owner:
        try:
            assert grant(owner, user, sees_personal_data=False).url.endswith("?sslmode=allow")
        finally:
            owner.execute(f"drop owned by {user}; drop role {user}".encode())


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("login superuser", "choose another name"),
        ("login createrole", "choose another name"),
        ("login replication", "choose another name"),
        ("login bypassrls", "choose another name"),
        ("login in role rosterlog_operator", "choose another name"),
        ("login in role pg_read_all_data", "choose another name"),
        ("login; grant select (bib) on participants to {user}", "choose another name"),
        ("login; grant delete on participants to {user}", "choose another name"),
        ("nologin", "choose another name"),
        ("login noinherit", "does not inherit"),
    ],
)
def test_a_login_that_may_do_more_or_is_none_is_refused(database: str, kind: str, says: str) -> None:
    user = f"mighty_{conninfo_to_dict(database)['dbname']}"
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(f"create role {user} {kind.format(user=user)}".encode())
        with pytest.raises(LoginRefused, match=says), owner.transaction():
            grant(owner, user, sees_personal_data=False)
        assert owner.execute("select has_schema_privilege(%s::name, 'reporting', 'usage')", [user]).fetchone() == (
            "superuser" in kind or "pg_read_all_data" in kind,
        )
        owner.execute(f"drop owned by {user}; drop role {user}".encode())


def test_a_login_is_told_apart_from_its_own_tables_and_from_who_may_not_connect(database: str) -> None:
    name = str(conninfo_to_dict(database)["dbname"])
    user = f"analyst_{name}"
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(f"create role {user} login; create table notes (); alter table notes owner to {user}".encode())
        try:
            assert not grant(owner, user, sees_personal_data=False).is_new
            owner.execute(f"revoke connect on database {name} from public".encode())
            with pytest.raises(LoginRefused, match="may not connect"):
                grant(owner, user, sees_personal_data=False)
        finally:
            owner.execute(f"drop owned by {user}; drop role {user}".encode())


def test_personal_data_that_somebody_else_lets_a_login_see_is_not_passed_over(database: str) -> None:
    """Who may revoke it is who granted it; to say that it is gone would be wrong."""
    names = {name: f"{name}_{conninfo_to_dict(database)['dbname']}" for name in ("analyst", "boss")}
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute("create role {analyst} login; create role {boss}".format(**names).encode())
        try:
            owner.execute("grant rosterlog_reporting_pii to {boss} with admin option".format(**names).encode())
            owner.execute(
                "set role {boss}; grant rosterlog_reporting_pii to {analyst}; reset role".format(**names).encode()
            )
            with pytest.raises(LoginRefused, match="from somebody else"), owner.transaction():
                grant(owner, names["analyst"], sees_personal_data=False)
        finally:
            owner.execute("drop role {analyst}; drop role {boss}".format(**names).encode())


def test_a_login_that_is_not_ours_or_owns_something_loses_its_rights_and_stays(database: str) -> None:
    names = {name: f"{name}_{conninfo_to_dict(database)['dbname']}" for name in ("owning", "earlier")}
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute("create role {earlier} login".format(**names).encode())
        try:
            for name in names.values():
                grant(owner, name, sees_personal_data=name == names["earlier"])
            owner.execute("create schema authorization {owning}".format(**names).encode())
            for name in names.values():
                assert not withdraw(owner, name)
                rights = "select has_schema_privilege(%s::name, 'reporting', 'usage')"
                assert owner.execute(rights, [name]).fetchone() == (False,)
                with pytest.raises(LoginRefused, match="was not granted"):
                    withdraw(owner, name)
            assert owner.execute(
                "select rolconfig from pg_roles where rolname = %s", [names["earlier"]]
            ).fetchone() == (None,)
        finally:
            owner.execute("drop owned by {owning}; drop role {owning}, {earlier}".format(**names).encode())


def test_a_right_that_somebody_else_gave_is_not_said_to_be_taken_back(database: str) -> None:
    names = {name: f"{name}_{conninfo_to_dict(database)['dbname']}" for name in ("reader", "chief")}
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute("create role {reader} login; create role {chief}".format(**names).encode())
        try:
            owner.execute("grant rosterlog_reporting to {chief} with admin option".format(**names).encode())
            owner.execute(
                "set role {chief}; grant rosterlog_reporting to {reader}; reset role".format(**names).encode()
            )
            with pytest.raises(LoginRefused, match="from somebody else"), owner.transaction():
                withdraw(owner, names["reader"])
            with pytest.raises(LoginRefused, match="there is no login"):
                withdraw(owner, "nobody_at_all")
        finally:
            owner.execute("drop role {reader}; drop role {chief}".format(**names).encode())
