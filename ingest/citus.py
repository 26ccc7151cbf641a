"""Whether the database is a coordinator of the distributed engine Citus, and which workers it has."""

from sqlalchemy import Connection, text

from ingest.failures import WrongUsage

_HAS_ENGINE = text("select exists (select from pg_extension where extname = 'citus')")
_IS_COORDINATOR = text("select citus_is_coordinator()")
_WORKERS = text("""
select nodename || ':' || nodeport
from pg_dist_node
where noderole = 'primary' and isactive and shouldhaveshards and groupid <> 0
order by nodename, nodeport
""")
_KNOWS_COORDINATOR = text("select exists (select from pg_dist_node where groupid = 0)")
_KNOWS_ENGINE = text("select to_regclass('pg_catalog.pg_dist_partition') is not null")
_IS_DISTRIBUTED = text("""
select exists (select from pg_dist_partition p where p.logicalrelid = to_regclass('public.event_log'))
""")


class NoCluster(WrongUsage):
    """The database cannot be distributed as it is; nothing was changed."""


def is_distributed(connection: Connection) -> bool:
    """Whether the tables of this database are distributed by source."""
    is_known: bool = connection.execute(_KNOWS_ENGINE).scalar_one()
    return is_known and connection.execute(_IS_DISTRIBUTED).scalar_one() is True


def worker_nodes(connection: Connection) -> list[str]:
    """The workers that tables can be distributed over, as host:port. Raises `NoCluster` if there are none."""
    if not connection.execute(_HAS_ENGINE).scalar_one():
        raise NoCluster(
            "the database has no extension citus: on the coordinator and on each worker, run "
            '"create extension citus" in the database of this name, then this command again'
        )
    if not connection.execute(_IS_COORDINATOR).scalar_one():
        raise NoCluster("this is a worker of Citus: give the coordinator's address as DATABASE_URL")
    if not connection.execute(_KNOWS_COORDINATOR).scalar_one():
        raise NoCluster(
            "the workers do not know the coordinator: run \"select citus_set_coordinator_host('HOST', PORT)\" there, "
            "then this command again"
        )
    workers: list[str] = list(connection.execute(_WORKERS).scalars())
    if not workers:
        raise NoCluster(
            "the coordinator has no worker: run \"select citus_add_node('HOST', PORT)\" for each, then this command "
            "again"
        )
    return workers
