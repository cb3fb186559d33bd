"""The F&O bhavcopy: end of day of every contract, in the layouts that are about.

Main entries: `matches`, `read`. Layouts: UDiFF (NSE and BSE, since July 2024), the legacy one (to July 2024), cuts and
conversions of these two, and the market-activity files ``fo`` and ``op``, whose date stands only in their name.
Open interest is published in units; what is traded in contracts, at BSE in units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from optionscanner.adapters.nse.content import DailyPart
from optionscanner.adapters.nse.lot_sizes import LARGEST_LOT, implied_lots
from optionscanner.adapters.nse.reading import Reading, finished
from optionscanner.adapters.nse.rows import (
    Sheet,
    Sieve,
    date_in_name,
    head_of,
    header_of,
    read_dates,
    read_names,
    read_numbers,
    read_whole,
    sheet_of,
)
from optionscanner.errors import RecordingError
from optionscanner.model.contracts import Bools, Floats
from optionscanner.model.daily import EOD_CONTRACT

LARGEST_STRIKE = 1e8
_LAKH = 1e5
_LARGEST_INTEREST = 1e11
"""Units of one contract; the largest ever held are a hundredth of it."""
_FUTURES = frozenset({"FUTIDX", "FUTSTK", "IDF", "STF"})
_OPTIONS = frozenset({"OPTIDX", "OPTSTK", "IDO", "STO"})
_EXCHANGES = {"NSE": "NFO", "BSE": "BFO"}


@dataclass(frozen=True)
class _Layout:
    """Plain names of a layout's columns."""

    names: Mapping[str, str]
    """our column -> theirs."""
    needs: frozenset[str]
    """Their columns without which a file is not of this layout."""
    value_unit: float = 1.0
    """₹ for one of their `value`."""
    more: Mapping[str, str] = field(default_factory=dict)
    """what -> their column: exchange, segment, instrument."""


_UDIFF = _Layout(
    names={
        "trading_date": "traddt", "underlying": "tckrsymb", "expiry": "xprydt", "strike": "strkpric",
        "option_type": "optntp", "open": "opnpric", "high": "hghpric", "low": "lwpric", "close": "clspric",
        "last": "lastpric", "previous_close": "prvsclsgpric", "settlement": "sttlmpric",
        "underlying_close": "undrlygpric", "open_interest": "opnintrst",
        "change_in_open_interest": "chnginopnintrst", "traded": "ttltradgvol", "value": "ttltrfval",
        "trades": "ttlnboftxsexctd", "lot_size": "newbrdlotqty",
    },
    needs=frozenset({
        "traddt", "sgmt", "src", "fininstrmtp", "tckrsymb", "xprydt", "strkpric", "optntp", "clspric", "opnintrst",
        "ttltradgvol",
    }),
    more={"exchange": "src", "segment": "sgmt", "instrument": "fininstrmtp"},
)  # fmt: skip

_LEGACY_NAMES = {
    "trading_date": "timestamp", "underlying": "symbol", "expiry": "expirydt", "strike": "strikepr",
    "option_type": "optiontyp", "open": "open", "high": "high", "low": "low", "close": "close",
    "settlement": "settlepr", "open_interest": "openint", "change_in_open_interest": "chginoi",
    "traded": "contracts", "value": "valinlakh",
}  # fmt: skip
_LEGACY = _Layout(
    _LEGACY_NAMES,
    frozenset(_LEGACY_NAMES.values()) | {"instrument"},
    value_unit=_LAKH,
    more={"instrument": "instrument"},
)
_LEGACY_OPTIONS = _Layout(_LEGACY_NAMES, frozenset(_LEGACY_NAMES.values()), value_unit=_LAKH)

_CONVERTED = _Layout(
    names={
        **{name: _LEGACY_NAMES[name] for name in ("underlying", "expiry", "strike", "option_type", "settlement",
                                                  "open_interest", "change_in_open_interest")},
        "trading_date": "tradedate", "traded": "volume", "underlying_close": "underlyingprice",
        "open": "openprice", "high": "highprice", "low": "lowprice", "close": "closeprice", "last": "lastprice",
    },
    needs=frozenset({
        "symbol", "expirydt", "strikepr", "optiontyp", "openint", "chginoi", "volume", "tradedate", "closeprice",
    }),
)  # fmt: skip

_ACTIVITY = _Layout(
    names={
        "underlying": "symbol", "expiry": "expdate", "strike": "strprice", "option_type": "opttype",
        "open": "openprice", "high": "hiprice", "low": "loprice", "close": "closeprice", "open_interest": "openint",
        "traded": "noofcont", "units": "trdqty", "trades": "nooftrade", "value": "trdval",
    },
    needs=frozenset(["instrument", "symbol", "expdate", "closeprice", "openint", "trdqty", "noofcont"]),
    more={"instrument": "instrument"},
)  # fmt: skip

