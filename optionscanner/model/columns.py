"""Declares every table of readings once: name, unit and meaning of each column.

The history's schema, the sheets' columns, the glossary in the README and the checks of a reading all follow from it.
Missing is NaN in arrays, "" in text, NULL in the history.
"""

from __future__ import annotations

from optionscanner.model.anchors import WINDOWS
from optionscanner.model.columns_exposure import (
    EXPOSURE,
    EXPOSURE_LEGS,
    EXPOSURE_MARKET,
    EXPOSURE_RANK,
    EXPOSURE_TOTAL,
)
from optionscanner.model.columns_unusual import UNUSUAL_ACTIVITY, UNUSUAL_ACTIVITY_TOTAL, VOLUME_OI_PROFILE
from optionscanner.model.columns_volatility import SETTLEMENT, STRADDLE, VOLATILITY, VOLATILITY_RANK
from optionscanner.model.table_spec import Column, Kind, TableSpec, count, real, text, time

__all__ = ["Column", "Kind", "TableSpec"]

PRICE = TableSpec(
    "price",
    "segment",
    "Forward, implied volatility at the money and the state of the chain's data.",
    (
        real("spot", "₹", "underlying's last price; blank where the source gave none or an absurd one"),
        real("spot_change", "₹", "spot less the previous session's close"),
        real("spot_change_pct", "%", "change of spot over the previous close"),
        real("forward", "₹", "price for delivery at expiry that options are priced on"),
        text("forward_source", "where the forward came from: future, parity or carry"),
        real("future_price", "₹", "future of the same expiry: mid of a tight quote, else last trade"),
        real("basis", "₹", "future less spot"),
        real("rate", "decimal a year", "continuously compounded interest rate used for discounting"),
        real("time_to_expiry", "years", "ACT/365 from the observation to 15:30 IST on expiry"),
        real("atm_strike", "₹", "listed strike nearest spot (nearest the forward without a spot); a tie: the lower"),
        real("straddle", "₹", "call plus put at the ATM strike"),
        real("expected_move", "points", "ATM volatility x forward x square root of the time left"),
        real("atm_iv", "decimal", "implied volatility at the forward, from out-of-the-money strikes"),
        real("atm_iv_change", "decimal", "volatility at the money less its first value of the day"),
        real("straddle_open", "₹", "first straddle of the day"),
        real("straddle_high", "₹", "highest straddle of the day so far"),
        real("straddle_low", "₹", "lowest straddle of the day so far"),
        real("opening_high", "₹", "highest price of the session's first 15 minutes; while they last, so far"),
        real("opening_low", "₹", "lowest price of the session's first 15 minutes; while they last, so far"),
        real("coverage", "share", "listed legs that are current, weighted by yesterday's open interest; 0-1"),
        count("legs_without_iv", "legs", "quoted legs without a volatility"),
        time("price_time", "when the market says the newest accepted observation was made"),
        time("open_interest_time", "when open interest of any leg last changed"),
        text("status", "why readings are blank or withheld; empty when all is well"),
    ),
)

