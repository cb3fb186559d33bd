"""The `unusual_activity_total` reading: the signals of each name together, and the first of them in words."""

from __future__ import annotations

import numpy as np

from optionscanner.analytics.price import stale_chains
from optionscanner.analytics.suppression import suppressed
from optionscanner.analytics.unusual_texts import leg_words
from optionscanner.model.chains import Chains
from optionscanner.model.columns_unusual import UNUSUAL_ACTIVITY_TOTAL
from optionscanner.model.readings import Reading
from optionscanner.model.reasons import Reason
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State

_SHORT = {"BUY": " B", "WRITE": " W", "?": "", "": ""}


def unusual_activity_total(
    chains: Chains, state: State, signals: Reading, settings: EngineSettings
) -> tuple[State, Reading]:
    """The state as it came, and the reading; one row per underlying, from the reading `unusual_activity`."""
    names = chains.layout.names
    place = {name: i for i, name in enumerate(names)}
    owner = np.array([place[str(name)] for name in signals["underlying"]], dtype=np.int64)
    given = status(chains, settings)
    open_ = given == ""

    def counted(marks: np.ndarray) -> np.ndarray:
        counts = np.bincount(owner[marks], minlength=len(names)).astype(np.float64)
        return np.where(open_, counts, np.nan)

    high, medium = signals["urgency"] == "HIGH", signals["urgency"] == "MEDIUM"
    bullish = counted((high | medium) & (signals["direction"] == "BULLISH")) > 0
    bearish = counted((high | medium) & (signals["direction"] == "BEARISH")) > 0
    word, reason = np.full(len(names), "", dtype=object), given.copy()
    ranked, first = np.unique(owner, return_index=True)  # signals are ranked, so the first is the best
    best = signals.rows(first)
    reason[ranked] = best["reason"]
    shown = zip(*(best[c].tolist() for c in ("urgency", "strike", "option_type", "side")), strict=True)
    word[ranked] = [f"{u} {leg_words(k, kind)}{_SHORT[side]}" if u else "" for u, k, kind, side in shown]
    ways = [bullish & bearish, bullish, bearish]
    return state, Reading(
        UNUSUAL_ACTIVITY_TOTAL,
        {
            "high": counted(high),
            "medium": counted(medium),
            "signals": counted(np.ones(len(owner), dtype=bool)),
            "direction": np.select(ways, ["MIXED", "BULLISH", "BEARISH"], "").astype(object),
            "word": word,
            "reason": reason,
        },
    )


def status(chains: Chains, settings: EngineSettings) -> np.ndarray:
    """(U,) why a name gives no signal: ban, ex-date, stale, too few legs, not seen; "" where it may."""
    layout = chains.layout
    front = layout.underlying_front
    words = np.full(len(front), Reason.NOT_YET_OBSERVED.words, dtype=object)
    listed = np.flatnonzero(front >= 0)
    mine = front[listed]
    few = ~(chains.coverage[mine] >= settings.open_interest.min_coverage)
    found = np.where(few, Reason.LOW_COVERAGE.words, "").astype(object)
    found[stale_chains(chains, settings)[mine]] = Reason.STALE.words
    found[np.isnan(chains.stamped_at[mine])] = Reason.NOT_YET_OBSERVED.words
    words[listed] = found
    quiet = suppressed(chains.day)
    return np.where(quiet != "", quiet, words)