_LAYOUTS = (_UDIFF, _LEGACY, _LEGACY_OPTIONS, _CONVERTED, _ACTIVITY)


def matches(part: DailyPart, text: str) -> bool:
    """Whether the first line names the columns of one of the layouts, of the F&O segment."""
    header = header_of(text)
    if not any(layout.needs <= header for layout in _LAYOUTS):
        return False
    return not (_UDIFF.needs <= header and _segments(text) == {"CM"})


def _segments(text: str) -> set[str]:
    """Segments that the first rows of a UDiFF file are of."""
    sheet = sheet_of("\n".join(head_of(text)[:20]))
    return set(sheet.text("sgmt"))


def read(part: DailyPart, text: str) -> Reading:
    """One bhavcopy; prices ₹, quantities in units."""
    sheet = sheet_of(text)
    layout = next(layout for layout in _LAYOUTS if layout.needs <= sheet.columns.keys())
    sieve = Sieve(sheet.lines)
    sieve.count(sheet.ragged, "the row has more or fewer cells than the header", sheet.first_ragged)
    columns: dict[str, np.ndarray] = _terms(part, sheet, layout, sieve)
    option = np.asarray(columns["option_type"] != "FUT")
    figures = _figures(sheet, layout, sieve)
    traded = figures["contracts_or_units"] > 0
    expiring = option & np.asarray(columns["expiry"] == columns["trading_date"])
    for name in ("open", "high", "low"):
        columns[name] = np.where(traded, figures[name], np.nan)
    for name in ("close", "last", "previous_close", "underlying_close"):
        # A price of 0 says that there is none: nothing is quoted below a paisa.
        columns[name] = np.where(figures[name] > 0, figures[name], np.nan)
    bourse = np.asarray(columns["exchange"] == "BFO")
    # BSE gives the index level as the close of an option that expires that day.
    columns["close"] = np.where(expiring & bourse, columns["last"], columns["close"])
    # Both exchanges settle an expiring option at its underlying's value, which is no premium.
    columns["settlement"] = np.where(expiring | ~(figures["settlement"] > 0), np.nan, figures["settlement"])
    for name in ("open_interest", "change_in_open_interest", "trades"):
        columns[name] = figures[name]
    columns |= _quantities(sheet, layout, sieve, columns, figures, option=option, bourse=bourse)
    return finished(EOD_CONTRACT, sieve, columns)


def _terms(part: DailyPart, sheet: Sheet, layout: _Layout, sieve: Sieve) -> dict[str, np.ndarray]:
    """What names each row: date, exchange and contract."""
    names, count = layout.names, len(sheet)
    if "trading_date" in names:
        day = read_dates(sheet, sieve, names["trading_date"], "the trade date")
    else:
        found = date_in_name(part.name)
        if found is None:
            raise RecordingError(
                "a market-activity file has its date only in its name, and this name has none; "
                "give it the exchange's name again, such as op14112025.csv"
            )
        day = np.full(count, found.isoformat(), dtype=object)
    exchange = np.full(count, "NFO", dtype=object)
    if "exchange" in layout.more:
        source = np.array(sheet.text(layout.more["exchange"]), dtype=object)
        sieve.refuse(~np.isin(source, list(_EXCHANGES)), "the exchange is neither NSE nor BSE")
        exchange = np.array([_EXCHANGES.get(word, "") for word in source.tolist()], dtype=object)
        segment = np.array(sheet.text(layout.more["segment"]), dtype=object)
        sieve.refuse(segment != "FO", "the segment is not FO")
    kind = np.array(sheet.text(names["option_type"]), dtype=object)
    if "instrument" in layout.more:
        instrument = np.array(sheet.text(layout.more["instrument"]), dtype=object)
        future, option = np.isin(instrument, list(_FUTURES)), np.isin(instrument, list(_OPTIONS))
        sieve.refuse(instrument == "", "there is no instrument")
        sieve.leave_out(~future & ~option, "the instrument is no future or option on an index or a stock")
    else:
        future = np.isin(kind, ["", "XX"])
        option = ~future
    sieve.refuse(option & ~np.isin(kind, ["CE", "PE"]), "the option type is neither CE nor PE")
    sieve.refuse(future & ~np.isin(kind, ["", "XX"]), "a future has an option type")
    underlying = read_names(sheet, sieve, names["underlying"], "the symbol")
    expiry = read_dates(sheet, sieve, names["expiry"], "the expiry")
    strike = read_numbers(sheet, sieve, names["strike"], "the strike")
    sieve.refuse(option & ~((strike > 0) & (strike <= LARGEST_STRIKE)), "the strike is not above 0")
    sieve.refuse(expiry < day, "it expired before the trade date")
    return {
        "trading_date": day,
        "exchange": exchange,
        "underlying": underlying,
        "expiry": expiry,
        "strike": np.where(option, np.round(strike, 2), np.nan),
        "option_type": np.where(option, kind, "FUT").astype(object),
    }


