"""The hosts that an address of a database names, each as an address of its own. Pure."""

from psycopg.conninfo import conninfo_to_dict, make_conninfo

OF_HOST = ("host", "hostaddr", "port")  # the parameters that are lists, with a value for each host or one for all


def address_of_each(conninfo: str) -> list[str]:
    """An address for each host, as written but for its host, in their order; the address as it is if it names one.

    Likewise if its lists do not fit together, of which the driver says what is wrong.
    """
    parameters = conninfo_to_dict(conninfo)
    lists = {name: str(parameters[name]).split(",") for name in OF_HOST if parameters.get(name)}
    number = max(map(len, lists.values()), default=1)
    if number == 1 or any(len(values) not in (1, number) for values in lists.values()):
        return [conninfo]
    of_each = zip(*(values * number if len(values) == 1 else values for values in lists.values()), strict=True)
    return [make_conninfo(conninfo, **dict(zip(lists, values, strict=True))) for values in of_each]
