"""The engines of a cycle, in the order in which they run.

1. price          forward, volatility at the money, straddle            price.py (on pricing.py)
   volatility     skew at 25 delta, slope to the next expiry           volatility.py
   volatility_rank  30-day volatility and its place in the year         volatility_rank.py (on maturity.py)
   straddle       its volume-weighted mean and its rolls               straddle.py
   settlement     on expiry day: where it may settle, the roll         settlement.py
2. open_interest  sums, put-call ratios, maximum pain, walls            open_interest.py
   pain           payout at every strike: the curve of maximum pain     open_interest.py
3. exposure_legs  dealer exposure of each leg                           exposure.py
   exposure         by expiry, gamma walls and flip                     exposure.py (on exposure_flip.py)
   exposure_total   the same over the expiries of a name                exposure_total.py
   exposure_rank    beside earlier closes and turnover                  exposure_rank.py
   exposure_market  and over all names                                  exposure_total.py
4. flow           exponential means of open-interest flow, regime       flow.py
5. open_interest_legs    open interest of each leg against earlier      open_interest_windows.py
   open_interest_change  the same of each chain, and its trend          open_interest_change.py
   futures        price and open interest of each future                build_up.py
   build_up       and of each name, its futures together                build_up.py
6. activity       volume/OI scan, aligned with the regime               activity.py
   volume_oi_profile       what is usual at each time of the day        volume_oi_profile.py
   unusual_activity        documented rules, by each leg's own usual    unusual_activity.py
   unusual_activity_total  the same of each name                        unusual_activity_total.py
7. readiness      trade readiness from flow and activity                readiness.py
8. alerts         what crossed a limit                                  alerts.py

Adding an analytic: a module with a function of these shapes, its columns in `model/columns.py`, a line below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from optionscanner.analytics.activity import activity
from optionscanner.analytics.alerts import alerts
from optionscanner.analytics.build_up import build_up, futures
from optionscanner.analytics.exposure import exposure, exposure_legs
from optionscanner.analytics.exposure_rank import exposure_rank
from optionscanner.analytics.exposure_total import exposure_market, exposure_total
from optionscanner.analytics.flow import flow
from optionscanner.analytics.open_interest import open_interest, pain
from optionscanner.analytics.open_interest_change import open_interest_change
from optionscanner.analytics.open_interest_windows import open_interest_legs
from optionscanner.analytics.price import price
from optionscanner.analytics.readiness import readiness
from optionscanner.analytics.settlement import settlement
from optionscanner.analytics.straddle import straddle
from optionscanner.analytics.unusual_activity import unusual_activity
from optionscanner.analytics.unusual_activity_total import unusual_activity_total
from optionscanner.analytics.volatility import volatility
from optionscanner.analytics.volatility_rank import volatility_rank
from optionscanner.analytics.volume_oi_profile import volume_oi_profile
from optionscanner.model.chains import Chains
from optionscanner.model.exposures import PastExposure
from optionscanner.model.pricing import Pricing
from optionscanner.model.readings import Reading
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State
from optionscanner.model.usual import UsualRatios


@dataclass(frozen=True, slots=True)
class Inputs:
    """What an engine may read: this cycle's market, and what earlier engines of the cycle made."""

    chains: Chains
    pricing: Pricing
    state: State
    made: Mapping[str, Reading]
    settings: EngineSettings
    usual: UsualRatios | None = None
    """Volume over OI of earlier sessions; None where the history has none."""
    past: PastExposure | None = None
    """Gamma exposure of earlier sessions; None where none is known."""
    tracked: tuple[str, ...] = ()
    """Names whose changes of open interest over minutes are told."""

    def sliced(self, underlying: str) -> Inputs:
        """The same for one underlying alone."""
        u = self.chains.layout.names.index(underlying)
        segments = np.flatnonzero(self.chains.layout.segment_underlying == u)
        layout = self.chains.layout
        index = {
            "segment": segments,
            "underlying": np.array([u]),
            "future": np.flatnonzero(layout.future_underlying == u),
            "strike": np.flatnonzero(layout.segment_underlying[layout.row_segment] == u),
        }
        made = {
            name: reading.rows(
                index[reading.spec.row]
                if reading.spec.row in index
                else np.flatnonzero(reading["underlying"] == underlying)
            )
            for name, reading in self.made.items()
        }
        return Inputs(
            chains=self.chains.sliced(underlying),
            pricing=self.pricing.sliced(self.chains.layout, underlying),
            state=self.state.sliced(underlying),
            made=made,
            settings=self.settings,
            usual=self.usual,
            past=self.past,
            tracked=self.tracked,
        )


@dataclass(frozen=True, slots=True)
class Engine:
    """One step: what it is called, which readings it needs, and the function that makes its own."""

    name: str
    needs: tuple[str, ...]
    run: Callable[[Inputs], tuple[State, Reading]]