def _figures(sheet: Sheet, layout: _Layout, sieve: Sieve) -> dict[str, Floats]:
    """Numbers as published, NaN where the layout has none; rows with impossible ones are refused."""
    names = dict(layout.names)
    if layout is _ACTIVITY and sheet.has("notionval"):  # the turnover of options is in another column
        names["value"] = "notionval"

    def price(name: str) -> Floats:
        return read_numbers(sheet, sieve, names.get(name, ""), f"the {name.replace('_', ' ')}")

    found = {
        name: price(name)
        for name in (
            "open",
            "high",
            "low",
            "close",
            "last",
            "previous_close",
            "settlement",
            "underlying_close",
            "value",
        )
    }
    found["value"] = found["value"] * layout.value_unit
    for name, words in (("open_interest", "open interest"), ("trades", "the number of trades"),
                        ("lot_size", "the lot size"), ("units", "the traded quantity")):  # fmt: skip
        found[name] = read_whole(sheet, sieve, names.get(name, ""), words)
    found["change_in_open_interest"] = read_whole(
        sheet, sieve, names.get("change_in_open_interest", ""), "the change in open interest", least=-1e15
    )
    found["contracts_or_units"] = traded = read_whole(sheet, sieve, names["traded"], "the traded number")
    sieve.refuse(np.isnan(found["open_interest"]), "there is no open interest")
    sieve.refuse(found["open_interest"] > _LARGEST_INTEREST, "open interest is larger than that of any market")
    sieve.refuse(np.isnan(traded), "there is no traded number")
    sieve.refuse((traded > 0) & (found["high"] < found["low"]), "the high is below the low")
    before = found["open_interest"] - found["change_in_open_interest"]
    sieve.refuse(before < 0, "open interest less its change is below 0")
    return found


def _quantities(
    sheet: Sheet,
    layout: _Layout,
    sieve: Sieve,
    terms: Mapping[str, np.ndarray],
    figures: Mapping[str, Floats],
    *,
    option: Bools,
    bourse: Bools,
) -> dict[str, Floats]:
    """Volume [units], contracts, turnover [₹] and lot size: as published, or implied where the file does not say."""
    traded, value, units, lot = (figures[name] for name in ("contracts_or_units", "value", "units", "lot_size"))
    middle = np.where(option, np.nan_to_num(np.asarray(terms["strike"], dtype=np.float64)), 0.0)
    low, high = middle + figures["low"], middle + figures["high"]
    if layout is _ACTIVITY:
        lot = np.where(traded > 0, units / np.where(traded > 0, traded, 1.0), np.nan)
        return {"volume": units, "contracts": traded, "value": value, "lot_size": lot}
    value = value / _mistaken_unit(traded, value, (low + high) / 2, layout.value_unit)
    if layout is not _UDIFF:
        lot = implied_lots(
            list(zip(terms["underlying"], terms["expiry"], strict=True)),
            alive=sieve.alive, contracts=traded, value=value, low=low, high=high,
            quantities=(figures["open_interest"], figures["change_in_open_interest"]),
        )  # fmt: skip
        return {"volume": traded * lot, "contracts": traded, "value": value, "lot_size": lot}
    lot = np.where(lot > 0, lot, np.nan)
    in_units = bourse & _traded_in_units(bourse & sieve.alive, traded, value, (low + high) / 2)
    contracts = np.where(in_units, traded / lot, traded)
    return {
        "volume": np.where(in_units, traded, traded * lot),
        "contracts": np.where(contracts == np.rint(contracts), contracts, np.nan),
        "value": value,
        "lot_size": lot,
    }


def _mistaken_unit(traded: Floats, value: Floats, price: Floats, unit: float) -> float:
    """By what the turnover was scaled too much: some conversions keep the column's name "in lakh" and give ₹."""
    some = (traded > 0) & (value > 0) & (price > 0)
    if unit == 1.0 or not some.any():
        return 1.0
    lots = value[some] / (traded[some] * price[some])
    return unit if float(np.median(lots)) > LARGEST_LOT else 1.0


def _traded_in_units(rows: Bools, traded: Floats, value: Floats, price: Floats) -> bool:
    """Whether what was traded is counted in units: then turnover over it is the price. So it is where nothing tells."""
    some = rows & (traded > 0) & (value > 0) & (price > 0)
    return not some.any() or bool(np.median(value[some] / (traded[some] * price[some])) < 1.5)