OPEN_INTEREST = TableSpec(
    "open_interest",
    "segment",
    "Open interest of the whole chain: sums, ratios, maximum pain, walls.",
    (
        real("call_open_interest", "units", "call open interest, all strikes of the expiry"),
        real("put_open_interest", "units", "put open interest, all strikes of the expiry"),
        real("call_volume", "units", "call volume of the day so far, all strikes of the expiry"),
        real("put_volume", "units", "put volume of the day so far, all strikes of the expiry"),
        real("call_open_interest_added", "units", "call change since the previous close; blank where few have one"),
        real("put_open_interest_added", "units", "put change since the previous close; blank where few have one"),
        real("call_open_interest_since_first", "units", "call change since the first observation today"),
        real("put_open_interest_since_first", "units", "put change since the first observation today"),
        real("put_call_ratio", "ratio", "put over call open interest, all strikes of the expiry"),
        real("put_call_ratio_window", "ratio", "put over call open interest of the 11 strikes around ATM"),
        real("put_call_ratio_volume", "ratio", "put over call volume, all strikes of the expiry"),
        text("put_call_band", "BEARISH below 0.7, BULLISH above 1.3, NEUTRAL between"),
        text("put_call_band_window", "the same of the 11 strikes around ATM"),
        text("put_call_reversal", "BUY where its last change rose above 1.5, SELL where it fell below 0.6"),
        text("put_call_extreme", "HIGH above 1.6, LOW below 0.5, else empty: contrarian, high is bullish"),
        real("max_pain", "₹", "strike at which option buyers together get least; a tie: nearest spot, then lower"),
        real("max_pain_low", "₹", "lowest of the strikes that tie for maximum pain"),
        real("max_pain_high", "₹", "highest of the strikes that tie for maximum pain"),
        real("max_pain_distance_pct", "%", "strike of maximum pain against spot"),
        real("call_wall", "₹", "strike of the largest call open interest; a tie: nearest spot"),
        real("put_wall", "₹", "strike of the largest put open interest; a tie: nearest spot"),
        text("status", "why readings are blank; empty when all is well"),
    ),
)

PAIN = TableSpec(
    "pain",
    "strike",
    "Payout of the whole expiry at each strike: the curve whose lowest point is maximum pain.",
    (real("payout", "₹", "what holders of all calls, of all puts get if the expiry settles at the strike"),),
)

FLOW = TableSpec(
    "flow",
    "segment",
    "EWMA of open-interest flow, writer's view: + put side adding (support), - call side adding (cap).",
    (
        real("net_flow", "units", "last step: put less call open-interest flow, all strikes"),
        real("atm_flow", "units", "last step: put less call flow, strikes weighted by nearness to the forward"),
        real("delta_flow", "units", "last step: put less call flow, legs weighted by the size of their delta"),
        real("ewma_net", "units per observation", "mean put less call flow (EWMA), all strikes"),
        real("ewma_atm", "units per observation", "mean put less call flow (EWMA), by nearness to the forward"),
        real("ewma_delta", "units per observation", "mean put less call flow (EWMA), by the size of delta"),
        real("flow_pct", "%", "ewma_atm over ATM-weighted open interest: comparable across names"),
        text("regime", "BULLISH, BEARISH or NEUTRAL: sign of flow_pct beyond the dead band, confirmed twice"),
        time("regime_since", "when the regime was confirmed"),
        count("flips", "flips", "changes between BULLISH and BEARISH today"),
        count("unforgiven_flips", "flips", "flips less one for each later observation on the regime's side"),
        count("steps", "observations", "distinct open-interest observations today"),
        time("stepped_at", "last distinct open-interest observation"),
        text("status", "why readings are blank; empty when all is well"),
    ),
)

ACTIVITY = TableSpec(
    "activity",
    "event",
    "Volume/OI scan: legs that trade much for their open interest, ranked; those that do not count give the reason.",
    (
        count("rank", "", "1 is first; counted over events that count, then over ignored ones"),
        text("underlying", "name of the underlying"),
        text("expiry", "expiry date of the contract"),
        real("strike", "₹", "listed strike"),
        text("option_type", "CE or PE"),
        real("last_price", "₹", "last trade of the leg"),
        real("volume", "units", "volume of the leg, cumulative for the day"),
        real("open_interest", "units", "open interest of the leg now"),
        real("volume_oi_ratio", "ratio", "volume over open interest"),
        real("percentile", "0-100", "share of the chain's other traded legs with a smaller ratio"),
        real("open_interest_flow", "units", "change of open interest against its previous distinct observation"),
        real("premium_change", "₹", "change of the price over the window of open_interest_flow"),
        real("iv_change", "decimal", "change of implied volatility over the window of open_interest_flow"),
        real("delta", "per ₹1 of forward", "change of the leg's price for ₹1 of the forward"),
        real("gamma", "per ₹", "change of the leg's delta for ₹1 of the forward"),
        real("distance_pct", "%", "strike against the price that ATM is measured from"),
        count("strike_offset", "strikes", "signed count of listed strikes from ATM"),
        text("side", "BUY, WRITE or ?: who pressed, from premium and volatility over the window"),
        text("direction", "BULLISH, BEARISH or empty"),
        count("aligned", "0/1", "1 where direction agrees with the flow regime of its chain"),
        text("reason", "valid, near or far from the money, or why it is ignored"),
        real("score", "0-100", "order of the ranking: percentile, aligned and near first"),
    ),
)

