"""What every number on the sheets means, and the notes that say so beside its header. Data and words only.

Readings bring their words from `model/columns.py`; here stand those of what only sheets show. Main entries:
`meaning_of`, `column_note`, `label_note`, `name_note`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optionscanner.model.columns import ALERTS, READINGS
from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import Column, NamedCell
from optionscanner.workbook.meanings_drilldown import DRILLDOWN_WORDS

LONGEST_HINT = 255
"""Characters that a spreadsheet takes as the hint of a cell."""
PRICE, OPEN_INTEREST, CYCLE, DAY = "price time", "OI time", "this picture (AS_OF)", "fixed for the day"
"""What a number is as of."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """One quantity in words."""

    text: str
    unit: str
    clock: str
    """What it is as of; "" where that says nothing."""
    source: str
    """Where it comes from."""


_CLOCKS = {
    "price": PRICE, "open_interest": OPEN_INTEREST, "flow": OPEN_INTEREST, "activity": PRICE, "readiness": PRICE,
    "build_up": OPEN_INTEREST, "open_interest_change": OPEN_INTEREST, "alerts": CYCLE,
    "exposure": OPEN_INTEREST, "exposure_total": OPEN_INTEREST, "exposure_market": OPEN_INTEREST,
    "exposure_rank": OPEN_INTEREST,
    "unusual_activity_total": OPEN_INTEREST,
    "volatility": PRICE, "volatility_rank": PRICE, "straddle": PRICE, "settlement": PRICE, "pain": OPEN_INTEREST,
    # Of a table, these differ.
    "price.open_interest_time": OPEN_INTEREST, "open_interest.call_volume": PRICE, "open_interest.put_volume": PRICE,
    "open_interest.put_call_ratio_volume": PRICE, "activity.open_interest": OPEN_INTEREST,
    "activity.open_interest_flow": OPEN_INTEREST,
}  # fmt: skip

_QUOTE = "quotes of the source"
_HERE = "computed by this program"
_ABOUT = "this program"
_PIVOT = "classic pivots of the day's high, low and close"
_DAILY = "daily files of the exchanges"
_ALERTED = "alerts of this program"

_OWN: dict[str, Meaning] = {
    source: Meaning(text, unit, clock, origin)
    for source, text, unit, clock, origin in (
        ("row.name", "name of the underlying", "text", "", _QUOTE),
        ("row.kind", "Index or Stock", "text", "", _QUOTE),
        ("row.rank", "place by TRS, then size of Flow %, at this moment; the rows themselves move less often", "count",
         CYCLE, _HERE),
        ("row.volume_oi", "YES where an event of the nearest expiry agrees with its flow, else NO", "text", PRICE,
         "the volume/OI scan"),
        ("row.status", "why something is blank or withheld; empty when all is well", "text", CYCLE, _HERE),
        ("tracked.vix", "India VIX; blank where the source has none", "%", PRICE, _QUOTE),
        ("row.volatility_status", "why rank, percentile, skew or the mean straddle are blank; empty when all is well",
         "text", PRICE, _HERE),
        ("row.lot_size", "units per contract", "units", DAY, "contract data of the source"),
        ("row.expiry", "nearest expiry, the one that every number of the row is of", "date", DAY,
         "contract data of the source"),
        ("row.days", "calendar days to 15:30 IST on expiry; on the day itself hours and minutes", "days", PRICE, _HERE),
        ("day.open", "first price of the day", "₹", PRICE, _QUOTE),
        ("day.high", "highest price of the day so far", "₹", PRICE, _QUOTE),
        ("day.low", "lowest price of the day so far", "₹", PRICE, _QUOTE),
        ("day.previous_close", "close of the previous session", "₹", DAY, _QUOTE),
        ("leg.open_interest", "open contracts now", "", OPEN_INTEREST, _QUOTE),
        ("leg.change_in_open_interest", "open interest less that of the previous session's close", "", OPEN_INTEREST,
         _QUOTE),
        ("leg.open_interest_flow", "change against the previous distinct observation: the last step of open interest",
         "", OPEN_INTEREST, _HERE),
        ("leg.volume", "traded today, cumulative", "", PRICE, _QUOTE),
        ("leg.volume_oi_ratio", "volume over open interest; below one lot counts as one lot", "ratio", PRICE, _HERE),
        ("leg.build_up", "price and open interest of the leg together, since the previous close, else the open: LB "
         "long build-up, SB short build-up, SC short covering, LU long unwinding; blank within the dead bands", "text",
         OPEN_INTEREST, _HERE),
        ("leg.implied_volatility", "from the leg's own price; blank where there is none", "% a year", PRICE,
         "Black-76 on the forward"),
        ("leg.delta", "change of the option's price for ₹1 of the forward, on the strike's volatility",
         "per ₹1 of forward", PRICE, "Black-76 on the forward"),
        ("leg.bid", "best bid", "₹", PRICE, _QUOTE),
        ("leg.ask", "best ask", "₹", PRICE, _QUOTE),
        ("leg.change", "last trade less the previous session's close of the contract", "₹", PRICE, _QUOTE),
        ("leg.last", "last trade", "₹", PRICE, _QUOTE),
        ("chain.strike", "listed strike; tinted at the walls, at maximum pain and just below the gamma flip, bold "
         "between lines at the money", "₹", DAY, "contract data of the source"),
        ("activity.dir", "first letters of the event's direction: BULL, BEAR or blank", "text", PRICE,
         "the volume/OI scan"),
        ("activity.signal", "who pressed, and whether the event counts: `WRITE valid`, `BUY ignored`", "text", PRICE,
         "the volume/OI scan"),
        ("alerts.dir", "first letters of the direction: BULL or BEAR", "text", CYCLE, "alerts of this program"),
        ("trail.at", "when the five minutes begin; the row holds the newest values in them", "hh:mm:ss IST", CYCLE,
         _HERE),
        ("tile.readiness", "readiness of the nearest expiry with its direction: up bullish, down bearish; blank where "
         "stale", "0-100", PRICE, "readiness.readiness and readiness.direction in the history"),
        ("trail.roll", "strike at the money less that of the five minutes before; blank where it stayed", "₹", PRICE,
         _HERE),
        ("health.item", "what is looked at", "text", "", _ABOUT),
        ("health.value", "what was found", "as the item says", CYCLE, _ABOUT),
        ("health.limit", "what it is held against", "as the item says", "", _ABOUT),
        ("health.state", "OK, WARN or BAD; BAD stands first", "text", CYCLE, _ABOUT),
        ("health.since", "since when it is so", "hh:mm:ss IST", CYCLE, _ABOUT),
        ("health.what_to_do", "the way out", "text", "", _ABOUT),
        ("group.name", "indices, stocks, all", "text", "", _ABOUT),
        ("group.names", "underlyings in the source", "count", DAY, _ABOUT),
        ("group.fresh", "seen within two promised refreshes", "count", CYCLE, _ABOUT),
        ("group.late", "older than two promised refreshes, not yet stale", "count", CYCLE, _ABOUT),
        ("group.stale", "older than three promised refreshes and a minute", "count", CYCLE, _ABOUT),
        ("group.withheld", "names without a readiness, for whatever reason", "count", CYCLE, _ABOUT),
        ("group.steps", "distinct observations of open interest, all names together", "count", CYCLE, _ABOUT),
        ("group.refresh", "seconds between observations that the source promises, of the slowest name", "s", DAY,
         _ABOUT),
        ("worst.name", "underlying", "text", "", _ABOUT),
        ("worst.seen", "its newest accepted observation", "hh:mm:ss IST", PRICE, _ABOUT),
        ("worst.coverage", "listed legs that are current", "%", CYCLE, _ABOUT),
        ("worst.reason", "why something of it is blank", "text", CYCLE, _ABOUT),
        ("event.where", "engine, sink or the border", "text", "", _ABOUT),
        ("event.times", "how often the same words came", "count", CYCLE, _ABOUT),
        ("event.at", "newest time", "hh:mm:ss IST", CYCLE, _ABOUT),
        ("event.what", "what happened", "text", "", _ABOUT),
        ("event.action", "what the program did about it", "text", "", _ABOUT),
        ("eod.atm_iv_open", "first ATM volatility of the day: atm_iv less atm_iv_change", "% a year", PRICE, _HERE),
        ("eod.s3", "low - 2(high - P)", "points", PRICE, _PIVOT),
        ("eod.s2", "P - (high - low)", "points", PRICE, _PIVOT),
        ("eod.s1", "2P - high", "points", PRICE, _PIVOT),
        ("eod.pivot", "P = (high + low + close) / 3", "points", PRICE, _PIVOT),
        ("eod.r1", "2P - low", "points", PRICE, _PIVOT),
        ("eod.r2", "P + (high - low)", "points", PRICE, _PIVOT),
        ("eod.r3", "high + 2(P - low)", "points", PRICE, _PIVOT),
        ("plan.high", "highest price of the previous session", "₹ or points", DAY, _DAILY),
        ("plan.low", "lowest price of the previous session", "₹ or points", DAY, _DAILY),
        ("plan.close", "close of the previous session; by the source where no daily file has it", "₹ or points", DAY,
         _DAILY),
        ("plan.opened", "open of the day; where the source gives none, the first price of the first five minutes",
         "₹ or points", PRICE, _QUOTE),
        ("plan.gap", "open less the previous close", "₹ or points", PRICE, _HERE),
        ("plan.gap_pct", "the gap over the previous close", "%", PRICE, _HERE),
        ("plan.gap_in_moves", "the gap in ordinary moves of a day: beyond 1 it is more than usual", "day moves", PRICE,
         _HERE),
        *((f"plan.{name}", words, "₹ or points", DAY, "classic pivots of the previous session's high, low and close")
          for name, words in (("s3", "low - 2(high - P)"), ("s2", "P - (high - low)"), ("s1", "2P - high"),
                              ("pivot", "P = (high + low + close) / 3"), ("r1", "2P - low"), ("r2", "P + (high - low)"),
                              ("r3", "high + 2(P - low)"))),
        ("plan.volatility", "volatility of 30 days at the previous close; without one, the day's first at the money",
         "% a year", DAY, _DAILY),
        ("plan.move", "one standard deviation of a session: IV x previous close / square root of 252", "₹ or points",
         DAY, _HERE),
        ("plan.move_low", "previous close less the day's move", "₹ or points", DAY, _HERE),
        ("plan.move_high", "previous close plus the day's move", "₹ or points", DAY, _HERE),
        ("plan.status", "why levels are blank", "text", DAY, _ABOUT),
        ("eod.alert", "kind of alert", "text", "", _ALERTED),
        ("eod.bullish", "bullish alerts of this kind today", "count", CYCLE, _ALERTED),
        ("eod.bearish", "bearish alerts of this kind today", "count", CYCLE, _ALERTED),
        ("eod.all", "all alerts of this kind today", "count", CYCLE, _ALERTED),
        ("control.watched", "whether the symbol beside it is one that the source has", "text", CYCLE, _ABOUT),
        ("band.mode", "mode and seed or date, the session's clock, the speed of a replay; red where nobody fills the "
         "workbook any more", "text", CYCLE, _ABOUT),
        ("band.session", "OPEN, or when the market opens next by the exchange's calendar", "text", CYCLE, _ABOUT),
        ("band.title", "the sheet", "text", "", _ABOUT),
        ("band.units", "unit of open interest and volume on the sheets", "text", "", "UNITS"),
        ("band.front", "how the workbook is written, and whether an order is held because you filter", "text", "",
         _ABOUT),
        ("band.tick", "the five indices and India VIX: last price and change, or `not in source`", "points", PRICE,
         _QUOTE),
        ("band.price", "oldest price time on this sheet and its age", "hh:mm:ss IST and seconds", PRICE, _QUOTE),
        ("band.open_interest", "oldest OI time on this sheet and its age", "hh:mm:ss IST and seconds", OPEN_INTEREST,
         _QUOTE),
        ("band.cycle", "seconds that the last cycle took", "s", CYCLE, _ABOUT),
        ("band.names", "how many names are stale", "count", CYCLE, _ABOUT),
        *DRILLDOWN_WORDS,
        ("band.message", "the newest thing you should know, such as NOT STORED with the reason", "text", CYCLE, _ABOUT),
    )
}  # fmt: skip

SETTING_HEADS = {
    "Setting": "what can be set",
    "Value": "type here; an empty cell means the value of config.yaml",
    "Unit": "unit of the value",
    "Allowed": "what the cell takes; anything else is refused with the reason",
    "In force": "what the program works with now; differs from Value while a change waits or was refused",
    "Since": "when that came into force, hh:mm:ss IST by the computer's clock",
    "Answer": "accepted, or refused with the reason",
    "Watchlist": "type a stock's symbol into each cell; ALERT_SUMMARY can show these first",
}
"""Head of a column of CONTROL -> its note."""

_DECLARED = {f"{spec.name}.{c.name}": c for spec in (*READINGS, ALERTS) for c in spec.columns}

_UNIT_OF_KIND = {
    Kind.TIME: "hh:mm:ss IST", Kind.DATE: "date", Kind.DATE_TIME: "date and time, IST", Kind.VOLATILITY: "% a year",
    Kind.VOLATILITY_CHANGE: "percentage points", Kind.SHARE: "%", Kind.TEXT: "text", Kind.WORD: "text",
}  # fmt: skip
_BY_SWITCH = "lakh, contracts or units, as UNITS says"


def meaning_of(source: str) -> Meaning | None:
    """Words of what a cell shows, None where nobody declares it. Calls and puts of a ladder mean the same."""
    table, _, name = source.partition(".")
    known = f"leg.{name}" if table in ("call", "put") else "band.tick" if source.startswith("band.tick") else source
    if known in _OWN:
        return _OWN[known]
    column = _DECLARED.get(source)
    if column is None:
        return None
    clock = _CLOCKS.get(source, _CLOCKS[table])
    return Meaning(column.meaning, column.unit or "text", clock, f"{table}.{name} in the history")


def unit_words(kind: Kind, declared: str) -> str:
    """The unit in which a sheet shows a quantity of this kind."""
    return _BY_SWITCH if kind.follows_units else _UNIT_OF_KIND.get(kind, declared) or declared


def column_note(column: Column) -> str:
    """Note of a column's header: meaning; unit and clock; source. "" where nobody declares it."""
    meaning = meaning_of(column.source)
    if meaning is None or column.note:
        return column.note
    return _three_lines(meaning, column.kind)


