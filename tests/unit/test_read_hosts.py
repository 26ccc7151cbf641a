"""The hosts of `READ_DATABASE_URL`, each as an address of its own."""

import pytest
from psycopg.conninfo import conninfo_to_dict

from ingest.read_hosts import read_hosts

Places = list[tuple[str | None, str | None]]


@pytest.mark.parametrize(
    ("url", "places"),
    [
        ("postgresql://u:p@a/d", [("a", None)]),
        ("postgresql://u:p@a,b/d", [("a", None), ("b", None)]),
        ("postgresql://u:p@a:1,b:2/d", [("a", "1"), ("b", "2")]),
        ("postgresql://u:p@a,b:2/d", [("a", None), ("b", "2")]),
        ("host=a,b port=6432 user=u password=p dbname=d", [("a", "6432"), ("b", "6432")]),
        ("dbname=d user=u password=p", [(None, None)]),
        ("host=a,b,c port=1,2 user=u password=p dbname=d", [("a,b,c", "1,2")]),
    ],
)
def test_each_host_is_an_address_with_everything_else(url: str, places: Places) -> None:
    hosts = [conninfo_to_dict(host.conninfo) for host in read_hosts(url)]
    assert [(host.get("host"), host.get("port") or None) for host in hosts] == places
    assert {(host["user"], host["password"], host["dbname"]) for host in hosts} == {("u", "p", "d")}


def test_an_own_time_to_connect_is_kept_and_the_order_is_by_chance_where_the_address_says_so() -> None:
    assert conninfo_to_dict(read_hosts("host=a,b")[1].conninfo)["connect_timeout"] == "2"
    assert conninfo_to_dict(read_hosts("host=a,b connect_timeout=7")[1].conninfo)["connect_timeout"] == "7"
    several = "host=" + ",".join("abcdefgh")
    in_order = [(number, host) for number, host in enumerate("abcdefgh", 1)]
    assert numbered(several) == in_order
    by_chance = [numbered(f"{several} load_balance_hosts=random") for _ in range(50)]
    assert any(hosts != in_order for hosts in by_chance)
    assert all(sorted(hosts) == in_order for hosts in by_chance)


def numbered(conninfo: str) -> list[tuple[int, object]]:
    return [(host.number, conninfo_to_dict(host.conninfo)["host"]) for host in read_hosts(conninfo)]
