"""A chain now against 3, 5, 10, 15 and 30 minutes ago: open interest and price of every leg, as a table.

Main entries: `legs_against`, from memory while a session runs; `HistoryReader.against` answers the same from the file.
Both ends are distinct observations of the chain's open interest, as the windows of OI_TRACKER have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from optionscanner.model.anchors import WINDOWS, Anchors
from optionscanner.model.contracts import Floats
from optionscanner.model.settings import WindowSettings

NOW = 0
"""Key of the newest distinct observation, beside the minutes of `WINDOWS`."""

Ends = Mapping[int, tuple[Floats, Floats]]
"""minutes ago -> open interest [units] and price [₹], each (n, 2)."""


def legs_against(
    anchors: Anchors, underlying: str, expiry: date, windows: WindowSettings | None = None
) -> pd.DataFrame:
    """The table of `frame_of` for a chain of a running session: ``legs_against(report.state.anchors, ...)``.

    Raises ChainError where the layout has no such chain.
    """
    windows, layout = windows or WindowSettings(), anchors.layout
    segment = layout.segment_of(underlying, expiry)
    rows = slice(int(layout.starts[segment]), int(layout.ends[segment]))
    wanted = np.zeros((layout.rows, 2), dtype=bool)
    wanted[rows] = True
    end, patience = anchors.newest, windows.patience
    ends = {
        minutes: tuple(
            anchors.standing(
                end - 60.0 * minutes, wanted, patience=patience, early=windows.early if minutes else 0.0, prices=prices
            )[rows]
            for prices in (False, True)
        )
        for minutes in (NOW, *WINDOWS)
    }
    return frame_of(layout.strike[rows], float(end[segment]), ends)  # type: ignore[arg-type]


def frame_of(strike: Floats, at: float, ends: Ends) -> pd.DataFrame:
    """One row for each leg by strike, call before put.

    Columns: strike [₹], option_type, at (the newest distinct observation, seconds since 1970 UTC), open_interest
    [units], last [₹], and ``open_interest_<minutes>``, ``last_<minutes>`` for each of `WINDOWS`; NaN where nothing that
    was observed stands for that instant.
    """
    columns: dict[str, object] = {
        "strike": np.repeat(strike, 2),
        "option_type": np.array(["CE", "PE"] * len(strike), dtype=object),
        "at": np.full(2 * len(strike), at),
    }
    for minutes, (interest, price) in ends.items():
        ago = f"_{minutes}" if minutes else ""
        columns[f"open_interest{ago}"], columns[f"last{ago}"] = interest.ravel(), price.ravel()
    return pd.DataFrame(columns)
