"""The titles of columns that are called by questions: of no two columns alike. Pure."""

from collections.abc import Iterable, Sequence
from itertools import count


def titles_of(questions: Sequence[tuple[str, str | None]], taken: Iterable[str]) -> list[str]:
    """A title for each pair of a question's words and id: its words; its id where words are double or taken.

    Upper and lower case are alike: some programs do not tell such columns apart.
    """
    used = {title.casefold() for title in taken}
    words = [words.casefold() for words, _ in questions]
    titles = []
    for text, id_ in questions:
        is_double = text.casefold() in used or words.count(text.casefold()) > 1
        title = id_ if is_double and id_ is not None else text
        numbers = count(2)
        while title.casefold() in used:
            title = f"{text} ({next(numbers)})"
        used.add(title.casefold())
        titles.append(title)
    return titles
