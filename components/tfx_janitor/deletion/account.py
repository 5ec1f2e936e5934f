"""What was done to a store in one run of the janitor: for whoever must tell it when the run is cut off."""

from __future__ import annotations

from dataclasses import dataclass, field

from tfx_janitor.deletion.act import Outcome


@dataclass
class Account:
    """Kept by `acts`, in memory: the store itself may be what was lost.

    Attributes:
      under_way: MLMD id of the act that was begun and has not been recorded as ended; None if there is none.
      outcomes: what became of the items of all acts whose work was done.
    """

    under_way: int | None = None
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether nothing was begun."""
        return self.under_way is None and not self.outcomes
