"""How far a server is that the roster can be read from. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerPlace:
    """How far a server is: the position of its write-ahead log, in bytes, that reading it shows; None if it does not
    say so. `system`: whose positions these are. `since_replayed`: how old a replica's newest transaction is, in seconds
    and by its own clock; None of a primary.
    """

    is_replica: bool = False
    system: int | None = None
    position: int | None = None
    since_replayed: float | None = None
