"""What ends a command with a line instead of a traceback: its message is for a person and says what to do next."""


class WrongUsage(Exception):
    """What was asked for, or a setting, cannot be used like this; the message says how it can. Exit code 2."""


class Failure(Exception):
    """Something is not as it should be, and the command could not do its work. Exit code 1."""
