"""SYSTEM_HEALTH and NAMES: how the engine is, and the stable names that a user's formulas hang on. Data only."""

from __future__ import annotations

from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import (
    Column,
    Named,
    NamedCell,
    Owned,
    Sheet,
    Table,
    Text,
    band,
    side_by_side,
    spacer,
)
from optionscanner.workbook.layout_index import INDICES

HEALTH_ROWS = 26
GROUP_ROWS = 3
WORST_ROWS = 10
EVENT_ROWS = 60

_HEALTH = (
    Column("Item", 34, "health.item", Kind.TEXT),
    Column("Value", 30, "health.value", Kind.ANY),
    Column("Limit", 18, "health.limit", Kind.TEXT),
    Column("State", 9, "health.state", Kind.WORD),
    Column("Since", 11, "health.since", Kind.TIME, "IST"),
    # Narrow columns under one long text, so that the band above has places to begin.
    Column("What to do", 19, "health.what_to_do", Kind.TEXT),
    spacer(19),
    spacer(19),
)

_GROUPS = (
    Column("Group", 13, "group.name", Kind.TEXT),
    Column("Names", 8, "group.names", Kind.COUNT),
    Column("Fresh", 8, "group.fresh", Kind.COUNT),
    Column("Late", 8, "group.late", Kind.COUNT, "> 2 refr."),
    Column("Stale", 8, "group.stale", Kind.COUNT, "> 3 refr."),
    Column("Withheld", 9, "group.withheld", Kind.COUNT),
    Column("OI steps", 9, "group.steps", Kind.COUNT, "today"),
    Column("Refresh", 9, "group.refresh", Kind.COUNT, "s, promised"),
)

_WORST = (
    Column("Name", 13, "worst.name", Kind.TEXT),
    Column("Seen at", 8, "worst.seen", Kind.TIME, "IST"),
    Column("Seen %", 8, "worst.coverage", Kind.SHARE, "% of legs"),
    Column("Reason", 8, "worst.reason", Kind.TEXT),
    spacer(8),
    spacer(9),
    spacer(9),
    spacer(9),
)

_EVENTS = (
    Column("Where", 34, "event.where", Kind.TEXT),
    Column("Times", 30, "event.times", Kind.COUNT),
    Column("Time", 18, "event.at", Kind.TIME, "IST"),
    Column("What", 9, "event.what", Kind.TEXT, "newest first"),
    spacer(11),
    spacer(19),
    spacer(19),
    spacer(19),
    spacer(2),
    Column("Action", 13, "event.action", Kind.TEXT),
    *(spacer(width) for width in (8, 8, 8, 8, 9, 9, 9)),
)

_HEALTH_WIDTHS = side_by_side(_HEALTH, _GROUPS)
_RIGHT = len(_HEALTH) + 2

SYSTEM_HEALTH = Sheet(
    name="SYSTEM_HEALTH",
    title="System health",
    widths=_HEALTH_WIDTHS,
    tables=(
        Table("health", 5, 1, _HEALTH, HEALTH_ROWS),
        Table("completeness", 5, _RIGHT, _GROUPS, GROUP_ROWS),
        Table("worst_names", 11, _RIGHT, _WORST, WORST_ROWS),
        Table("events", HEALTH_ROWS + 8, 1, _EVENTS, EVENT_ROWS),
    ),
    cells=(band("SYSTEM_HEALTH", _HEALTH_WIDTHS),),
    freeze=(3, 0),
    printed=54,
)

