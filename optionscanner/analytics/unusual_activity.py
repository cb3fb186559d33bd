"""The `unusual_activity` reading: the documented rules for unusual options activity, the same for calls and puts.

OTM_CALL_ACCUMULATION, OTM_PUT_ACCUMULATION   a strike more than 5 % out of the money adds over three times its usual
                                              change of open interest: HIGH
UNUSUAL_CALL_VOLUME, UNUSUAL_PUT_VOLUME       day's volume over open interest beyond the limits of the volume/OI scan,
                                              and open interest rising: MEDIUM
PCR_EXTREME_HIGH, PCR_EXTREME_LOW             put-call ratio above 1.6 or below 0.5, contrarian: no urgency
NEGATIVE_GAMMA_ZONE                           dealers' gamma negative beyond its band: no urgency, no direction

A rise of open interest has a buyer and a writer: which one pressed, and so the direction, is read from premium and
volatility over the same step. The usual change of a leg is the mean size of its changes from step to step, an
exponential one with the memory of 20 observations. A ratio's percentile is that of earlier sessions at the same time of
the day where enough of them are stored, else of the chain at this moment, and blank where that has traded too little.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from optionscanner.analytics import segments
from optionscanner.analytics.activity import SIDES, pressing_side
from optionscanner.analytics.flow import has_begun
from optionscanner.analytics.price import usable_chains
from optionscanner.analytics.suppression import suppressed
from optionscanner.analytics.unusual_texts import reasons
from optionscanner.analytics.volume_oi_profile import expiring, since_open, traded_ratios
from optionscanner.model.chains import Chains
from optionscanner.model.columns_unusual import RULES, UNUSUAL_ACTIVITY
from optionscanner.model.contracts import CALL, OPTION_TYPES, Bools, Floats, Ints
from optionscanner.model.pricing import Pricing
from optionscanner.model.readings import Reading
from optionscanner.model.settings import EngineSettings, UnusualSettings
from optionscanner.model.state import State
from optionscanner.model.usual import UsualRatios

MEMORY = 20
"""Observations that the usual change of a leg remembers."""
URGENCIES = ("", "MEDIUM", "HIGH")
_ACCUMULATION, _VOLUME, _PCR_HIGH, _PCR_LOW, _GAMMA = 0, 2, 4, 5, 6
_URGENCY = np.array([2, 2, 1, 1, 0, 0, 0])
_DIRECTIONS = ("BEARISH", "", "BULLISH")
_PCR_LIMITS = {"HIGH": 1.6, "LOW": 0.5}


def unusual_activity(
    chains: Chains,
    pricing: Pricing,
    state: State,
    made: Mapping[str, Reading],
    settings: EngineSettings,
    *,
    usual: UsualRatios | None = None,
) -> tuple[State, Reading]:
    """State with the usual changes after this cycle's steps, and the signals, ranked.

    `made`: put-call ratios are taken from `open_interest`, gamma from `exposure_total` where that is there.
    """
    layout = chains.layout
    state = stepped(chains, pricing, state, settings.unusual)
    quiet = (suppressed(chains.day) != "")[layout.segment_underlying]
    open_ = usable_chains(chains, settings) & ~quiet
    recent = open_ & has_begun(state) & (chains.as_of - state.segment["stepped_at"] <= settings.flow.reset_gap)
    legs = _of_legs(chains, pricing, state, recent, settings, usual=usual)
    chain = _of_chains(chains, made, open_, settings)
    found = {name: np.concatenate([legs[name], chain[name]]) for name in legs}
    order = _order(found)
    return state, _reading(chains, state, {name: values[order] for name, values in found.items()})


def stepped(chains: Chains, pricing: Pricing, state: State, rules: UnusualSettings) -> State:
    """State in which each leg of a chain that has taken a step since knows its usual change, and how large this one is;
    the same of all calls and all puts far out of the money together.

    A step is measured against what was usual before it, and then counted. After a gap nothing is measured until the
    next step.
    """
    layout, old, leg = chains.layout, state.segment, state.leg
    moved = chains.updated & (old["stepped_at"] != old["unusual_at"]) & np.isfinite(old["stepped_at"])
    if not moved.any():
        return state
    lot = layout.segment_lot_size[:, None]
    here = np.repeat(moved[layout.row_segment], 2).reshape(-1, 2)
    flow = leg["open_interest_flow"]
    usual = measured(flow, leg["usual_change"], leg["usual_changes"], lot[layout.row_segment], rules)
    legs = dict(zip(("usual_change", "usual_changes", "change_times"), usual, strict=True))
    far = np.where(out_of_the_money(chains, pricing) > rules.otm_pct, flow, np.nan)
    sums = np.where(segments.any_side(layout, np.isfinite(far)), segments.total(layout, far), np.nan)
    columns: dict[str, Floats] = {}
    for side, name in enumerate(("otm_call", "otm_put")):
        names = (f"{name}_usual", f"{name}_changes", f"{name}_times")
        values = measured(sums[:, side], old[names[0]], old[names[1]], lot[:, 0], rules)
        columns |= {n: np.where(moved, v, old[n]) for n, v in zip(names, values, strict=True)}
    return state.updated(
        segment={"unusual_at": np.where(moved, old["stepped_at"], old["unusual_at"]), **columns},
        leg={name: np.where(here, values, leg[name]) for name, values in legs.items()},
    )


def measured(
    change: Floats, usual: Floats, known: Floats, lot: Floats, rules: UnusualSettings
) -> tuple[Floats, Floats, Floats]:
    """Usual size of a change [units] after this one, observations in it, and this one in times of the usual before it.

    The mean size of the changes: a plain one until `MEMORY` are known, an exponential one of the same memory from then
    on. Less than a lot counts as one lot, and before `least_changes` nothing is measured. A change that is not known
    (NaN) is not counted.
    """
    count = np.nan_to_num(known)
    seen = np.isfinite(change)
    times = np.where(count >= rules.least_changes, change / np.fmax(usual, lot), np.nan)
    weight = np.maximum(1.0 / (count + 1.0), 2.0 / (MEMORY + 1.0))
    before = np.nan_to_num(usual)
    after = np.where(seen, before + weight * (np.abs(change) - before), usual)
    return after, np.where(seen, count + 1.0, known), times


def out_of_the_money(chains: Chains, pricing: Pricing) -> Floats:
    """(R, 2) how far each leg is out of the money, % of the ATM strike; negative in the money, NaN without one."""
    layout = chains.layout
    atm = segments.at(layout.strike, pricing.atm_row)[layout.row_segment]
    distance = 100.0 * (layout.strike - atm) / atm  # in this order 105 is 5 % above 100, and not a hair more
    return np.stack([distance, -distance], axis=1)


def _of_legs(
    chains: Chains,
    pricing: Pricing,
    state: State,
    recent: Bools,
    settings: EngineSettings,
    *,
    usual: UsualRatios | None,
) -> dict[str, np.ndarray]:
    """Signals of single legs: accumulation and volume."""
    layout, scan, rules = chains.layout, settings.activity, settings.unusual
    segment = layout.row_segment
    flow, interest = state.leg["open_interest_flow"], chains.legs.open_interest
    floor = scan.min_contracts * layout.segment_lot_size[segment][:, None]
    with np.errstate(invalid="ignore"):
        rising = (flow > 0) & (flow > scan.min_rise_pct / 100.0 * (interest - flow))
    worth = np.flatnonzero(
        rising & recent[segment][:, None] & (chains.legs.volume >= floor) & (pricing.price >= scan.min_premium)
    )
    row, side = worth >> 1, worth & 1
    owner = segment[row]
    out = out_of_the_money(chains, pricing).reshape(-1)[worth]
    times = state.leg["change_times"].reshape(-1)[worth]
    far = (out > rules.otm_pct) & (times > rules.otm_times)

    lot = layout.segment_lot_size[owner]
    ratio = chains.legs.volume.reshape(-1)[worth] / np.maximum(interest.reshape(-1)[worth], lot)
    least = np.where(layout.is_index[layout.segment_underlying[owner]], scan.index_ratio, scan.stock_ratio)
    busy = np.flatnonzero((ratio > least) & ~expiring(chains)[owner])
    percentile, sessions, others = percentiles(chains, owner[busy], ratio[busy], rules, usual)
    enough = percentile >= scan.percentile if scan.percentile > 0 else np.ones(len(busy), dtype=bool)
    busy, percentile, sessions, others = busy[enough], percentile[enough], sessions[enough], others[enough]

    far_at = np.flatnonzero(far)
    nothing = np.full(len(far_at), np.nan)
    at = np.concatenate([far_at, busy])
    row, side = row[at], side[at]
    pressed = pressing_side(
        state.leg["price_change"][row, side], state.leg["iv_change"][row, side], dead_band=scan.iv_dead_band
    )
    return {
        "segment": owner[at],
        "row": row,
        "side": side,
        "rule": side + np.where(np.arange(len(at)) < len(far_at), _ACCUMULATION, _VOLUME),
        "pressed": pressed,
        "direction": pressed * np.where(side == CALL, 1, -1),
        "value": np.concatenate([times[far_at], ratio[busy]]),
        "threshold": np.concatenate([np.full(len(far_at), rules.otm_times), least[busy]]),
        "percentile": np.concatenate([nothing, percentile]),
        "sessions": np.concatenate([nothing, sessions]),
        "others": np.concatenate([nothing, others]),
        "distance_pct": np.where(side == CALL, 1.0, -1.0) * out[at],
        "strength": np.concatenate([times[far_at], ratio[busy]]),
    }


def percentiles(
    chains: Chains, segment: Ints, ratio: Floats, rules: UnusualSettings, usual: UsualRatios | None
) -> tuple[Floats, Floats, Floats]:
    """(n,) percentile 0-100 of ratios, sessions that it rests on, NaN for none, and else the chain's other legs.

    Of earlier sessions where at least `least_sessions` noted the time, for the nearest expiry of a name; else of the
    chain's other traded legs now where those are at least `least_legs`; else NaN.
    """
    layout = chains.layout
    among, line = np.unique(segment, return_inverse=True)
    peers = traded_ratios(chains, among)[line]
    others = np.maximum(np.isfinite(peers).sum(axis=1) - 1.0, 0.0)
    smaller = (peers < ratio[:, None]).sum(axis=1)
    now = np.where(others >= rules.least_legs, 100.0 * smaller / np.maximum(others, 1.0), np.nan)
    none = np.full(len(segment), np.nan)
    if usual is None or not usual.dates:
        return now, none, np.where(np.isnan(now), np.nan, others)
    owner = layout.segment_underlying[segment]
    share, sessions = usual.on(layout.names).share_below(owner, since_open(chains, chains.stamped_at)[segment], ratio)
    earlier = (sessions >= rules.least_sessions) & (segment == layout.underlying_front[owner])
    percentile = np.where(earlier, share, now)
    rests_on_now = ~earlier & np.isfinite(now)
    return percentile, np.where(earlier, sessions, np.nan), np.where(rests_on_now, others, np.nan)


def _of_chains(
    chains: Chains, made: Mapping[str, Reading], open_: Bools, settings: EngineSettings
) -> dict[str, np.ndarray]:
    """Signals of whole chains, of each name's nearest: extremes of the put-call ratio, negative gamma."""
    layout = chains.layout
    names = np.flatnonzero(layout.underlying_front >= 0)
    front = layout.underlying_front[names]
    names, front = names[open_[front]], front[open_[front]]
    parts: list[tuple[Ints, int, Ints, Floats, float, Floats]] = []
    if "open_interest" in made:
        ratio = made["open_interest"]["put_call_ratio"].astype(np.float64)[front]
        word = made["open_interest"]["put_call_extreme"][front]
        for rule, name, direction in ((_PCR_HIGH, "HIGH", 1), (_PCR_LOW, "LOW", -1)):
            at, limit = np.flatnonzero(word == name), _PCR_LIMITS[name]
            beyond = ratio[at] / limit if direction > 0 else limit / np.maximum(ratio[at], 1e-9)
            parts.append((front[at], rule, np.full(len(at), direction), ratio[at], limit, beyond))
    if "exposure_total" in made:
        share = made["exposure_total"]["gex_share_pct"].astype(np.float64)[names]
        at = np.flatnonzero(made["exposure_total"]["regime"][names] == "NEGATIVE")
        band = -settings.exposure.neutral_pct
        parts.append((front[at], _GAMMA, np.zeros(len(at), dtype=np.int64), share[at], band, -share[at] / 100.0))
    lengths = [len(part[0]) for part in parts]
    count = sum(lengths)
    blank = np.full(count, np.nan)

    def joined(i: int) -> np.ndarray:
        return np.concatenate([np.empty(0), *(part[i] for part in parts)])

    return {
        "segment": joined(0).astype(np.int64),
        "row": np.full(count, -1),
        "side": np.full(count, -1),
        "rule": np.repeat([part[1] for part in parts], lengths).astype(np.int64),
        "pressed": np.zeros(count, dtype=np.int64),
        "direction": joined(2).astype(np.int64),
        "value": joined(3),
        "threshold": np.repeat([part[4] for part in parts], lengths).astype(np.float64),
        "percentile": blank,
        "sessions": blank,
        "others": blank,
        "distance_pct": blank,
        "strength": joined(5),
    }


