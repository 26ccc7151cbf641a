"""`rosterlog migrate`: brings the schema up to date; makes the roles, and the services' logins."""

import click
from sqlalchemy import Engine

from ingest import migrate as migrations
from ingest.cli.group import settings_of
from ingest.cli.invocation import runnable
from ingest.cli.opening import tell_database
from ingest.cli.terminal import say
from ingest.database import ROLES, driver_connection, open_database, sync_engine
from ingest.failures import WrongUsage
from ingest.service_logins import SERVICES, ServiceLogin, make_logins
from ingest.session import LONG
from ingest.settings import Settings


@click.command()
@click.option("--roles", "only_roles", is_flag=True, help="Only make the roles, as before restoring a dump.")
@click.option("--logins", is_flag=True, help="Let each service log in as its role; print the addresses, this once.")
@click.option(
    "--renew",
    "renewed",
    multiple=True,
    type=click.Choice([*SERVICES]),
    help="With --logins: give this service a new password; may be repeated.",
)
@click.option(
    "--citus", "distributes", is_flag=True, help="On a coordinator of Citus: distribute the tables by source."
)
@settings_of
def migrate(settings: Settings, *, only_roles: bool, logins: bool, renewed: tuple[str, ...], distributes: bool) -> None:
    """Bring the database's schema up to date.

    --logins makes what services connect as: with these addresses as DATABASE_URL, ingest, worker and api can do their
    own work alone. It can be given with --roles, which leaves the schema as it is.
    """
    if renewed and not logins:
        raise WrongUsage("--renew goes with --logins")
    if distributes and only_roles:
        raise WrongUsage("--citus distributes the tables, and --roles leaves them as they are: give one of them")
    with open_database(settings, say, make=True, is_direct=True) as conninfo:
        engine = sync_engine(conninfo, deadlines=LONG, is_direct=True)
        with engine.connect() as connection:
            tell_database(settings, connection)
        if distributes:
            migrations.check_cluster(engine)  # before anything is changed
        click.echo(_migrated(engine, only_roles=only_roles))
        if distributes:
            click.echo(f"distributed by source over {', '.join(migrations.distribute(engine))}")
        if logins:
            _make_logins(settings, engine, renewed)
        engine.dispose()


def _migrated(engine: Engine, *, only_roles: bool) -> str:
    if only_roles:
        with engine.begin() as connection:
            migrations.make_roles(connection)
        return f"the roles are there: {', '.join(ROLES)}"
    before, after = migrations.migrate(engine)
    return f"already at {after}" if before == after else f"migrated from {before or 'nothing'} to {after}"


def _make_logins(settings: Settings, engine: Engine, renewed: tuple[str, ...]) -> None:
    if settings.database_url is None:
        click.echo("the services of the embedded database have logins of their own: there is nothing to copy")
        return
    with engine.begin() as connection:
        made = [*make_logins(driver_connection(connection), settings.database_url.get_secret_value(), renewed)]
    for login in made:
        click.echo(f"{login.service:<8}  {login.address or _is_there(login)}")
    if any(login.address for login in made):
        say("each address is a DATABASE_URL, and is printed this once: it has the password, which is kept nowhere")


def _is_there(login: ServiceLogin) -> str:
    again = runnable(f"rosterlog migrate --roles --logins --renew {login.service}")
    return f"{login.role} can log in already: {again} makes a new password"