READINESS = TableSpec(
    "readiness",
    "underlying",
    "Trade readiness (TRS) 0-100 of each underlying, from its nearest expiry.",
    (
        real("readiness", "0-100", "structure + trigger + stability + time; 0 without direction"),
        text("action", "AGGRESSIVE from 80, NORMAL from 60, SMALL/HEDGED from 40, else NO TRADE"),
        text("direction", "BULLISH, BEARISH or empty"),
        real("structure", "0-40", "ATM-weighted flow beyond the dead band 20, delta-weighted flow agrees 20"),
        real("trigger", "0-30", "aligned volume/OI event near the money 30, farther out 15"),
        real("stability", "0-20", "20 less 5 for each unforgiven regime flip"),
        real("time", "0-10", "10, lost in the first 10 and the last 15 minutes of the contract's session"),
        text("top_event", "the aligned event that triggers: strike, type, ratio, B bought or W written"),
        text("status", "why the reading is withheld; empty when all is well"),
    ),
)

OPEN_INTEREST_LEGS = TableSpec(
    "open_interest_legs",
    "strike",
    "Open interest of each leg against earlier: both ends are distinct observations of the chain's open interest.",
    (
        *(real(f"change_{w}", "units", f"change of open interest over {w} minutes") for w in WINDOWS),
        real("change_open", "units", "change of open interest since the open of the session"),
        real("change_close", "units", "change of open interest since the previous session's close"),
        *(real(f"pct_{w}", "%", f"the change over {w} minutes, of what was held before it") for w in WINDOWS),
        real("pct_open", "%", "the change since the open, of what was held then"),
        real("pct_close", "%", "the change since the previous close, of what was held then"),
        *(count(f"breach_{w}", "0/1", f"1 where pct_{w} lies beyond its limit, up or down") for w in WINDOWS),
        *(count(f"reason_{w}", "code", f"why pct_{w} is blank; 0 where it is not") for w in WINDOWS),
        count("build_up", "code", "since the previous close, else the open: 1 LB, 2 SB, 3 SC, 4 LU, 0 neither"),
        count("build_up_step", "code", "the same over the last step of the chain's open interest"),
    ),
)

OPEN_INTEREST_CHANGE = TableSpec(
    "open_interest_change",
    "segment",
    "Open interest of each chain against earlier: what calls and puts added over each window, and the trend.",
    (
        time("window_time", "newest distinct open-interest observation: the end of every window"),
        *(
            real(f"{side}_change_{w}", "units", f"{side}s added less closed, {w} minutes; blank where few legs know")
            for w in WINDOWS
            for side in ("call", "put")
        ),
        real("call_change_open", "units", "calls added less closed since the open of the session"),
        real("put_change_open", "units", "puts added less closed since the open of the session"),
        *(time(f"from_{w}", f"when {w} minutes will be covered; blank where they are") for w in WINDOWS),
        *(count(f"breaches_{w}", "legs", f"legs beyond the limit of {w} minutes") for w in WINDOWS),
        real("change_5_pct", "%", "change of calls and puts together over 5 minutes"),
        real("change_30_pct", "%", "change of calls and puts together over 30 minutes"),
        real("change_day_pct", "%", "change of calls and puts together since the previous close, else the open"),
        text("trend_5", "RISING, FALLING or FLAT: change_5_pct against a band"),
        text("trend_30", "RISING, FALLING or FLAT: change_30_pct against a band"),
        text("trend_day", "RISING, FALLING or FLAT: change_day_pct against a band"),
        text("day_since", "what the day's change is against: close or open"),
        text("status", "why readings are blank; empty when all is well"),
    ),
)

