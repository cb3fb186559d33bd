"""How steps and trades become books: whole lots of open interest and the volume behind them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from optionscanner.model.contracts import Floats

Lots = npt.NDArray[np.int32]

_KEPT = 0.1
"""Share of the opening interest of a leg that nobody closes within the day."""


def booked(steps: Floats, trades: Floats) -> tuple[Lots, Floats]:
    """(K, n, 2) open interest and cumulative volume [lots]: whole lots, no change without trade.

    `steps` holds the opening interest and then its changes, `trades` what is traded besides, both (K, n, 2) [lots].
    """
    interest = np.rint(np.maximum(np.cumsum(steps, axis=0), _KEPT * steps[0]))
    traded = trades.copy()
    traded[1:] += np.abs(np.diff(interest, axis=0))
    return interest.astype(np.int32), np.cumsum(traded, axis=0)
