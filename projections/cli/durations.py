"""Lengths of time as commands take them: a number with its unit."""

import re
from datetime import timedelta

import click

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=366)
_LENGTH = re.compile(r"(\d{1,6})\s*([smhd])", re.ASCII)


class Duration(click.ParamType[timedelta]):
    """A length of time such as 90s, 15m, 6h, 2d."""

    name = "duration"

    def convert(self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        length = _LENGTH.fullmatch(value.strip())
        if length is None:
            self.fail("a length of time has its unit, such as 90s, 15m, 6h or 2d", param, ctx)
        lasts = timedelta(**{_UNITS[length[2]]: int(length[1])})
        if lasts > _LONGEST:
            self.fail(f"{length[0]} is longer than {_LONGEST.days}d", param, ctx)
        return lasts
