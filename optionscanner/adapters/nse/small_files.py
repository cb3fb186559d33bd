"""The small lists: ban list, market lots, index closes, India VIX, cash bhavcopy, and the user's events.

Main entries: the `Reader` of each, in `SMALL_FILES`.
"""

from __future__ import annotations

import re

import numpy as np

from optionscanner.adapters.nse.content import DailyPart
from optionscanner.adapters.nse.reading import Reader, Reading, finished
from optionscanner.adapters.nse.rows import (
    MONTHS,
    Sheet,
    Sieve,
    find_date,
    header_of,
    numbers,
    read_dates,
    read_names,
    read_numbers,
    read_whole,
    records,
    sheet_of,
)
from optionscanner.errors import RecordingError
from optionscanner.model.daily import BAN_LIST, CASH_CLOSE, EVENT, INDEX_CLOSE, MARKET_LOT, VIX

NIL = "NIL"
"""Stands for the security of a ban list that names none, so that an empty list and a missing one differ."""
_RAGGED = "the row has more or fewer cells than the header"
_MONTH = re.compile(r"([A-Z]{3})-(\d{2})", re.ASCII)
_LARGEST_LOT = 1e6


def _begun(text: str) -> tuple[Sheet, Sieve]:
    sheet = sheet_of(text)
    sieve = Sieve(sheet.lines)
    sieve.count(sheet.ragged, _RAGGED, sheet.first_ragged)
    return sheet, sieve


# Ban list


def _is_ban_list(part: DailyPart, text: str) -> bool:
    return text.lstrip()[:40].lower().startswith("securities in ban for trade date")


def _ban_list(part: DailyPart, text: str) -> Reading:
    title, *rest = text.strip().splitlines()
    day = find_date(title)
    if day is None:
        raise RecordingError("its title has no date, such as 07-OCT-2026; download it again")
    after = title.rpartition(":")[2].strip(" ,").upper()
    rows = [row for row in records("\n".join(rest)) if any(row)]
    nil = (not rows and after == NIL) or [row[0].upper() for row in rows] == [NIL]
    if not rows and not nil:
        raise RecordingError("it names no security and does not say NIL, so it is cut off; download it again")
    cells = [NIL] if nil else [row[1].upper() if len(row) > 1 else "" for row in rows]
    sieve = Sieve(np.arange(2, len(cells) + 2))
    named = np.array([bool(re.fullmatch(r"[A-Z0-9][A-Z0-9&\-]*", cell)) for cell in cells], dtype=bool)
    sieve.refuse(~named, "there is no symbol behind the number")
    columns = {"trading_date": day.isoformat(), "underlying": np.array(cells, dtype=object)}
    return finished(BAN_LIST, sieve, columns)


# Market lots


def _is_market_lots(part: DailyPart, text: str) -> bool:
    header = header_of(text)
    return {"underlying", "symbol"} <= header and any(re.fullmatch(r"[a-z]{3}\d{2}", name) for name in header)


def _market_lots(part: DailyPart, text: str) -> Reading:
    header, *rows = records(text)
    months = {i: month for i, cell in enumerate(header) if (month := _month(cell.upper()))}
    if not months:
        raise RecordingError("its header has no expiry month, such as AUG-26; download it again")
    symbols, expiries, cells, lines = [], [], [], []
    for line, row in enumerate(rows, start=2):
        # The stocks follow under a header of their own.
        if not any(row) or (len(row) > 1 and row[1].lower() == "symbol"):
            continue
        for i, month in months.items():
            if i >= len(row) or row[i]:
                symbols.append(row[1].upper() if len(row) > 1 else "")
                expiries.append(month)
                cells.append(row[i] if i < len(row) else "cut off")
                lines.append(line)
    sieve = Sieve(np.array(lines, dtype=np.int64))
    names = np.array(symbols, dtype=object)
    sieve.refuse(np.array([not name for name in symbols], dtype=bool), "there is no symbol")
    lot, wrong = numbers(cells)
    sieve.refuse(wrong | ~((lot >= 1) & (lot <= _LARGEST_LOT) & (lot == np.rint(lot))), "the lot is no number above 0")
    return finished(
        MARKET_LOT,
        sieve,
        {
            "first_month": min(months.values()),
            "underlying": names,
            "expiry_month": np.array(expiries, dtype=object),
            "lot_size": lot,
        },
    )


