"""Exceptions that end a command with one line instead of a traceback; the message says what to do next."""


class WrongUsage(Exception):
    """An argument or a setting cannot be used like this; the message says how it can. Exit code 2."""


class Failure(Exception):
    """The command could not do its work. Exit code 1."""
