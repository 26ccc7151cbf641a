"""The hosts that `READ_DATABASE_URL` names, each as an address of its own. Each is asked and left out by itself."""

import random
from dataclasses import dataclass, field
from typing import Any

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_OF_HOST = ("host", "hostaddr", "port")
_CONNECT_SECONDS = "2"  # if the address does not say: another host may answer meanwhile


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
    lists = {name: str(parameters[name]).split(",") for name in _OF_HOST if parameters.get(name)}
    number = max(map(len, lists.values()), default=1)
    if any(len(values) not in (1, number) for values in lists.values()):
        return [ReadHost(1, conninfo)]  # of which the driver says what is wrong
    own = {name: values * number if len(values) == 1 else values for name, values in lists.items()}
    each_time: dict[str, Any] = {"connect_timeout": _CONNECT_SECONDS, **parameters}
    is_random = each_time.pop("load_balance_hosts", None) == "random"
    hosts = [
        ReadHost(index + 1, make_conninfo(**{**each_time, **{name: values[index] for name, values in own.items()}}))
        for index in range(number)
    ]
    if is_random:
        random.shuffle(hosts)  # spreads what the processes of many servers read; nothing depends on the order
    return hosts