def _month(cell: str) -> str:
    """YYYY-MM of a month such as AUG-26; "" where it is none."""
    match = _MONTH.fullmatch(cell)
    return f"20{match[2]}-{MONTHS.index(match[1]) + 1:02d}" if match and match[1] in MONTHS else ""


# Index closes, India VIX


_INDEX_COLUMNS = {
    "open": "openindexvalue",
    "high": "highindexvalue",
    "low": "lowindexvalue",
    "close": "closingindexvalue",
    "points_change": "pointschange",
    "change_pct": "change%",
    "volume": "volume",
    "turnover_crore": "turnoverrscr",
    "price_earnings": "pe",
    "price_book": "pb",
    "dividend_yield": "divyield",
}
_ANY_SIGN = frozenset({"points_change", "change_pct", "price_earnings", "price_book"})


def _is_index_closes(part: DailyPart, text: str) -> bool:
    return {"indexname", "indexdate", "closingindexvalue"} <= header_of(text)


def _index_closes(part: DailyPart, text: str) -> Reading:
    sheet, sieve = _begun(text)
    day = read_dates(sheet, sieve, "indexdate", "the date")
    name = np.array(sheet.text("indexname"), dtype=object)
    sieve.refuse(name == "", "there is no name of an index")
    columns: dict[str, object] = {"trading_date": day, "index_name": name}
    for ours, theirs in _INDEX_COLUMNS.items():
        least = -1e12 if ours in _ANY_SIGN else 0.0
        columns[ours] = read_numbers(sheet, sieve, theirs, ours.replace("_", " "), least=least)
    close = np.asarray(columns["close"], dtype=np.float64)
    sieve.refuse(np.isnan(close), "there is no closing value")
    _refuse_crossed(sieve, columns)
    return finished(INDEX_CLOSE, sieve, columns)


def _is_vix(part: DailyPart, text: str) -> bool:
    header = header_of(text)
    # The prices of an index or a share have a name or a turnover besides.
    return {"date", "open", "high", "low", "close", "prevclose", "change"} <= header and len(header - {""}) <= 8


def _vix(part: DailyPart, text: str) -> Reading:
    sheet, sieve = _begun(text)
    columns: dict[str, object] = {"trading_date": read_dates(sheet, sieve, "date", "the date")}
    for name in ("open", "high", "low", "close"):
        columns[name] = read_numbers(sheet, sieve, name, name)
    columns["previous_close"] = read_numbers(sheet, sieve, "prevclose", "the previous close")
    close = np.asarray(columns["close"], dtype=np.float64)
    # It has stood between 8 and 87 in its life; a column of points or of rupees would not.
    sieve.refuse(~((close > 0) & (close < 200)), "the close is not between 0 and 200 %")
    _refuse_crossed(sieve, columns)
    return finished(VIX, sieve, columns)


def _refuse_crossed(sieve: Sieve, columns: dict[str, object]) -> None:
    high, low = (np.asarray(columns[name], dtype=np.float64) for name in ("high", "low"))
    sieve.refuse(high < low, "the high is below the low")


# Cash bhavcopy