def value_note(source: str, kind: Kind) -> str:
    """Note of a single cell."""
    meaning = meaning_of(source)
    return "" if meaning is None else _three_lines(meaning, kind)


def label_note(shown: Sequence[tuple[str, str, Kind]]) -> str:
    """Hint of a card's label; `shown`: head, source and kind of each value beside it, a line for each."""
    known = [(head, meaning, kind) for head, source, kind in shown if (meaning := meaning_of(source)) is not None]
    if len(known) == 1:
        return _three_lines(known[0][1], known[0][2])
    lines = [
        f"{head and f'{head}: '}{meaning.text} "
        f"({'as UNITS says' if kind.follows_units else unit_words(kind, meaning.unit)}; {meaning.clock})"
        for head, meaning, kind in known
    ]
    # Whole lines, as far as a hint has room: columns side by side mean the same over different times.
    while len("\n".join(lines)) > LONGEST_HINT:
        lines.pop()
    return "\n".join(lines)


def spark_note(source: str) -> str:
    """Note of the label beside a line of the day."""
    meaning = meaning_of(source)
    words = meaning.text if meaning is not None else source
    return f"{words}\nThe line: since the open, every five minutes. Its numbers: columns on the right."


def name_note(cell: NamedCell) -> str:
    """Note of a line of the NAMES sheet."""
    owner, _, source = cell.source.rpartition(":")
    meaning = meaning_of(source)
    if meaning is None:
        return f"{cell.meaning}\nUnit: {cell.unit or 'text'}. As of: {cell.clock}."
    of = f" for {owner}" if owner else ""
    return (
        f"{meaning.text}\nUnit: {cell.unit or 'text'}, whatever UNITS says. As of: {meaning.clock}."
        f"\nFrom: {meaning.source}{of}"
    )


def _three_lines(meaning: Meaning, kind: Kind) -> str:
    as_of = f" As of: {meaning.clock}." if meaning.clock else ""
    return f"{meaning.text}\nUnit: {unit_words(kind, meaning.unit)}.{as_of}\nFrom: {meaning.source}"
