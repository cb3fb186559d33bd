"""The time machine of DRILLDOWN: one name at an earlier moment of the session, in a thread of its own.

Main entry: `TimeMachine`. What the history stored is priced again and the windows of open interest are measured again,
by the same functions as at that moment; stored readings are taken as they are. No cycle waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from optionscanner.analytics.exposure import leg_exposures
from optionscanner.analytics.open_interest import pain
from optionscanner.analytics.open_interest_windows import open_interest_legs
from optionscanner.analytics.price import stale_chains
from optionscanner.analytics.pricing import price_market
from optionscanner.analytics.readiness import ACTIONS, action_band, time_part
from optionscanner.errors import OptionScannerError
from optionscanner.model.anchors import Anchors
from optionscanner.model.chains import Chains
from optionscanner.model.columns import READINESS
from optionscanner.model.past import Answer, Question, Stored
from optionscanner.model.readings import Reading
from optionscanner.model.reports import CycleReport
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State
from optionscanner.ports import Past


class TimeMachine:
    """Answers one question at a time; a newer question makes an older one pointless."""

    def __init__(self, past: Past, settings: Callable[[], EngineSettings]) -> None:
        self._past = past
        self._settings = settings
        self._pool = ThreadPoolExecutor(1, "lookback")
        self._asked: Future[Answer] | None = None

    def ask(self, question: Question, now: CycleReport) -> None:
        """Begin to answer; `now` is the newest report."""
        if self._asked is not None:
            self._asked.cancel()
        self._asked = self._pool.submit(looked_back, self._past, question, now, self._settings())

    def answer(self) -> Answer | None:
        """The answer to the newest question, once; None before it is there."""
        if self._asked is None or not self._asked.done():
            return None
        asked, self._asked = self._asked, None
        return asked.result()

    def close(self) -> None:
        """Let go of what is not answered yet."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def looked_back(past: Past, question: Question, now: CycleReport, settings: EngineSettings) -> Answer:
    """The report of that moment, or why there is none."""
    u = now.chains.layout.names.index(question.underlying)
    stale = settings.stale
    patience = max(stale.grey_refreshes * float(now.chains.day.refresh[u]), stale.at_least)
    try:
        stored = past.stored(now, question, patience=patience)
    except OptionScannerError as error:
        return Answer(question, None, str(error))
    return Answer(question, report_of(stored, now, settings))


def report_of(stored: Stored, now: CycleReport, settings: EngineSettings) -> CycleReport:
    """A report of the underlying alone, as it was."""
    chains = stored.chains
    pricing = price_market(chains, settings.pricing)
    state = _state(stored, now.state.sliced(chains.layout.names[0]))
    state, legs = open_interest_legs(chains, state, settings)
    _, curve = pain(chains, state, settings)
    exposures = leg_exposures(chains, pricing, settings.exposure).reading
    made = {reading.spec.name: reading for reading in (legs, curve, exposures)}
    made[READINESS.name] = _readiness(chains, stored.readings[READINESS.name], settings)
    return replace(
        now,
        as_of=stored.as_of,
        chains=chains,
        pricing=pricing,
        readings={**stored.readings, **made},
        alerts=stored.alerts,
        recent_alerts=stored.alerts,
        state=state,
        failures=(),
        trails=stored.trails,
    )


def _readiness(chains: Chains, stored: Reading, settings: EngineSettings) -> Reading:
    """The stored reading with what became of it since by the clock alone: it is stored only when its chain is seen."""
    if stale_chains(chains, settings)[chains.updated].any():
        blank = {
            c.name: np.full(len(stored), "", dtype=object) if c.kind == "text" else np.full(len(stored), np.nan)
            for c in READINESS.columns
        }
        return Reading(READINESS, blank)
    time = np.where(np.isfinite(stored["time"]), time_part(chains, settings.readiness)[chains.layout.underlying_front],
                    np.nan)  # fmt: skip
    whole, then = (np.asarray(stored[name], dtype=np.float64) for name in ("readiness", "time"))
    total = np.where(stored["direction"] == "", whole, whole - then + time)
    band = np.where(np.isfinite(total), action_band(total, settings.readiness), 0)
    action = np.array(ACTIONS, dtype=object)[band]
    return Reading(READINESS, {**stored.columns, "time": time, "readiness": total, "action": action})


def _state(stored: Stored, now: State) -> State:
    """What the windows look back on, rebuilt; what does not change after the open is that of now."""
    layout = stored.chains.layout
    anchors, read = Anchors.fresh(layout), np.full((layout.rows, 2), np.nan)
    unpriced = read.copy()  # prices of then are for build-up, which is stored
    for stamp, interest in stored.interest:
        seen = np.isfinite(interest)
        if not (seen & (interest != read)).any():
            continue
        segments = np.unique(layout.row_segment[seen.any(axis=1)])
        chosen = np.isin(np.arange(layout.segments), segments)
        read = np.where(seen, interest, read)
        anchors = anchors.added(chosen, np.where(chosen, stamp, np.nan), interest, unpriced)
    state = replace(now, anchors=anchors)
    first = np.where(stored.volatility_seen, now.leg["open_iv"], np.nan)
    opened = np.where(np.isfinite(read), now.leg["open_open_interest"], np.nan)
    return state.updated(leg={"read_open_interest": read, "open_iv": first, "open_open_interest": opened})