_PER_INDEX = (
    # suffix, source, kind, unit, clock, meaning
    ("SPOT", "price.spot", Kind.PRICE, "₹", "price", "last price of the index"),
    ("CHANGE", "price.spot_change", Kind.CHANGE, "₹", "price", "spot less the previous close"),
    ("CHANGE_PCT", "price.spot_change_pct", Kind.PERCENT, "%", "price", "change of spot over the previous close"),
    ("FUTURE", "price.future_price", Kind.PRICE, "₹", "price", "future of the nearest option expiry"),
    ("FORWARD", "price.forward", Kind.PRICE, "₹", "price", "price for delivery at expiry that options are priced on"),
    ("EXPIRY", "row.expiry", Kind.DATE, "date", "cycle", "nearest expiry, the one all these names are of"),
    ("DAYS_LEFT", "row.days", Kind.DAYS, "days", "price", "calendar days to 15:30 IST on expiry"),
    ("ATM", "price.atm_strike", Kind.STRIKE, "₹", "price", "listed strike nearest spot"),
    ("STRADDLE", "price.straddle", Kind.PRICE, "₹", "price", "call plus put at the ATM strike"),
    ("EXPECTED_MOVE", "price.expected_move", Kind.PRICE, "points", "price", "one standard deviation to expiry"),
    ("ATM_IV", "price.atm_iv", Kind.VOLATILITY, "%", "price", "implied volatility at the forward"),
    ("ATM_IV_CHANGE", "price.atm_iv_change", Kind.VOLATILITY_CHANGE, "points", "price",
     "ATM_IV less its first value of the day"),
    ("IV_30", "volatility_rank.iv_30", Kind.VOLATILITY, "%", "price", "volatility at 30 days' constant maturity"),
    ("IV_RANK", "volatility_rank.iv_rank", Kind.SCORE, "0-100", "price",
     "IV_30 between the lowest and highest of the year"),
    ("IV_PERCENTILE", "volatility_rank.iv_percentile", Kind.SCORE, "0-100", "price",
     "share of the year's sessions below IV_30"),
    ("IV_SESSIONS", "volatility_rank.sessions", Kind.COUNT, "sessions", "cycle", "days that both rest on"),
    ("RISK_REVERSAL", "volatility.risk_reversal_25", Kind.VOLATILITY_CHANGE, "points", "price",
     "25-delta call less put volatility"),
    ("BUTTERFLY", "volatility.butterfly_25", Kind.VOLATILITY_CHANGE, "points", "price",
     "25-delta wings less ATM_IV"),
    ("STRADDLE_VWAP", "straddle.vwap", Kind.PRICE, "₹", "price", "volume-weighted mean of the straddle today"),
    ("SETTLEMENT", "settlement.estimate", Kind.PRICE, "₹", "price",
     "on expiry day from 15:00: where it may settle"),
    ("PCR", "open_interest.put_call_ratio", Kind.RATIO, "ratio", "OI", "put over call open interest, whole chain"),
    ("PCR_WINDOW", "open_interest.put_call_ratio_window", Kind.RATIO, "ratio", "OI", "PCR of the 11 strikes at ATM"),
    ("PCR_VOLUME", "open_interest.put_call_ratio_volume", Kind.RATIO, "ratio", "price", "put over call volume"),
    ("CALL_OI", "open_interest.call_open_interest", Kind.COUNT, "units", "OI", "call open interest, whole chain"),
    ("PUT_OI", "open_interest.put_open_interest", Kind.COUNT, "units", "OI", "put open interest, whole chain"),
    ("MAX_PAIN", "open_interest.max_pain", Kind.STRIKE, "₹", "OI", "strike at which option buyers together get least"),
    ("MAX_PAIN_PCT", "open_interest.max_pain_distance_pct", Kind.PERCENT, "%", "OI", "maximum pain against spot"),
    ("CALL_WALL", "open_interest.call_wall", Kind.STRIKE, "₹", "OI", "strike of the largest call open interest"),
    ("PUT_WALL", "open_interest.put_wall", Kind.STRIKE, "₹", "OI", "strike of the largest put open interest"),
    ("CALL_OI_ADDED", "open_interest.call_open_interest_added", Kind.COUNT, "units", "OI",
     "change of call open interest since the previous close"),
    ("PUT_OI_ADDED", "open_interest.put_open_interest_added", Kind.COUNT, "units", "OI",
     "change of put open interest since the previous close"),
    ("FUTURE_OI_PCT", "build_up.future_open_interest_change_pct", Kind.MOVE, "%", "OI",
     "change of open interest of all its futures since the previous close, else the open"),
    ("BUILD_UP", "build_up.build_up", Kind.TEXT, "", "OI", "LB, SB, SC or LU: the nearest future's price with that OI"),
    ("GEX_CR", "exposure_total.gex", Kind.CRORE, "₹ crore / 1 %", "OI",
     "gamma exposure of the expiries within 60 days, by exposure.gex_sign"),
    ("GEX_PERCENTILE", "exposure_rank.gex_percentile", Kind.SCORE, "0-100", "OI",
     "share of the last 60 sessions whose GEX at the close was lower; blank with fewer sessions"),
    ("GAMMA_REGIME", "exposure_total.regime", Kind.TEXT, "", "OI",
     "POSITIVE (damping), NEGATIVE (amplifying) or NEUTRAL"),
    ("GAMMA_FLIP", "exposure_total.gamma_flip", Kind.PRICE, "₹", "OI",
     "spot at which that exposure changes sign; blank: none in range"),
    ("GAMMA_FLIP_PCT", "exposure_total.gamma_flip_distance_pct", Kind.PERCENT, "%", "OI", "gamma flip against spot"),
    ("CALL_GAMMA_WALL", "exposure_total.call_gamma_wall", Kind.STRIKE, "₹", "OI",
     "strike of the largest call gamma exposure"),
    ("PUT_GAMMA_WALL", "exposure_total.put_gamma_wall", Kind.STRIKE, "₹", "OI",
     "strike of the largest put gamma exposure"),
    ("DEX_CR", "exposure_total.dex", Kind.CRORE, "₹ crore", "OI", "hedge that dealers hold against delta"),
    ("VEX_CR", "exposure_total.vex", Kind.CRORE, "₹ crore / vol point", "OI",
     "what dealers buy when volatility rises one point"),
    ("CEX_CR", "exposure_total.cex", Kind.CRORE, "₹ crore / day", "OI", "what dealers buy as a calendar day passes"),
    ("EWMA_NET", "flow.ewma_net", Kind.COUNT, "units", "OI", "mean put less call flow per OI observation, all strikes"),
    ("EWMA_ATM", "flow.ewma_atm", Kind.COUNT, "units", "OI", "EWMA_NET weighted by nearness to the forward"),
    ("EWMA_DELTA", "flow.ewma_delta", Kind.COUNT, "units", "OI", "EWMA_NET weighted by the size of delta"),
    ("FLOW_PCT", "flow.flow_pct", Kind.PERCENT, "%", "OI", "EWMA_ATM over ATM-weighted open interest"),
    ("REGIME", "flow.regime", Kind.TEXT, "", "OI", "BULLISH, BEARISH or NEUTRAL; the writer's view"),
    ("TRS", "readiness.readiness", Kind.SCORE, "0-100", "price", "trade readiness"),
    ("ACTION", "readiness.action", Kind.TEXT, "", "price", "band of TRS"),
    ("DIRECTION", "readiness.direction", Kind.TEXT, "", "price", "BULLISH, BEARISH or blank"),
    ("PRICE_TIME", "price.price_time", Kind.TIME, "IST", "price", "newest accepted observation"),
    ("OI_TIME", "price.open_interest_time", Kind.TIME, "IST", "OI", "when open interest of any leg last changed"),
)

