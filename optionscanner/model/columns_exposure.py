"""Declares the readings of dealer exposure: by leg, expiry, name and market, and its place among earlier sessions."""

from __future__ import annotations

from optionscanner.model.table_spec import TableSpec, count, real, text, time

EXPOSURE_LEGS = TableSpec(
    "exposure_legs",
    "strike",
    "Dealer exposure of each leg's whole open interest in ₹ crore, signed by the convention in force.",
    (
        real("gex", "₹ crore / 1 %", "delta that dealers gain when the forward rises 1 %"),
        real("dex", "₹ crore", "the underlying that dealers hold as a hedge"),
        real("vex", "₹ crore / vol point", "change of that hedge when volatility rises one point"),
        real("cex", "₹ crore / day", "change of that hedge as a calendar day passes"),
    ),
)

EXPOSURE = TableSpec(
    "exposure",
    "segment",
    "Dealer exposure of each expiry in ₹ crore, under the convention that stands beside it: an assumption.",
    (
        real("gex", "₹ crore / 1 %", "gamma exposure, calls against puts under the convention in force"),
        real("gex_documented", "₹ crore / 1 %", "the same with the documented sign: puts less calls"),
        real("call_gex", "₹ crore / 1 %", "size of the calls' gamma exposure, always positive"),
        real("put_gex", "₹ crore / 1 %", "size of the puts' gamma exposure, always positive"),
        real("gex_share_pct", "%", "gex over the sum of both sizes: comparable across names"),
        text("regime", "POSITIVE (damping), NEGATIVE (amplifying) or NEUTRAL: gex_share_pct against a band"),
        text("regime_literal", "the same by gex itself against the documented ₹ 5 crore"),
        real("gamma_flip", "₹", "spot nearest now at which gex, revalued over the whole chain, changes sign"),
        real("gamma_flip_distance_pct", "%", "gamma flip against spot"),
        text("gamma_above_flip", "POSITIVE or NEGATIVE: sign of gex just above the flip"),
        count("flip_crossings", "crossings", "sign changes of gex in range; 0: none in range, so there is no flip"),
        real("cumulative_flip", "₹", "documented flip: where gex cumulated from the lowest strike changes sign"),
        real("call_gamma_wall", "₹", "strike of the largest call gamma exposure; a tie: nearest spot"),
        real("put_gamma_wall", "₹", "strike of the largest put gamma exposure; a tie: nearest spot"),
        real("vex_strike", "₹", "strike of the largest vega-driven hedge flow, either direction"),
        real("dex", "₹ crore", "hedge that dealers hold against delta; + they are long the underlying"),
        real("vex", "₹ crore / vol point", "hedge flow when volatility rises one point; + dealers buy"),
        real("cex", "₹ crore / day", "hedge flow as a calendar day passes; + dealers buy"),
        real("priced_share", "share", "share of open interest whose strike has a volatility; 0-1"),
        time("open_interest_time", "when open interest of any leg last changed"),
        text("convention", "dealer: GEX = calls less puts; documented: puts less calls"),
        text("status", "why readings are blank; empty when all is well"),
    ),
)

EXPOSURE_TOTAL = TableSpec(
    "exposure_total",
    "underlying",
    "Dealer exposure of each underlying in ₹ crore: its expiries within 60 days together.",
    (
        count("expiries", "expiries", "expiries that are summed"),
        real("gex", "₹ crore / 1 %", "gamma exposure of all expiries, under the convention in force"),
        real("gex_documented", "₹ crore / 1 %", "the same with the documented sign: puts less calls"),
        real("call_gex", "₹ crore / 1 %", "size of the calls' gamma exposure, always positive"),
        real("put_gex", "₹ crore / 1 %", "size of the puts' gamma exposure, always positive"),
        real("gex_share_pct", "%", "gex over the sum of both sizes: comparable across names"),
        text("regime", "POSITIVE (damping), NEGATIVE (amplifying) or NEUTRAL: gex_share_pct against a band"),
        text("regime_literal", "the same by gex itself against the documented ₹ 5 crore"),
        real("gamma_flip", "₹", "spot nearest now at which gex of all expiries, revalued together, changes sign"),
        real("gamma_flip_distance_pct", "%", "gamma flip against spot"),
        text("gamma_above_flip", "POSITIVE or NEGATIVE: sign of gex just above the flip"),
        count("flip_crossings", "crossings", "sign changes of gex in range; 0: none in range, so there is no flip"),
        real("cumulative_flip", "₹", "documented flip: where gex cumulated from the lowest strike changes sign"),
        real("call_gamma_wall", "₹", "strike of the largest call gamma exposure, expiries together"),
        real("put_gamma_wall", "₹", "strike of the largest put gamma exposure, expiries together"),
        real("dex", "₹ crore", "hedge that dealers hold against delta; + they are long the underlying"),
        real("vex", "₹ crore / vol point", "hedge flow when volatility rises one point; + dealers buy"),
        real("cex", "₹ crore / day", "hedge flow as a calendar day passes; + dealers buy"),
        time("open_interest_time", "when open interest of any leg last changed"),
        text("convention", "dealer: GEX = calls less puts; documented: puts less calls"),
        text("status", "why readings are blank, or which expiries are missing; empty when all is well"),
    ),
)

EXPOSURE_MARKET = TableSpec(
    "exposure_market",
    "market",
    "Dealer exposure of the whole market in ₹ crore: all names, then indices and stocks apart.",
    (
        text("underlying", "MARKET, INDICES or STOCKS: which names are summed"),
        count("names", "names", "underlyings that are summed"),
        count("names_missing", "names", "underlyings without a number now"),
        count("positive", "names", "underlyings in regime POSITIVE"),
        count("negative", "names", "underlyings in regime NEGATIVE"),
        real("gex", "₹ crore / 1 %", "sum of gex"),
        real("call_gex", "₹ crore / 1 %", "sum of the calls' sizes"),
        real("put_gex", "₹ crore / 1 %", "sum of the puts' sizes"),
        real("gex_share_pct", "%", "gex over the sum of both sizes"),
        real("dex", "₹ crore", "sum of dex"),
        real("vex", "₹ crore / vol point", "sum of vex"),
        real("cex", "₹ crore / day", "sum of cex"),
        time("open_interest_time", "when open interest of any leg last changed"),
        text("convention", "dealer: GEX = calls less puts; documented: puts less calls"),
    ),
)

EXPOSURE_RANK = TableSpec(
    "exposure_rank",
    "underlying",
    "Gamma exposure of each underlying beside its own of earlier sessions at the close, and beside its turnover.",
    (
        real("gex_percentile", "0-100", "share of the last 60 closes with a lower gex; blank until all 60 are known"),
        count("sessions", "sessions", "sessions whose gex at the close is known, of the last 60"),
        real("gex_low", "₹ crore / 1 %", "5th percentile of gex at these closes"),
        text("extreme", "LOW where gex is at or below gex_low: moves are amplified as rarely; else empty"),
        real("turnover", "₹ crore / day", "mean turnover of the last 20 sessions, cash and futures together"),
        real("gex_turnover_pct", "%", "gex over that turnover: comparable across names"),
        text("status", "why readings are blank; empty when all is well"),
    ),
)
