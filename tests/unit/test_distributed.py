"""What functions say on Citus: each of them is still a change of what its file says."""

import re

import pytest

from migrations import objects
from migrations.distributed import DELEGATED, as_distributed

# Some names are in two rooms; as_distributed knows one of each.
_PLAIN = {name: objects.file(room, name) for room, names in objects.ROOMS.items() for name in names.split()}


def test_what_is_said_otherwise_still_stands_in_its_file() -> None:
    plain, distributed = [*objects.every_file()], [*objects.every_file(is_distributed=True)]
    changed = sum(each != other for each, other in zip(plain, distributed, strict=True))
    assert 15 < changed < len(plain) / 3
    with pytest.raises(ValueError, match=r"append_events\.sql has changed"):
        as_distributed("append_events", "select 1")


def test_a_function_is_the_same_to_its_callers() -> None:
    head = re.compile(r"create or replace function (.*?)\n(?:language|security|stable)", re.DOTALL)
    rights = re.compile(r"^(?:grant|revoke) .*", re.MULTILINE)
    for name, plain in _PLAIN.items():
        distributed = as_distributed(name, plain)
        assert head.findall(plain) == head.findall(distributed), name
        assert rights.findall(plain) == rights.findall(distributed), name


def test_no_append_there_relies_on_a_lock_of_one_server() -> None:
    for name in ("append_events", "append_observations", "copy_events"):
        assert "pg_advisory_xact_lock" in _PLAIN[name]
        assert "pg_advisory_xact_lock" not in as_distributed(name, _PLAIN[name])


def test_what_runs_on_the_node_of_a_source_is_told_the_source() -> None:
    for name in DELEGATED:
        assert re.search(r"function \w+\(\s*in_source text", as_distributed(name, _PLAIN[name])), name
