"""Alerts of open interest: unusual activity, turns and extremes of the put-call ratio, breaches over minutes.

A name in ban or on an ex-date tells none of them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from optionscanner.analytics.alerts_edges import Told, edge, front_chains, zones
from optionscanner.analytics.price import usable_chains
from optionscanner.analytics.suppression import suppressed
from optionscanner.analytics.unusual_texts import leg_words
from optionscanner.model.anchors import WINDOWS
from optionscanner.model.chains import Chains
from optionscanner.model.contracts import OPTION_TYPES, Bools, Ints
from optionscanner.model.readings import Reading
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State

WATCHED_WINDOWS = (5, 10, 15, 30)
"""Minutes whose breaches are told; 3 alternates between one publication of the exchange and none."""
TURN_UP, TURN_DOWN = 1.5, 0.6
EXTREME_HIGH, EXTREME_LOW = 1.6, 0.5


def _speaking(chains: Chains, settings: EngineSettings) -> Bools:
    """(S,) chains that were observed anew, are usable, and are of names whose open interest says something."""
    quiet = (suppressed(chains.day) != "")[chains.layout.segment_underlying]
    return np.asarray(chains.updated & usable_chains(chains, settings) & ~quiet)


def unusual_signals(
    chains: Chains, state: State, signals: Reading, settings: EngineSettings, told: list[Told]
) -> State:
    """OTM_ACCUMULATION: all legs far out of the money of one side added over three times what they usually do, and so
    did one of them, by `otm_rise_pct` of what it held at least and in a known direction. UNUSUAL_VOLUME, where that is
    wanted: a signal of volume in a known direction.
    """
    layout, rules = chains.layout, settings.unusual
    known = _speaking(chains, settings)
    place = {(key.underlying, key.expiry.isoformat()): s for s, key in enumerate(layout.segment_keys)}
    flow = signals["open_interest_flow"].astype(np.float64)
    rises = flow >= settings.alerts.otm_rise_pct / 100.0 * (signals["open_interest"].astype(np.float64) - flow)
    worth = (signals["urgency"] == "MEDIUM") | ((signals["urgency"] == "HIGH") & rises)
    directed = np.flatnonzero(worth & (signals["direction"] != ""))
    first: dict[str, dict[int, int]] = {"HIGH": {}, "MEDIUM": {}}
    for i in directed.tolist():  # ranked, so the first of a chain is its best
        segment = place[str(signals["underlying"][i]), str(signals["expiry"][i])]
        side = OPTION_TYPES.index(str(signals["option_type"][i]))
        high = signals["urgency"][i] == "HIGH"
        times = state.segment[("otm_call_times", "otm_put_times")[side]][segment]
        if not high or times > rules.otm_times:
            first[str(signals["urgency"][i])].setdefault(segment, i)
    wanted = [("HIGH", "unusual", "OTM_ACCUMULATION")]
    if settings.alerts.unusual_volume:
        wanted.append(("MEDIUM", "volume", "UNUSUAL_VOLUME"))
    for urgency, name, alert in wanted:
        on = np.zeros(layout.segments, dtype=bool)
        on[list(first[urgency])] = True
        fires, state = edge(
            state, name, known=known, on=on, off=~on, as_of=chains.as_of, cool_down=settings.alerts.cool_down
        )
        for segment in np.flatnonzero(fires).tolist():
            i = first[urgency][segment]
            reason = str(signals["reason"][i])
            if urgency == "HIGH":
                side = OPTION_TYPES.index(str(signals["option_type"][i]))
                times = state.segment[("otm_call_times", "otm_put_times")[side]][segment]
                reason += f"; all {('calls', 'puts')[side]} there {times:.1f} x"
            told.append(Told(segment, alert, str(signals["direction"][i]), reason))
    return state


def ratio_turns(chains: Chains, state: State, reading: Reading, settings: EngineSettings, told: list[Told]) -> State:
    """PCR_REVERSAL where the ratio of a name's nearest chain rises above 1.5 or falls below 0.6; PCR_EXTREME where two
    readings in a row are above 1.6 or below 0.5. Either is told again after it was back inside by a margin.
    """
    layout, old, rules = chains.layout, state.segment, settings.alerts
    ratio = reading["put_call_ratio"].astype(np.float64)
    known = _speaking(chains, settings) & front_chains(layout) & np.isfinite(ratio)
    if not rules.stock_ratios:
        known &= layout.is_index[layout.segment_underlying]
    new = known & (ratio != old["pcr_seen"])  # a repetition is no observation
    zone = zones(ratio, old["pcr_zone"], lower=TURN_DOWN, upper=TURN_UP, margin=rules.ratio_margin)
    zone = np.where(np.isnan(zone), 0.0, zone)
    turned = new & (zone != 0) & (zone != old["pcr_zone"]) & np.isfinite(old["pcr_zone"])
    here = np.select([ratio > EXTREME_HIGH, ratio < EXTREME_LOW], [1.0, -1.0], 0.0)
    before = np.nan_to_num(old["pcr_extreme"])
    inside = (ratio >= EXTREME_LOW + rules.ratio_margin) & (ratio <= EXTREME_HIGH - rules.ratio_margin)
    twice = (here != 0) & (here == old["pcr_candidate"])
    extreme = np.where(twice, here, np.where(inside, 0.0, before))
    beyond = new & (extreme != 0) & (extreme != before)
    for segment in np.flatnonzero(turned).tolist():
        up = zone[segment] > 0
        words = f"PCR {ratio[segment]:.2f} {'>' if up else '<'} {TURN_UP if up else TURN_DOWN:g}, was "
        told.append(
            Told(segment, "PCR_REVERSAL", "BULLISH" if up else "BEARISH", f"{words}{old['pcr_seen'][segment]:.2f}")
        )
    for segment in np.flatnonzero(beyond).tolist():
        up = extreme[segment] > 0
        words = f"PCR {ratio[segment]:.2f} {'>' if up else '<'} {EXTREME_HIGH if up else EXTREME_LOW:.2f} for 2 obs"
        told.append(Told(segment, "PCR_EXTREME", "BULLISH" if up else "BEARISH", f"{words}, contrarian"))
    after = {"pcr_seen": ratio, "pcr_zone": zone, "pcr_extreme": extreme, "pcr_candidate": here}
    return state.updated(segment={name: np.where(new, values, old[name]) for name, values in after.items()})


def window_breaches(
    chains: Chains,
    state: State,
    made: Mapping[str, Reading],
    settings: EngineSettings,
    told: list[Told],
    *,
    tracked: tuple[str, ...],
) -> State:
    """OI_WINDOW: among the strikes around the money of a tracked name's nearest chain a leg's open interest changed
    beyond the limit of 5, 10, 15 or 30 minutes; told again after none of them does.

    From the readings `open_interest_legs` and `price`, which says where the money is.
    """
    layout, legs = chains.layout, made["open_interest_legs"]
    watched = [s for s in layout.underlying_front.tolist() if s >= 0 and layout.segment_keys[s].underlying in tracked]
    atm = made["price"]["atm_strike"].astype(np.float64)
    ladders = {s: _around(chains, s, float(atm[s]), settings.open_interest.window) for s in watched}
    speaking = _speaking(chains, settings)
    for minutes, limit in zip(WINDOWS, settings.windows.limits, strict=True):
        if minutes not in WATCHED_WINDOWS:
            continue
        known, on = np.zeros(layout.segments, dtype=bool), np.zeros(layout.segments, dtype=bool)
        worst: dict[int, str] = {}
        for segment, rows in ladders.items():
            breach, pct = legs[f"breach_{minutes}"][rows] == 1, legs[f"pct_{minutes}"][rows].astype(np.float64)
            known[segment] = speaking[segment] and bool(np.isfinite(pct).any())
            on[segment] = bool(breach.any())
            if on[segment]:
                row, side = np.unravel_index(int(np.argmax(np.where(breach, np.abs(pct), -1.0))), pct.shape)
                leg, change = leg_words(float(layout.strike[rows[row]]), OPTION_TYPES[side]), float(pct[row, side])
                beyond = f"> +{limit:g}" if change > 0 else f"< -{limit:g}"
                more = f", {breach.sum()} legs" if breach.sum() > 1 else ""
                worst[segment] = f"{minutes} min: {leg} OI {change:+.1f} % {beyond} %{more}"
        fires, state = edge(
            state,
            f"window_{minutes}",
            known=known,
            on=on,
            off=~on,
            as_of=chains.as_of,
            cool_down=settings.alerts.cool_down,
        )
        told.extend(Told(s, "OI_WINDOW", "", worst[s]) for s in np.flatnonzero(fires).tolist())
    return state


def _around(chains: Chains, segment: int, atm: float, strikes: int) -> Ints:
    """Rows of the listed strikes of a chain up to `strikes` from the ATM strike [₹]; none where that is not known."""
    layout = chains.layout
    rows = np.arange(layout.starts[segment], layout.ends[segment])
    rows = rows[chains.listed[rows].any(axis=1)]
    middle = np.flatnonzero(layout.strike[rows] == atm)
    if not len(middle):
        return rows[:0]
    return rows[max(int(middle[0]) - strikes, 0) : int(middle[0]) + strikes + 1]
