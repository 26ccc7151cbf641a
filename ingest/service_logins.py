"""Makes the logins of the services: each is the role itself, so that its session has no way to more."""

import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from ingest.database import SERVICE_ROLES

SERVICES = {role.removeprefix("rosterlog_"): role for role in SERVICE_ROLES}
# Of the login that migrates; each other parameter of its address is the services' as well.
_OF_LOGIN = ("user", "password", "passfile", "sslcert", "sslkey", "sslpassword", "application_name")
_PLACE = ("host", "port", "dbname")
_LISTENS = "select current_setting('listen_addresses') <> ''"


@dataclass(frozen=True, slots=True)
class ServiceLogin:
    """A service, its role, and its address with a new password; None if the role could log in before."""

    service: str
    role: str
    address: str | None


def make_logins(
    connection: psycopg.Connection[Any], address: str, renewed: Collection[str] = ()
) -> Iterator[ServiceLogin]:
    """Let each service's role log in, with a new password if it could not before or if the service is `renewed`.

    `address`: what the services connect to, with another login. The caller commits.
    """
    can_log_in = "select rolcanlogin from pg_roles where rolname = %s"
    for service, role in SERVICES.items():
        row = connection.execute(can_log_in, [role]).fetchone()
        if row is not None and row[0] and service not in renewed:
            yield ServiceLogin(service, role, None)
            continue
        password = secrets.token_urlsafe(24)
        # Sent as the verifier that PostgreSQL stores: a password in the statement could get into the server's log.
        verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
        command = sql.SQL("alter role {} login password {}").format(sql.Identifier(role), verifier)
        connection.execute(command)
        yield ServiceLogin(service, role, address_for(address, connection, role, password))


def address_for(address: str, connection: psycopg.Connection[Any], role: str, password: str) -> str:
    """The address with this login. `connection`: made with it, so that it knows what is left out.

    By TCP if the server listens: at its socket it often asks for the account of the same name, not for a password.
    """
    info = connection.info
    parameters = {name: str(value) for name, value in conninfo_to_dict(address).items()}
    hosts = parameters.get("host", info.host).split(",")
    if all(map(_is_socket, hosts)) and connection.execute(_LISTENS).fetchone() == (True,):
        hosts = ["127.0.0.1"]
    ports = parameters.get("port", str(info.port)).split(",")
    options = {name: value for name, value in parameters.items() if name not in (*_OF_LOGIN, *_PLACE)}
    if not any(map(_is_socket, hosts)):
        each = ports if len(ports) > 1 else ports * len(hosts)
        place = ",".join(f"{_bracketed(host)}:{port or info.port}" for host, port in zip(hosts, each, strict=True))
    else:
        place, options = "", {"host": ",".join(hosts), "port": ",".join(ports), **options}
    query = f"?{urlencode(options, quote_via=quote)}" if options else ""
    name = quote(parameters.get("dbname", info.dbname), safe="")
    return f"postgresql://{role}:{quote(password, safe='')}@{place}/{name}{query}"


def _is_socket(host: str) -> bool:
    return not host or host.startswith(("/", "@"))


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