def _order(found: Mapping[str, np.ndarray]) -> Ints:
    """HIGH before MEDIUM before the others; known direction first; then the strongest; then in layout order."""
    urgency = _URGENCY[found["rule"]]
    keys = (found["rule"], found["side"], found["row"], found["segment"], -found["strength"])
    return np.lexsort((*keys, found["direction"] == 0, -urgency))


def _reading(chains: Chains, state: State, found: Mapping[str, np.ndarray]) -> Reading:
    layout, segment, row, side = chains.layout, found["segment"], found["row"], found["side"]
    single = row >= 0

    def of_leg(values: Floats) -> Floats:
        return np.where(single, values[row, side], np.nan)

    columns = {
        "rank": np.arange(1.0, len(segment) + 1.0),
        "underlying": np.array(layout.names, dtype=object)[layout.segment_underlying[segment]],
        "expiry": np.array([key.expiry.isoformat() for key in layout.segment_keys], dtype=object)[segment],
        "strike": np.where(single, layout.strike[row], np.nan),
        "option_type": segments.words(np.where(single, side, 2), (*OPTION_TYPES, "")),
        "rule": segments.words(found["rule"], RULES),
        "urgency": segments.words(_URGENCY[found["rule"]], URGENCIES),
        "side": segments.words(np.where(single, found["pressed"] + 1, 3), (SIDES[-1], SIDES[0], SIDES[1], "")),
        "direction": segments.words(found["direction"] + 1, _DIRECTIONS),
        "value": found["value"],
        "threshold": found["threshold"],
        "percentile": found["percentile"],
        "volume": of_leg(chains.legs.volume),
        "open_interest": of_leg(chains.legs.open_interest),
        "open_interest_flow": of_leg(state.leg["open_interest_flow"]),
        "usual_change": of_leg(state.leg["open_interest_flow"]) / of_leg(state.leg["change_times"]),
        "distance_pct": found["distance_pct"],
    }
    opens = chains.day.session.opens
    minute = 60.0 * opens.hour + opens.minute + since_open(chains, chains.stamped_at)[segment] / 60.0
    columns |= reasons(columns, sessions=found["sessions"], others=found["others"], minute=minute)
    return Reading(UNUSUAL_ACTIVITY, columns)
