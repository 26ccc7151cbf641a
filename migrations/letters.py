"""The rows of the table `letter`: by which `projections.participants.keys` makes keys, the same table for SQL.

Another table of letters needs a version that deletes these rows and executes this again.
"""

from collections.abc import Iterator

from projections.participants.keys import Run, runs

_INSERT = """
insert into letter (letter, key, divides)
select
  chr(number),
  case r.how when 'is' then r.keys when 'from' then chr(ascii(r.keys) + number - r.first) else chr(number) end,
  r.how = 'divides'
from (values {}) as r (first, last, how, keys)
cross join lateral generate_series(r.first, r.last) as number
union all
-- The syllables of Hangul, each as its two or three parts.
select
  chr(44032 + number),
  chr(4352 + number / 588) || chr(4449 + number / 28 % 21)
  || case when number % 28 > 0 then chr(4519 + number % 28) else '' end,
  false
from generate_series(0, 11171) as number
"""


def insert_letters() -> str:
    """The statement that inserts them all; ASCII."""
    return _INSERT.format(", ".join(_rows())).strip()


def _rows() -> Iterator[str]:
    for run in runs():
        yield f"({run.first}, {run.last}, '{run.how}', {_text(run)})"


def _text(run: Run) -> str:
    return "e'{}'".format("".join(f"\\U{ord(letter):08X}" for letter in run.keys))