_GENERAL = (
    NamedCell("AS_OF", "run.as_of", Kind.DATE_TIME, "IST", "cycle", "instant of this picture on the session's clock"),
    NamedCell("RUN_MODE", "run.mode", Kind.TEXT, "", "cycle", "LIVE, REPLAY or SIMULATED"),
    NamedCell("UNITS", "run.units", Kind.TEXT, "", "cycle", "what sheets show open interest and volume in"),
    NamedCell("OI_SHOW", "run.oi_show", Kind.TEXT, "", "cycle", "what OI_TRACKER shows: PERCENT or CHANGE"),
    NamedCell("INDIA_VIX", "run.vix", Kind.RATIO, "%", "price", "India VIX; blank where the source has none"),
    NamedCell("REFRESH_INDEX", "run.refresh_index", Kind.COUNT, "s", "cycle", "refresh promised to the indices"),
    NamedCell("REFRESH_STOCK", "run.refresh_stock", Kind.COUNT, "s", "cycle", "refresh promised to the stocks"),
    NamedCell("LATE_REFRESHES", "run.late_refreshes", Kind.RATIO, "", "cycle", "refreshes after which a name is late"),
    NamedCell("STALE_REFRESHES", "run.stale_refreshes", Kind.RATIO, "", "cycle", "refreshes after which it is stale"),
    NamedCell("STALE_AT_LEAST", "run.stale_at_least", Kind.COUNT, "s", "cycle", "age below which nothing is stale"),
    NamedCell("CYCLE", "run.cycle", Kind.COUNT, "", "cycle", "cycles of this session so far"),
)


