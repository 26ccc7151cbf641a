"""What becomes of the participants that are written down, as receipts come in, and which drift is left. Pure."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ingest.log.observation import Drift
from ingest.log.observe import Fate, ObservationReceipt
from projections.truth.drift import DriftKind, DriftTally
from projections.truth.laying import Laid, Laying


@dataclass(slots=True)
class Aftermath:
    """`advance`: gets the number of the next participants. `columns`: by column, how many are stale no longer."""

    laying: Laying
    tally: DriftTally
    advance: Callable[[int], None]
    settled: Counter[DriftKind] = field(default_factory=Counter)
    hindered: Counter[DriftKind] = field(default_factory=Counter)
    columns: Counter[str] = field(default_factory=Counter)

    def take(self, receipts: Sequence[ObservationReceipt]) -> None:
        """Note what became of the next participants."""
        for receipt in receipts:
            self._note(self.laying.waiting.popleft(), receipt.fate)
        self.advance(len(receipts))

    def _note(self, laid: Laid, fate: Fate) -> None:
        if fate in (Fate.APPENDED, Fate.KNOWN):
            self.settled[laid.kind] += not laid.unlaid
        else:
            self.hindered[laid.kind] += 1
        if laid.kind is DriftKind.STALE:
            self.columns.update(laid.columns)
            if fate in (Fate.OVERTAKEN, Fate.WITHHELD):
                self.columns.update(laid.unlaid)

    def left(self) -> Drift:
        """The drift that is left."""
        left = self.tally.kinds - self.settled - self.hindered
        return Drift(
            left[DriftKind.MISSING],
            left[DriftKind.STALE],
            left[DriftKind.UNLISTED],
            left[DriftKind.UNKNOWABLE] + self.hindered.total(),
            self.tally.columns - self.columns,
        )
