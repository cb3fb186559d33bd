"""Declares the readings of volatility and of the straddle: skew, term structure, place in the year, expiry day."""

from __future__ import annotations

from optionscanner.model.table_spec import TableSpec, count, real, text, time

VOLATILITY = TableSpec(
    "volatility",
    "segment",
    "Skew of each expiry at 25 delta, and its place in the term structure; volatility at the money stands in price.",
    (
        real("call_iv_25", "decimal", "volatility at which a call's delta is 0.25, interpolated in delta"),
        real("put_iv_25", "decimal", "volatility at which a put's delta is -0.25, interpolated in delta"),
        real("call_strike_25", "₹", "strike of that call, between two listed ones"),
        real("put_strike_25", "₹", "strike of that put, between two listed ones"),
        real("risk_reversal_25", "decimal", "25-delta call less put volatility"),
        real("butterfly_25", "decimal", "25-delta butterfly: mean of call and put volatility less that at the money"),
        text("next_expiry", "the following expiry of the name, that slope and forward volatility are to"),
        real("slope_next", "decimal", "volatility at the money of the next expiry less that of this one"),
        real("forward_iv", "decimal", "volatility between this expiry and the next that their total variances imply"),
        text("status", "why readings are blank; empty when all is well"),
    ),
)

VOLATILITY_RANK = TableSpec(
    "volatility_rank",
    "underlying",
    "Volatility of 30 days' constant maturity of each underlying, and its place among the sessions of the year before.",
    (
        real("iv_30", "decimal", "volatility at the money at 30 calendar days, total variance interpolated by expiry"),
        real("days", "days", "30, or those of the single expiry of 7 to 60 days that stands for it"),
        real("iv_30_change", "decimal", "the same less its first value of the day"),
        real("slope_30", "decimal", "iv_30 less volatility at the money of the nearest expiry; - near is dear"),
        real("iv_rank", "0-100", "place of iv_30 between the lowest and highest of the sessions; held within 0-100"),
        real("iv_percentile", "0-100", "share of the sessions with a lower volatility"),
        count("sessions", "sessions", "past sessions that both rest on, at most 252"),
        real("iv_low", "decimal", "lowest daily volatility of these sessions"),
        real("iv_high", "decimal", "highest daily volatility of these sessions"),
        text("status", "why readings are blank; empty when all is well"),
    ),
)

STRADDLE = TableSpec(
    "straddle",
    "segment",
    "The straddle at the money through the day; the premium itself, its open, high and low stand in price.",
    (
        real("vwap", "₹", "mean straddle of the day, weighted by units traded in both legs of the strike at the money"),
        real("volume", "units", "units, calls and puts, that the mean rests on"),
        real("above_vwap_pct", "%", "straddle now against that mean"),
        real("open_strike", "₹", "strike at the money of the first observation today"),
        count("rolls", "rolls", "times that another strike came to be at the money today"),
        time("rolled_at", "when the newest of them was first observed"),
        real("rolled_from", "₹", "strike that was at the money before it"),
        text("status", "why readings are blank; empty when all is well"),
    ),
)

SETTLEMENT = TableSpec(
    "settlement",
    "market",
    "Names with an expiry today: where it is likely to settle, and what the next expiry costs. No row on other days.",
    (
        text("underlying", "name of the underlying"),
        text("expiry", "today"),
        real("minutes_left", "minutes", "to the end of the window that settlement rests on, 15:30 IST"),
        text("method", "average: mean over the last half hour; auction: price of the closing auction"),
        real("average", "₹", "mean spot of the window so far, weighted by the time that each value stood"),
        real("minutes_counted", "minutes", "minutes of the window of which the spot was known"),
        real("estimate", "₹", "that mean, if the newest spot stands to the end; of an auction the newest spot"),
        text("next_expiry", "the following expiry of the name"),
        real("next_straddle", "₹", "straddle at the money of the next expiry"),
        real("roll_cost", "₹", "that less the straddle of today's expiry: what rolling a straddle costs"),
        text("status", "why readings are blank; empty when all is well"),
    ),
)
