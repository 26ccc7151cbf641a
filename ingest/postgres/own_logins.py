"""The logins of the services on the embedded database: each is its role, with a password made of the superuser's.

Whoever may read the superuser's password can make them all, so they need no files; a program that connects as one of
them cannot get back to the superuser in its session.
"""

import hashlib
import hmac
import re
from base64 import b64decode
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

# By which a connection string says that it is the embedded superuser's. It has no effect where there is an
# application_name, as in every session of ours.
_MARK = "fallback_application_name"
_VERIFIER = re.compile(r"SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):.+")
_STORED = "select rolname, rolcanlogin, rolpassword from pg_authid where rolname = any (%s) order by 1"


def marked(conninfo: str) -> str:
    """The connection string, which says from now on that it is the embedded superuser's."""
    return make_conninfo(conninfo, **{_MARK: _mark(str(conninfo_to_dict(conninfo)["user"]))})


def as_login(conninfo: str, role: str) -> str:
    """The connection string for the role's own login if it is the embedded superuser's; otherwise what it was."""
    parameters = conninfo_to_dict(conninfo)
    if parameters.get(_MARK) != _mark(str(parameters.get("user"))):
        return conninfo
    return make_conninfo(conninfo, user=role, password=_password(str(parameters["password"]), role))


def keep_logins(connection: psycopg.Connection[Any], roles: Sequence[str]) -> None:
    """Let those of the roles that exist log in with their passwords, if this is the embedded database's superuser."""
    info = connection.info
    if info.get_parameters().get(_MARK) != _mark(info.user):
        return
    for role, can_log_in, verifier in connection.execute(_STORED, [list(roles)]).fetchall():
        password = _password(info.password, role)
        if not can_log_in or not _verifies(verifier or "", password):
            made = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
            command = sql.SQL("alter role {} login password {}").format(sql.Identifier(role), made)
            # Another process does the same at this moment.
            with suppress(psycopg.errors.InternalError_), connection.transaction():
                connection.execute(command)


def _mark(user: str) -> str:
    return f"the embedded database of {user}"


def _password(of_superuser: str, role: str) -> str:
    return hmac.digest(of_superuser.encode(), role.encode(), hashlib.sha256).hex()


def _verifies(verifier: str, password: str) -> bool:
    """Whether what PostgreSQL stores of a password (RFC 5803) is of this one."""
    parts = _VERIFIER.fullmatch(verifier)
    if parts is None:
        return False
    rounds, salt, stored = int(parts[1]), b64decode(parts[2]), b64decode(parts[3])
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    key = hmac.digest(salted, b"Client Key", hashlib.sha256)
    return hmac.compare_digest(hashlib.sha256(key).digest(), stored)
