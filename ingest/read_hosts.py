"""The hosts that `READ_DATABASE_URL` names, each as an address of its own. Each is asked and left out by itself."""

import random
from dataclasses import dataclass, field

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ingest.addresses import address_of_each
from ingest.hosts import SECONDS_FOR_EACH


@dataclass(frozen=True, slots=True)
class ReadHost:
    """`number`: its place in the list, from 1, by which people know it."""

    number: int
    conninfo: str = field(repr=False)


def read_hosts(conninfo: str) -> list[ReadHost]:
    """The hosts in the order of their turns: as written, or by chance if the address says `load_balance_hosts=random`,
    as it is known to libpq.
    """
    parameters = conninfo_to_dict(conninfo)
    seconds = parameters.get("connect_timeout", SECONDS_FOR_EACH)  # another host may answer meanwhile
    each = [make_conninfo(address, connect_timeout=seconds) for address in address_of_each(conninfo)]
    hosts = [ReadHost(number, address) for number, address in enumerate(each, 1)]
    if parameters.get("load_balance_hosts") == "random":
        random.shuffle(hosts)  # spreads what the processes of many servers read; nothing depends on the order
    return hosts
