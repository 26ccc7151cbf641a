"""How many bytes of answers a server holds at once, and how many of them one answer may have."""

from starlette.exceptions import HTTPException

from projections.roster.reading import Fits

SMALL = 262_144  # bytes; the first of every answer, which are not counted


class HeldBytes:
    """The bytes of large answers that are being read or sent in this process, at most `most` of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = most

    def take(self, size: int) -> bool:
        """Whether so many more may be held. An answer that is larger than all of them is let in when it is alone."""
        if size > self._left < self._most:
            return False
        self._left -= size
        return True

    def give_back(self, size: int) -> None:
        self._left += size


class Allowance:
    """The bytes of one answer, until it is sent: at most `most`, but for its first row, which may have any size."""

    def __init__(self, most: int, held: HeldBytes) -> None:
        self._most = most
        self._held = held
        self._size = 0
        self._taken = 0

    def begin(self) -> Fits:
        """Whether another row of so many bytes still fits, asked once for each row; rows of before are forgotten.

        It raises 503 if not even the first row may be held now.
        """
        self.release()
        return self._fits

    def release(self) -> None:
        """Give everything back: the answer is sent, or was not made."""
        self._held.give_back(self._taken)
        self._size = self._taken = 0

    def _fits(self, size: int) -> bool:
        total = self._size + size
        if self._size and total > self._most:
            return False
        if total > SMALL:
            more = total - self._taken
            if not self._held.take(more):
                if not self._size:
                    raise HTTPException(503, "Too many large answers are under way; ask again.", {"Retry-After": "1"})
                return False
            self._taken = total
        self._size = total
        return True
