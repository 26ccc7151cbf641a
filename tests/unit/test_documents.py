"""What the documents say of the code: words, promises, files."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests import ROOT
from tests.unit.test_house import SOURCES, public_names

GLOSSARY = [
    (word.strip(), [other.strip() for other in others.split(",") if other.strip()])
    for word, others in re.findall(
        r"^\| ([a-z][a-z ]+) \|.*\| ([a-z_, ]*) ?\|$", (ROOT / "docs/glossary.md").read_text(), re.M
    )
]
TEXT = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES).lower().replace("_", " ")
NAMES = {name.lower() for path in SOURCES for name in public_names(path)} | {
    str(path.relative_to(ROOT).with_suffix("")).lower() for path in SOURCES
}


def test_the_glossary_was_read() -> None:
    assert len(GLOSSARY) > 40


@pytest.mark.parametrize(("word", "others"), GLOSSARY, ids=[word for word, _ in GLOSSARY])
def test_a_word_is_used_and_nothing_else_is_called_by_a_second_word(word: str, others: list[str]) -> None:
    assert re.search(rf"\b{word}(s|es)?\b", TEXT), "whole words, in code or in what is said of it"
    for other in others:
        assert not [name for name in NAMES if re.search(rf"(^|[_/]){other}s?($|[_/])", name)], other


def test_each_promise_has_the_test_that_the_architecture_names() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    promises = re.findall(r"^\| (\d+) [A-Z].*\| (.*) \|$", text, re.M)
    assert [int(number) for number, _ in promises] == list(range(1, 17))
    tests = set(names_of_tests())
    for number, named in promises[:14]:
        tests_named = re.findall(r"`(test_\w+)`", named)
        assert tests_named, f"no test of promise {number}"
        assert set(tests_named) <= tests
        assert all(
            re.match(rf"test_promises?_(\d+_and_)?{number}_", name) or f"_{number}_" in name for name in tests_named
        )


def test_each_test_that_reliability_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")))
    assert len(named) > 50
    assert named <= set(names_of_tests())


def names_of_tests() -> Iterator[str]:
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node.name


def test_a_delivery_signed_by_hand_is_signed_with_the_newest_secret_alone() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))]
    keys = [key for text in texts for key in re.findall(r" -hmac (\S+)", text)]
    assert len(keys) > 1
    assert set(keys) == {'"${MOVEMINT_WEBHOOK_SECRET%%,*}"'}


@pytest.mark.parametrize("name", ["contributing", "architecture"])
def test_the_files_that_a_document_names_are_there(name: str) -> None:
    text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    for path in re.findall(r"`((?:ingest|projections|migrations|docs)/[\w./]*)`", text):
        assert (ROOT / path).exists(), path
