"""Tables of unusual activity: its signals, their sum per name, and what is usual at each time of the day."""

from __future__ import annotations

from optionscanner.model.table_spec import TableSpec, count, real, text
from optionscanner.model.usual import SHARES

VOLUME_OI_PROFILE = TableSpec(
    "volume_oi_profile",
    "event",
    "Usual volume over OI of each name's nearest chain, noted once in a quarter of an hour: what later sessions are "
    "measured against.",
    (
        text("underlying", "name of the underlying"),
        text("expiry", "expiry date of the chain, the nearest"),
        count("slot", "quarters", "quarters of an hour since the open of the session"),
        count("legs", "legs", "legs that had traded and had open interest"),
        *(real(f"ratio_{s:.0f}", "ratio", f"volume over OI below which {s:.0f} % of them lay") for s in SHARES),
    ),
)

RULES = (
    "OTM_CALL_ACCUMULATION",
    "OTM_PUT_ACCUMULATION",
    "UNUSUAL_CALL_VOLUME",
    "UNUSUAL_PUT_VOLUME",
    "PCR_EXTREME_HIGH",
    "PCR_EXTREME_LOW",
    "NEGATIVE_GAMMA_ZONE",
)
"""What a signal of unusual activity can be."""

UNUSUAL_ACTIVITY = TableSpec(
    "unusual_activity",
    "event",
    "Unusual options activity by the documented rules, the same for calls and puts; names in ban or on an ex-date "
    "give none.",
    (
        count("rank", "", "1 is first: HIGH before MEDIUM before the others, known direction first"),
        text("underlying", "name of the underlying"),
        text("expiry", "expiry date of the contract, or of the chain that the ratio is of"),
        real("strike", "₹", "listed strike; blank where the signal is of the whole chain"),
        text("option_type", "CE or PE; empty where the signal is of the whole chain"),
        text("rule", f"{', '.join(RULES[:-1])} or {RULES[-1]}"),
        text("urgency", "HIGH for accumulation out of the money, MEDIUM for volume, else empty"),
        text("side", "BUY, WRITE or ?: who pressed, from premium and volatility over the last OI step"),
        text("direction", "BULLISH, BEARISH or empty where it is not known; of a put-call ratio the contrarian one"),
        real("value", "by rule", "what was measured: times the usual change, volume over OI, PCR, GEX share"),
        real("threshold", "by rule", "what it had to be beyond"),
        real("percentile", "0-100", "share of traded legs with a smaller volume over OI; see rests_on"),
        text("rests_on", "what the percentile is of: earlier sessions at this time of day, or the chain now"),
        real("volume", "units", "volume of the leg, cumulative for the day"),
        real("open_interest", "units", "open interest of the leg now"),
        real("open_interest_flow", "units", "change of open interest over the last step"),
        real("usual_change", "units", "usual size of such a change: mean over its last 20 observations before"),
        real("distance_pct", "%", "strike against the ATM strike"),
        text("reason", "numbers against limits, one line"),
    ),
)

UNUSUAL_ACTIVITY_TOTAL = TableSpec(
    "unusual_activity_total",
    "underlying",
    "Unusual activity of each underlying: its signals of all expiries together.",
    (
        count("high", "signals", "signals of urgency HIGH"),
        count("medium", "signals", "signals of urgency MEDIUM"),
        count("signals", "signals", "all signals, those without an urgency too"),
        text("direction", "BULLISH or BEARISH where all directed HIGH and MEDIUM signals agree, MIXED where not"),
        text("word", "the first signal in short: urgency, strike and type, B bought or W written; empty without one"),
        text("reason", "numbers of the first signal against its limits, or why there is none: ban, ex-date, stale"),
    ),
)