_CASH = (
    {
        "trading_date": "timestamp", "symbol": "symbol", "series": "series", "open": "open", "high": "high",
        "low": "low", "close": "close", "last": "last", "previous_close": "prevclose", "volume": "tottrdqty",
    },
    {
        "trading_date": "date1", "symbol": "symbol", "series": "series", "open": "openprice", "high": "highprice",
        "low": "lowprice", "close": "closeprice", "last": "lastprice", "previous_close": "prevclose",
        "volume": "ttltrdqnty", "delivered": "delivqty",
    },
    {
        "trading_date": "traddt", "symbol": "tckrsymb", "series": "sctysrs", "open": "opnpric", "high": "hghpric",
        "low": "lwpric", "close": "clspric", "last": "lastpric", "previous_close": "prvsclsgpric",
        "volume": "ttltradgvol",
    },
)  # fmt: skip
_SERIES = ["EQ", "BE"]


def _is_cash(part: DailyPart, text: str) -> bool:
    return any(set(layout.values()) <= header_of(text) for layout in _CASH)


def _cash(part: DailyPart, text: str) -> Reading:
    sheet, sieve = _begun(text)
    layout = next((layout for layout in _CASH if set(layout.values()) <= sheet.columns.keys()), None)
    if layout is None:
        raise RecordingError("its header cannot be cut into names of columns; download it again")
    if sheet.has("sgmt"):
        sieve.refuse(np.array(sheet.text("sgmt"), dtype=object) != "CM", "the segment is not CM")
    series = np.array(sheet.text(layout["series"]), dtype=object)
    sieve.leave_out(~np.isin(series, _SERIES), "the series is neither EQ nor BE, so it has no derivatives")
    columns: dict[str, object] = {
        "trading_date": read_dates(sheet, sieve, layout["trading_date"], "the date"),
        "symbol": read_names(sheet, sieve, layout["symbol"], "the symbol"),
        "series": series,
    }
    for name in ("open", "high", "low", "close", "last", "previous_close"):
        values = read_numbers(sheet, sieve, layout[name], f"the {name.replace('_', ' ')}")
        columns[name] = np.where(values > 0, values, np.nan)
    for name in ("volume", "delivered"):
        columns[name] = read_whole(sheet, sieve, layout.get(name, ""), name)
    sieve.refuse(np.isnan(np.asarray(columns["close"], dtype=np.float64)), "there is no close")
    _refuse_crossed(sieve, columns)
    return finished(CASH_CLOSE, sieve, columns)


# Events of the user


KINDS = ("RESULTS", "RBI", "DIVIDEND", "BONUS", "SPLIT", "RIGHTS", "EX_DATE", "BUDGET", "OTHER")
MARKET = "MARKET"


def _is_events(part: DailyPart, text: str) -> bool:
    header = header_of(text)
    return {"date", "event"} <= header and bool({"symbol", "underlying"} & header)


def _events(part: DailyPart, text: str) -> Reading:
    sheet, sieve = _begun(text)
    if not sheet.has("date", "event"):
        raise RecordingError("its header cannot be cut into names of columns; the first line must be date,symbol,event")
    column = "symbol" if sheet.has("symbol") else "underlying"
    names = np.array([name or MARKET for name in sheet.text(column)], dtype=object)
    kinds = np.array([kind.replace("-", "_").replace(" ", "_") for kind in sheet.text("event")], dtype=object)
    sieve.refuse(~np.isin(kinds, KINDS), f"the event is none of {', '.join(KINDS)}")
    described = next((n for n in ("description", "note") if sheet.has(n)), "")
    text_cells = sheet.columns.get(described, [""] * len(sheet))
    columns = {
        "trading_date": read_dates(sheet, sieve, "date", "the date"),
        "underlying": names,
        "kind": kinds,
        "description": np.array(text_cells, dtype=object),
    }
    return finished(EVENT, sieve, columns)


SMALL_FILES = (
    Reader(BAN_LIST, _is_ban_list, _ban_list),
    Reader(MARKET_LOT, _is_market_lots, _market_lots),
    Reader(INDEX_CLOSE, _is_index_closes, _index_closes),
    Reader(VIX, _is_vix, _vix),
    Reader(CASH_CLOSE, _is_cash, _cash),
    Reader(EVENT, _is_events, _events),
)
