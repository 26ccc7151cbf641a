"""Of sentences that are alike but for the source that they are about, the first few, and one about all the others."""

from collections.abc import Iterable, Iterator

from ingest.listed import listed

_MOST_ALIKE = 3


def few_of_each(sentences: Iterable[str]) -> Iterator[str]:
    """Each sentence begins with whom it is about and ends with the next step, set off by a colon and a blank.

    Alike are those with the same next step; the first ones stay, so the worst have to come first.
    """
    by_step: dict[str, list[str]] = {}
    for sentence in sentences:
        by_step.setdefault(sentence.rpartition(": ")[2], []).append(sentence)
    for step, alike in by_step.items():
        yield from alike[:_MOST_ALIKE]
        if others := [sentence.partition(": ")[0] for sentence in alike[_MOST_ALIKE:]]:
            yield f"{len(others):,} more likewise: {listed(others)}: {step}"