def _price(x: Inputs) -> tuple[State, Reading]:
    return price(x.chains, x.pricing, x.state, x.settings)


def _volatility(x: Inputs) -> tuple[State, Reading]:
    return volatility(x.chains, x.pricing, x.state, x.settings)


def _volatility_rank(x: Inputs) -> tuple[State, Reading]:
    return volatility_rank(x.chains, x.pricing, x.state, x.settings)


def _straddle(x: Inputs) -> tuple[State, Reading]:
    return straddle(x.chains, x.pricing, x.state, x.settings)


def _settlement(x: Inputs) -> tuple[State, Reading]:
    return settlement(x.chains, x.state, x.made["price"], x.settings)


def _open_interest(x: Inputs) -> tuple[State, Reading]:
    return open_interest(x.chains, x.pricing, x.state, x.settings)


def _exposure_legs(x: Inputs) -> tuple[State, Reading]:
    return exposure_legs(x.chains, x.pricing, x.state, x.settings)


def _pain(x: Inputs) -> tuple[State, Reading]:
    return pain(x.chains, x.state, x.settings)


def _exposure(x: Inputs) -> tuple[State, Reading]:
    return exposure(x.chains, x.pricing, x.state, x.made["exposure_legs"], x.settings)


def _exposure_total(x: Inputs) -> tuple[State, Reading]:
    return exposure_total(x.chains, x.pricing, x.state, x.made, x.settings)


def _exposure_rank(x: Inputs) -> tuple[State, Reading]:
    return exposure_rank(x.chains, x.state, x.made["exposure_total"], x.settings, past=x.past)


def _exposure_market(x: Inputs) -> tuple[State, Reading]:
    return exposure_market(x.chains, x.state, x.made["exposure_total"], x.settings)


def _flow(x: Inputs) -> tuple[State, Reading]:
    return flow(x.chains, x.pricing, x.state, x.settings)


def _open_interest_legs(x: Inputs) -> tuple[State, Reading]:
    return open_interest_legs(x.chains, x.state, x.settings)


def _open_interest_change(x: Inputs) -> tuple[State, Reading]:
    return open_interest_change(x.chains, x.state, x.made["open_interest_legs"], x.settings)


def _futures(x: Inputs) -> tuple[State, Reading]:
    return futures(x.chains, x.state, x.settings)


def _build_up(x: Inputs) -> tuple[State, Reading]:
    return build_up(x.chains, x.state, x.made["futures"], x.settings)


def _activity(x: Inputs) -> tuple[State, Reading]:
    return activity(x.chains, x.pricing, x.state, x.settings)


def _volume_oi_profile(x: Inputs) -> tuple[State, Reading]:
    return volume_oi_profile(x.chains, x.state, x.settings)


def _unusual_activity(x: Inputs) -> tuple[State, Reading]:
    return unusual_activity(x.chains, x.pricing, x.state, x.made, x.settings, usual=x.usual)


def _unusual_activity_total(x: Inputs) -> tuple[State, Reading]:
    return unusual_activity_total(x.chains, x.state, x.made["unusual_activity"], x.settings)


def _readiness(x: Inputs) -> tuple[State, Reading]:
    return readiness(x.chains, x.state, x.made["activity"], x.settings)


def _alerts(x: Inputs) -> tuple[State, Reading]:
    return alerts(x.chains, x.state, x.made, x.settings, x.tracked)


ENGINES: tuple[Engine, ...] = (
    Engine("price", (), _price),
    Engine("volatility", (), _volatility),
    Engine("volatility_rank", (), _volatility_rank),
    Engine("straddle", (), _straddle),
    Engine("settlement", ("price",), _settlement),
    Engine("open_interest", (), _open_interest),
    Engine("pain", (), _pain),
    Engine("exposure_legs", (), _exposure_legs),
    Engine("exposure", ("exposure_legs",), _exposure),
    Engine("exposure_total", ("exposure_legs", "exposure"), _exposure_total),
    Engine("exposure_rank", ("exposure_total",), _exposure_rank),
    Engine("exposure_market", ("exposure_total",), _exposure_market),
    Engine("flow", (), _flow),
    Engine("open_interest_legs", (), _open_interest_legs),
    Engine("open_interest_change", ("open_interest_legs",), _open_interest_change),
    Engine("futures", (), _futures),
    Engine("build_up", ("futures",), _build_up),
    Engine("activity", ("flow",), _activity),
    Engine("volume_oi_profile", (), _volume_oi_profile),
    Engine("unusual_activity", ("flow",), _unusual_activity),
    Engine("unusual_activity_total", ("unusual_activity",), _unusual_activity_total),
    Engine("readiness", ("flow", "activity"), _readiness),
    Engine("alerts", (), _alerts),
)
"""In order of running; a needed reading stands before the one that needs it."""