def index_name(underlying: str, suffix: str) -> str:
    """Defined name of a headline number of an index, e.g. NIFTY_SPOT."""
    return f"{underlying}_{suffix}"


HEARTBEAT = "HEARTBEAT"
"""Defined name of the cell in which the process that writes the workbook leaves its time, by the machine's clock."""

# Narrow columns under the long text, so that the band above has places to begin.
_NAMES_WIDTHS = (26.0, 20.0, 18.0, 9.0, 28.0, *(14 * (9.0,)))
_NAMES_HEADER = 5
_NAMES_HEADS = ("Name", "Value", "Unit", "Clock", "Formula", "Meaning")

_NAMED = (
    *_GENERAL,
    *(
        NamedCell(index_name(index, suffix), f"{index}:{source}", kind, unit, clock, f"{index}: {meaning}")
        for index in INDICES
        for suffix, source, kind, unit, clock, meaning in _PER_INDEX
    ),
)


def _described(row: int, *words: str) -> tuple[Text, ...]:
    """Fixed words of one line of NAMES, beside the value in column B."""
    return tuple(
        Text(row, column, text, "text" if column == 1 else "text-after")
        for column, text in zip((1, 3, 4, 5, 6), words, strict=True)
    )


NAMES = Sheet(
    name="NAMES",
    title="Names for your formulas",
    widths=_NAMES_WIDTHS,
    cells=(band("NAMES", _NAMES_WIDTHS),),
    named=(Named("names", _NAMES_HEADER + 1, 2, _NAMED),),
    owned=(Owned(HEARTBEAT, _NAMES_HEADER + 1 + len(_NAMED), 2, Kind.DATE_TIME),),
    texts=(
        Text(4, 1, "Use these in your own sheets, e.g. =NIFTY_SPOT-NIFTY_MAX_PAIN; EXAMPLES has more. They never move "
             "and never follow the units switch.", "caption"),
        *(Text(_NAMES_HEADER, column, header, "header") for column, header in enumerate(_NAMES_HEADS, 1)),
        *(Text(_NAMES_HEADER, column, "", "header") for column in range(7, len(_NAMES_WIDTHS) + 1)),
        *(
            text
            for i, cell in enumerate(_NAMED)
            for text in _described(
                _NAMES_HEADER + 1 + i, cell.name, cell.unit, cell.clock, f"={cell.name}", cell.meaning
            )
        ),
        *_described(
            _NAMES_HEADER + 1 + len(_NAMED), HEARTBEAT, "local", "machine", f"={HEARTBEAT}",
            "when the live writer was last at work, by this machine's clock; blank without one",
        ),
    ),
    freeze=(_NAMES_HEADER, 1),
)  # fmt: skip
