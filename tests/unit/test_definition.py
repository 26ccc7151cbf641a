"""The digest of a definition: what changes it and what does not, and that its list of modules is whole."""

import ast
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from projections.folding.definition import code_of, digest_of
from projections.participants import convert
from projections.participants import projection as participants
from projections.participants.fields import DECLARED
from projections.participants.keys import letters_text
from projections.registrations import projection as registrations
from tests import ROOT

# What a fold is handed and what it hands over, but for which the rows are the same whatever it says.
NO_PART = {
    "ingest.failures": "what commands tell people",
    "ingest.time_zone": "what it reads of a zone is in the definition itself",
    "projections.participants.declared_races": "what it reads of races is in the definition itself",
    "ingest.log.event": "plain data; readers say whether an event is our own",
    "ingest.log.read": "gives events as the log has them",
    "projections.folding.copy": "how rows are sent, not which",
    "projections.folding.projection": "plain data",
}

CODE = """
LIMIT = 3


def read(value: object) -> str:
    if not value:
        return f"none {value!r:>{LIMIT}} of {{many}}"
    return "some" "thing"
"""


def words(source: str) -> list[str]:
    return list(code_of(source))


@pytest.mark.parametrize(
    "same",
    [
        f'"""A docstring."""\n{CODE}',
        f"import math\nfrom os import (\n    path,\n    sep,\n)\n{CODE}",
        CODE.replace("    if not", '    """What it does."""\n    # why\n    if not'),
        CODE.replace("LIMIT = 3\n", "LIMIT   =  3\n\n\n"),
        CODE.replace('"some" "thing"', '"some"  "thing"  # a remark'),
    ],
)
def test_a_comment_a_docstring_an_import_or_layout_asks_nobody_to_rebuild(same: str) -> None:
    assert words(same) == words(CODE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ("not value", "value"),
        ("{{many}}", "{{few}}"),
        ("none {value", "none  {value"),
        ("value!r", "value!s"),
        ('    return "some" "thing"', '        return "some" "thing"'),
        ("LIMIT = 3", 'LIMIT = {"one": 1}'),
        ("LIMIT = 3", 'LIMIT = {"two": 1}'),
    ],
)
def test_everything_else_is_another_definition(old: str, new: str) -> None:
    assert old in CODE
    assert words(CODE.replace(old, new)) != words(CODE)


def test_a_set_of_texts_is_no_docstring() -> None:
    assert words('WORDS = {\n    "a",\n}\n') != words('WORDS = {\n    "b",\n}\n')


def test_a_long_text_over_several_lines_counts_to_its_last_letter() -> None:
    assert words('X = f"""a {1}\n b {2}\n c"""\n') != words('X = f"""a {1}\n b {2}\n d"""\n')


def test_the_digest_is_of_every_module_and_of_the_data() -> None:
    assert digest_of((convert,), 1) != digest_of((convert,), 2)
    assert digest_of((convert,), 1) != digest_of((), 1)
    assert len(digest_of((convert,), 1)) == 12


@pytest.mark.parametrize(
    ("room", "data"),
    [(participants, (DECLARED, letters_text())), (registrations, DECLARED)],
    ids=["participants", "registrations"],
)
def test_the_definition_is_the_digest_of_the_list_of_modules(room: ModuleType, data: object) -> None:
    assert room.projection(DECLARED).definition == digest_of(room.FOLDING, data)


def test_another_table_of_letters_asks_for_a_rebuild(monkeypatch: pytest.MonkeyPatch) -> None:
    before = participants.projection(DECLARED).definition
    monkeypatch.setattr("projections.participants.keys.letters_text", lambda: letters_text() + "1F600 is 61\n")
    assert participants.projection(DECLARED).definition != before


@pytest.mark.parametrize("room", [participants, registrations], ids=["participants", "registrations"])
def test_the_list_of_modules_that_fold_is_complete(room: ModuleType) -> None:
    """Whatever of ours the fold and the rows import, directly or not, is in the list or has a reason not to be."""
    listed = {module.__name__ for module in room.FOLDING}
    package = room.__name__.rpartition(".")[0]
    reached: set[str] = set()
    following = {f"{package}.fold", f"{package}.rows"}
    while following:
        name = following.pop()
        reached.add(name)
        if name not in NO_PART and not name.endswith(".table"):
            following |= imports_of(name) - reached
    # A table's columns are the database's: another one needs a migration, which says itself whether to rebuild.
    tables = {name for name in reached if name.endswith(".table")}
    assert reached - tables - NO_PART.keys() == listed


def imports_of(name: str) -> set[str]:
    """The modules of ours that a module imports."""
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    ours = set()
    for node in ast.walk(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(("ingest", "projections")):
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {alias for alias in inner if is_module(alias)}
            ours |= modules or {str(node.module)}
    return ours


def is_module(name: str) -> bool:
    return (ROOT / (name.replace(".", "/") + ".py")).exists()


@pytest.mark.parametrize(
    ("source", "same"),
    [
        ('X = f"a {b:>{c}} {{d}}"  # e\n', ["X", "=", 'f"a {b:>{c}} {{d}}"', "<end>"]),
        ('A = 1\n\x0c\nZ = f"a{1}b"\n', ["A", "=", "1", "<end>", "Z", "=", 'f"a{1}b"', "<end>"]),
        ('Y = f"{1}\u2028"\n', ["Y", "=", 'f"{1}\u2028"', "<end>"]),
    ],
)
def test_every_python_reads_the_same_words(source: str, same: list[str]) -> None:
    """F-strings are one token on Python 3.11, many later; some readers take a form feed or U+2028 for a line's end."""
    assert words(source) == same


def test_a_statement_after_a_semicolon_counts() -> None:
    assert words("import os; LIMIT = 5\n") == ["LIMIT", "=", "5", "<end>"]