BUILD_UP_WORDS = ("", "LB", "SB", "SC", "LU")
"""Of each build-up code; 0 within the dead bands."""

FUTURES = TableSpec(
    "futures",
    "future",
    "Each future: its price and open interest against the previous close, else the open, and what they say together.",
    (
        real("price", "₹", "last trade of the future"),
        real("price_change_pct", "%", "change of the price"),
        real("open_interest", "units", "open interest of the future"),
        real("open_interest_change", "units", "change of open interest"),
        real("open_interest_change_pct", "%", "change of open interest, of what was held before it"),
        text("build_up", "LB long build-up, SB short build-up, SC short covering, LU long unwinding"),
        text("since", "what the changes are against: close or open"),
        real("volume", "units", "volume of the future, cumulative for the day"),
        real("vwap", "₹", "mean last trade by the volume between two looks; the first stands for all before it"),
    ),
)

BUILD_UP = TableSpec(
    "build_up",
    "underlying",
    "Build-up of each underlying: its nearest future's price with the open interest of all its futures.",
    (
        real("future_price", "₹", "last trade of the nearest future"),
        real("price_change_pct", "%", "change of that price since the previous close, else the open"),
        real("future_open_interest", "units", "open interest of all futures of the underlying"),
        real("future_open_interest_change", "units", "its change since the same instant as the price's"),
        real("future_open_interest_change_pct", "%", "that change, of what was held before it"),
        text("build_up", "LB long build-up, SB short build-up, SC short covering, LU long unwinding"),
        text("since", "what the changes are against: close or open"),
        real("future_volume", "units", "volume of the nearest future, cumulative for the day"),
        real("future_vwap", "₹", "volume-weighted mean price of the nearest future since the open"),
        real("future_rollover_pct", "%", "share of the futures' open interest that is beyond the nearest expiry"),
        real("option_rollover_pct", "%", "share of the next expiry in open interest of the nearest two"),
        text("status", "why readings are blank; empty when all is well"),
    ),
)

ALERTS = TableSpec(
    "alerts",
    "event",
    "What changed enough to be told, once per crossing.",
    (
        time("at", "instant of the cycle that raised it"),
        text("underlying", "name of the underlying"),
        text(
            "alert",
            "READINESS, REGIME_FLIP, OTM_ACCUMULATION, UNUSUAL_VOLUME, GAMMA_FLIP, PCR_REVERSAL, PCR_EXTREME "
            "or OI_WINDOW",
        ),
        text("direction", "BULLISH, BEARISH or empty where it has none"),
        text("reason", "numbers against limits, one line"),
    ),
)

READINGS: tuple[TableSpec, ...] = (
    PRICE,
    VOLATILITY,
    VOLATILITY_RANK,
    STRADDLE,
    SETTLEMENT,
    OPEN_INTEREST,
    PAIN,
    EXPOSURE_LEGS,
    EXPOSURE,
    EXPOSURE_TOTAL,
    EXPOSURE_RANK,
    EXPOSURE_MARKET,
    FLOW,
    OPEN_INTEREST_LEGS,
    OPEN_INTEREST_CHANGE,
    FUTURES,
    BUILD_UP,
    ACTIVITY,
    VOLUME_OI_PROFILE,
    UNUSUAL_ACTIVITY,
    UNUSUAL_ACTIVITY_TOTAL,
    READINESS,
)
"""Tables of readings in the order in which a cycle makes them."""
