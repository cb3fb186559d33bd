"""What the engines remember between cycles: a small table of arrays, one row per (underlying, expiry).

No row reads another's, so one chain's state never depends on its neighbours. Every value is a float64 (NaN = none yet).
Kept by the history in the transaction of its cycle; moved to another layout by contract key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from optionscanner.model.anchors import Anchors
from optionscanner.model.contracts import Bools, Floats, Layout, moved
from optionscanner.model.exposures import PastExposure
from optionscanner.model.open_interest_map import OpenInterestMap
from optionscanner.model.trails import Trails
from optionscanner.model.usual import UsualRatios

STATE_VERSION = 8
"""Raised with every change of the names below or of their meaning; state of another version is not resumed."""

SEGMENT_STATE: Mapping[str, str] = {
    "stepped_at": "last distinct open-interest observation, seconds since 1970 UTC",
    "steps": "distinct open-interest observations today",
    "net_flow": "last step's net flow, units",
    "atm_flow": "last step's ATM-weighted flow, units",
    "delta_flow": "last step's delta-weighted flow, units",
    "ewma_net": "exponential mean of net flow, units per observation",
    "ewma_atm": "exponential mean of ATM-weighted flow, units per observation",
    "ewma_delta": "exponential mean of delta-weighted flow, units per observation",
    "flow_pct": "ewma_atm over ATM-weighted open interest at the last step, %",
    "flow_noise_pct": "usual size of a step's ATM-weighted flow, % of ATM-weighted open interest",
    "regime": "confirmed regime: 1 bullish, -1 bearish, 0 neutral",
    "regime_since": "when it was confirmed, seconds since 1970 UTC",
    "candidate": "regime seen once and waiting for its confirmation",
    "directed": "last regime other than neutral, 0 before the first",
    "flips": "changes of the directed regime today",
    "unforgiven_flips": "flips less one for each later observation that does not speak against the regime",
    "put_call_ratio": "put-call ratio of the chain as it was last known",
    "put_call_reversal": "what its newest change crossed: 1 above 1.5, -1 below 0.6, 0 neither",
    "gamma_flip": "spot at which gamma exposure changes sign, as of the newest observation, ₹",
    "gamma_above_flip": "sign of gamma exposure just above it, 1 or -1",
    "flip_crossings": "changes of its sign in range",
    "flip_alerted": "number of flips that an alert told of",
    "readiness_armed": "1 while a rise into the top band would be told",
    "readiness_alerted_at": "last readiness alert, seconds since 1970 UTC",
    "unusual_at": "step of the flow that the usual changes of the legs know, seconds since 1970 UTC",
    "otm_call_usual": "usual size of a step's change of all calls far out of the money, units",
    "otm_call_changes": "observations that are in it",
    "otm_call_times": "the last step's change over what was usual before it",
    "otm_put_usual": "usual size of a step's change of all puts far out of the money, units",
    "otm_put_changes": "observations that are in it",
    "otm_put_times": "the last step's change over what was usual before it",
    "profile_slot": "last quarter of an hour since the open whose volume over OI was noted",
    "unusual_armed": "1 while accumulation out of the money would be told",
    "unusual_alerted_at": "when it was last told, seconds since 1970 UTC",
    "volume_armed": "1 while unusual volume would be told",
    "volume_alerted_at": "when it was last told, seconds since 1970 UTC",
    "window_5_armed": "1 while a breach of 5 minutes would be told",
    "window_5_alerted_at": "when it was last told, seconds since 1970 UTC",
    "window_10_armed": "1 while a breach of 10 minutes would be told",
    "window_10_alerted_at": "when it was last told, seconds since 1970 UTC",
    "window_15_armed": "1 while a breach of 15 minutes would be told",
    "window_15_alerted_at": "when it was last told, seconds since 1970 UTC",
    "window_30_armed": "1 while a breach of 30 minutes would be told",
    "window_30_alerted_at": "when it was last told, seconds since 1970 UTC",
    "pcr_seen": "put-call ratio that the alerts saw last",
    "pcr_zone": "1 above the limit of a reversal, -1 below the other one, 0 between",
    "pcr_extreme": "1 above the upper extreme, -1 below the lower one, 0 between, confirmed twice",
    "pcr_candidate": "extreme that the last ratio spoke for",
    "gamma_side": "confirmed sign of gamma exposure over all expiries, 1 or -1",
    "gamma_candidate": "sign that the last observation spoke for, 0 near the flip",
    "gamma_alerted_at": "when a gamma flip was last told, seconds since 1970 UTC",
    "atm_iv_first": "first ATM volatility of the day, decimal",
    "straddle_open": "first straddle of the day, ₹",
    "straddle_high": "highest straddle of the day, ₹",
    "straddle_low": "lowest straddle of the day, ₹",
    "opening_high": "highest price of the underlying in the opening range, ₹",
    "opening_low": "lowest price of the underlying in the opening range, ₹",
    "straddle_first_strike": "strike at the money of the day's first observation, ₹",
    "straddle_strike": "strike at the money of the newest observation, ₹",
    "straddle_units": "units traded in both its legs by then",
    "straddle_value": "sum of straddles times units traded in them since the first observation, ₹",
    "straddle_volume": "those units",
    "straddle_rolls": "changes of the strike at the money today",
    "straddle_rolled_at": "when the newest of them was observed, seconds since 1970 UTC",
    "straddle_rolled_from": "strike at the money before it, ₹",
    "iv_30_first": "first 30-day volatility of the day, decimal; in the row of a name's nearest expiry",
    "settle_sum": "on expiry day, sum of spots of the settlement window times the seconds that each stood",
    "settle_seconds": "those seconds",
    "settle_at": "newest observation that had a spot, seconds since 1970 UTC",
    "settle_spot": "its spot, ₹",
}
"""name -> meaning, shape (S,)."""

LEG_STATE: Mapping[str, str] = {
    "base_open_interest": "open interest at the last step, units",
    "base_price": "price at the last step, ₹",
    "base_iv": "implied volatility at the last step, decimal",
    "open_interest_flow": "change over the last step's window, units",
    "price_change": "change of the price over the last step's window, ₹",
    "iv_change": "change of implied volatility over the last step's window, decimal",
    "usual_change": "mean size of open_interest_flow over the last observations, units",
    "usual_changes": "observations that are in it",
    "change_times": "open_interest_flow over what was usual before it",
    "first_open_interest": "first open interest of the day, units",
    "read_open_interest": "open interest at the newest distinct observation that saw the leg, units",
    "open_open_interest": "open interest read in the first minutes of the session, units",
    "open_price": "price in the first minutes of the session, ₹",
    "open_iv": "implied volatility in the first minutes of the session, decimal",
}
"""name -> meaning, shape (R, 2)."""

FUTURE_STATE: Mapping[str, str] = {
    "open_open_interest": "open interest of the future in the first minutes of the session, units",
    "open_price": "price of the future in the first minutes of the session, ₹",
    "traded_volume": "volume of the future that its mean price counts, units",
    "traded_value": "that volume at the prices at which it was seen, ₹",
}
"""name -> meaning, shape (F,)."""


@dataclass(frozen=True, eq=False)
class State:
    """Flow state of every chain of `layout`."""

    layout: Layout
    segment: Mapping[str, Floats]
    """name of `SEGMENT_STATE` -> (S,)."""
    leg: Mapping[str, Floats]
    """name of `LEG_STATE` -> (R, 2)."""
    touched: Bools
    """(S,) chains whose row changed in the last cycle."""
    stepped: Bools
    """(S,) chains of which a leg value changed in the last cycle, as on each distinct open-interest observation."""
    anchors: Anchors
    """Open interest at the distinct observations of the last half hour."""
    future: Mapping[str, Floats]
    """name of `FUTURE_STATE` -> (F,)."""

    @classmethod
    def fresh(cls, layout: Layout) -> State:
        """Nothing known yet."""
        none = np.zeros(layout.segments, dtype=bool)
        return cls(
            layout=layout,
            segment={name: np.full(layout.segments, np.nan) for name in SEGMENT_STATE},
            leg={name: np.full((layout.rows, 2), np.nan) for name in LEG_STATE},
            touched=none,
            stepped=none,
            anchors=Anchors.fresh(layout),
            future={name: np.full(len(layout.future_expiry), np.nan) for name in FUTURE_STATE},
        )

    def reindexed(self, layout: Layout) -> State:
        """The same state on another layout: rows move by contract key, new contracts start with nothing."""
        if layout is self.layout:
            return self
        segments, rows = layout.segments_from(self.layout), layout.rows_from(self.layout)
        return State(
            layout=layout,
            segment={n: moved(v, segments, np.nan) for n, v in self.segment.items()},
            leg={n: moved(v, rows, np.nan) for n, v in self.leg.items()},
            touched=moved(self.touched, segments, False),
            stepped=moved(self.stepped, segments, False),
            anchors=self.anchors.reindexed(layout),
            future={n: moved(v, layout.futures_from(self.layout), np.nan) for n, v in self.future.items()},
        )

    def sliced(self, underlying: str) -> State:
        """State of one underlying alone."""
        return self.reindexed(self.layout.sliced(underlying))

    def updated(
        self,
        *,
        segment: Mapping[str, Floats] | None = None,
        leg: Mapping[str, Floats] | None = None,
        future: Mapping[str, Floats] | None = None,
    ) -> State:
        """A copy with some columns replaced."""
        return replace(
            self,
            segment={**self.segment, **(segment or {})},
            leg={**self.leg, **(leg or {})},
            future={**self.future, **(future or {})},
        )


@dataclass(frozen=True)
class Resume:
    """What a history holds of the same session."""

    last_stored_at: float | None
    """Instant of the last stored cycle, None for a fresh session."""
    cycles: int
    state: State | None
    """Flow state to go on with; None where it must be built afresh."""
    note: str
    """One sentence for the log: what is resumed, or why not."""
    trails: Trails | None = None
    """What is stored of each name's numbers since the open; None where nothing is."""
    usual: UsualRatios | None = None
    """Volume over OI of earlier sessions of the same mode and source at each time of the day."""
    open_interest_map: OpenInterestMap | None = None
    """What is stored of open interest in each quarter hour since the open; None where nothing is."""
    past: PastExposure | None = None
    """Gamma exposure at the close of earlier sessions of the same mode."""
