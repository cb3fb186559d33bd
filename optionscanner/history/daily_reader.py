"""Questions to the file of daily values, and what a trading day takes from it.

Main entries: `DailyReader`, `prepared`. Reading only; whatever is not there is named and stays blank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd

from optionscanner.errors import HistoryError
from optionscanner.history.daily_store import check_daily
from optionscanner.history.database import opened_for_reading, speaking
from optionscanner.model.contracts import Floats, Layout, SegmentKey
from optionscanner.model.daily import DAILY_TABLES, LEGS, Positions
from optionscanner.model.exposures import SESSIONS, TURNOVER_SESSIONS, PastExposure

INDEX_NAMES = {
    "NIFTY": "NIFTY 50",
    "BANKNIFTY": "NIFTY BANK",
    "FINNIFTY": "NIFTY FINANCIAL SERVICES",
    "MIDCPNIFTY": "NIFTY MIDCAP SELECT",
    "NIFTYNXT50": "NIFTY NEXT 50",
}
"""Symbol of an index with derivatives -> its name in the file of index closes."""
VIX_NAME = "INDIA VIX"
NIL = "NIL"


@dataclass(frozen=True, eq=False)
class Closings:
    """The end of a session, aligned with a layout; NaN where a contract is not in the bhavcopy."""

    open_interest: Floats
    """(R, 2) units."""
    close: Floats
    """(R, 2) ₹; of a contract that did not trade the carried close."""
    lot_size: Floats
    """(S,) units, NaN where unknown."""
    future_open_interest: Floats
    """(F,) units."""
    future_close: Floats
    """(F,) settlement price [₹], else the close."""
    contracts: int
    """Rows of the bhavcopy."""


class DailyReader:
    """The file of daily values, opened for reading; a context manager. Raises HistoryError where it is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        check_daily(path)
        self._database = opened_for_reading(path)
        if "daily_file" not in self._database.table_names():
            self.close()
            raise HistoryError(f"daily values {path}: holds nothing yet; run --import-daily with a folder of files")

    def __enter__(self) -> DailyReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back."""
        self._database.conn.close()

    def files(self) -> pd.DataFrame:
        """Every file that was imported or refused, with what became of its rows."""
        return self._frame("SELECT * FROM daily_file ORDER BY name")

    def dates(self, table: str) -> tuple[date, ...]:
        """Sessions of which a daily table was filled, ascending; `daily_iv` also where nothing came of it."""
        found = self._rows("SELECT trading_date FROM daily_date WHERE kind = ? ORDER BY 1", (table,))
        return tuple(date.fromisoformat(str(row[0])) for row in found)

    def table(self, name: str, first: date, last: date) -> pd.DataFrame:
        """Rows of a daily table of the sessions from `first` to `last`; prices ₹, absent NaN.

        Market lots have no session and are given for first months from YYYY-MM of `first` to that of `last`.
        """
        spec = next((table for table in DAILY_TABLES if table.name == name), None)
        if spec is None:
            known = ", ".join(table.name for table in DAILY_TABLES)
            raise HistoryError(f"daily values: there is no table {name!r}; known are {known}")
        prices = {column.name for column in spec.columns if column.kind == "price"}
        view = "eod_chain" if name == "eod_contract" else name
        picked = ", ".join(
            f"{column}_paise / 100.0 AS {column}" if column in prices and view == name else column
            for column in spec.names
        )
        low, high = first.isoformat(), last.isoformat()
        if name == "market_lot":
            low, high = low[:7], high[:7]
        order = ", ".join(spec.key)
        frame = self._frame(
            f"SELECT {picked} FROM {view} WHERE {spec.names[0]} BETWEEN ? AND ? ORDER BY {order}", (low, high)
        )
        numbers = [column.name for column in spec.columns if column.kind in ("price", "whole", "real")]
        return frame.astype(dict.fromkeys(numbers, float))

    def closings(self, layout: Layout, day: date) -> Closings:
        """The bhavcopy of a session, placed into a layout."""
        frame = self.table("eod_contract", day, day)
        position = {(k.underlying, k.expiry.isoformat()): i for i, k in enumerate(layout.segment_keys)}
        futures = {(k.underlying, k.expiry.isoformat()): i for i, k in enumerate(layout.future_keys)}
        exchanges = dict(zip(layout.names, (u.exchange for u in layout.underlyings), strict=True))
        frame = frame[frame["underlying"].map(exchanges) == frame["exchange"]]
        keys = list(zip(frame["underlying"], frame["expiry"], strict=True))
        is_future = (frame["option_type"] == "FUT").to_numpy(dtype=bool)
        segment = np.array([position.get(key, -1) for key in keys], dtype=np.int64)
        future = np.array([futures.get(key, -1) for key in keys], dtype=np.int64)
        known = np.flatnonzero(~is_future & (segment >= 0))
        row = layout.rows_of(segment[known], frame["strike"].to_numpy()[known])
        known, row = known[row >= 0], row[row >= 0]
        side = (frame["option_type"].to_numpy()[known] == "PE").astype(np.int64)
        placed = {name: np.full((layout.rows, 2), np.nan) for name in ("open_interest", "close")}
        for name, values in placed.items():
            values[row, side] = frame[name].to_numpy()[known]
        lots = np.full(layout.segments, np.nan)
        lots[segment[segment >= 0]] = frame["lot_size"].to_numpy()[segment >= 0]
        held, price = (np.full(len(layout.future_expiry), np.nan) for _ in range(2))
        mine = np.flatnonzero(is_future & (future >= 0))
        held[future[mine]] = frame["open_interest"].to_numpy()[mine]
        settled = frame["settlement"].where(frame["settlement"].notna(), frame["close"])
        price[future[mine]] = settled.to_numpy()[mine]
        return Closings(placed["open_interest"], placed["close"], lots, held, price, len(keys))

    def spots(self, layout: Layout, day: date) -> dict[str, Floats]:
        """(U,) open, high, low and close of the underlyings in a session: index closes, else cash, else bhavcopy."""
        found = {name: np.full(len(layout.underlyings), np.nan) for name in ("open", "high", "low", "close")}
        shares = self.table("cash_close", day, day).set_index("symbol")
        shares = shares[shares["series"] == "EQ"]
        indices = self.table("index_close", day, day).set_index("index_name")
        closes = self._rows(
            "SELECT c.underlying, max(e.underlying_close_paise) / 100.0 FROM eod_contract e "
            "JOIN daily_contract c ON c.id = e.contract WHERE e.trading_date = ? GROUP BY c.underlying",
            (day.isoformat(),),
        )
        told = {str(name): value for name, value in closes if value is not None}
        for u, underlying in enumerate(layout.underlyings):
            name = INDEX_NAMES.get(underlying.name, underlying.name)
            source = indices if underlying.kind == "INDEX" else shares
            if name in source.index:
                for column, values in found.items():
                    values[u] = source.at[name, column]
            elif underlying.name in told:
                found["close"][u] = told[underlying.name]
        return found

    def listed(self, day: date) -> frozenset[tuple[str, str, date]]:
        """(exchange, underlying, expiry) of every contract in the bhavcopies of a session."""
        rows = self._rows(
            "SELECT DISTINCT c.exchange, c.underlying, c.expiry FROM eod_contract e "
            "JOIN daily_contract c ON c.id = e.contract WHERE e.trading_date = ?",
            (day.isoformat(),),
        )
        return frozenset((str(exchange), str(name), date.fromisoformat(str(expiry))) for exchange, name, expiry in rows)

    def market_change_pct(self, day: date, before: date) -> float:
        """NIFTY over a session [%]: its close against that of the session `before`, else as published; NaN without."""
        rows = self._rows(
            "SELECT trading_date, close, change_pct FROM index_close WHERE index_name = ? AND trading_date IN (?, ?)",
            (INDEX_NAMES["NIFTY"], day.isoformat(), before.isoformat()),
        )
        found = {str(at): (float(close), change) for at, close, change in rows}
        if day.isoformat() not in found:
            return float("nan")
        close, published = found[day.isoformat()]
        if before.isoformat() in found:
            return 100.0 * (close / found[before.isoformat()][0] - 1.0)
        return float("nan") if published is None else float(published)

    def banned(self, day: date) -> frozenset[str] | None:
        """Securities in ban on a trade date; None where its list is not there."""
        names = frozenset(self.table("ban_list", day, day)["underlying"])
        return names - {NIL} if names else None

    def positions(self, day: date) -> Positions | None:
        """Participants' open positions at the close of a session; None where the file is not there."""
        frame = self.table("participant", day, day)
        frame = frame[frame["measure"] == "OPEN_INTEREST"]
        if frame.empty:
            return None
        legs = {str(row["participant"]): {leg: float(row[leg]) for leg in LEGS} for _, row in frame.iterrows()}
        return Positions(day, legs)

    def fii_crore(self, day: date) -> dict[str, float]:
        """FII bought less sold of the main instruments in a session [₹ crore]; {} where the file is not there."""
        frame = self.table("fii_statistics", day, day)
        frame = frame[frame["main"] == 1]
        return dict(zip(frame["instrument"], (frame["buy_crore"] - frame["sell_crore"]).astype(float), strict=True))

    def vix(self, before: date, sessions: int) -> tuple[tuple[date, ...], Floats]:
        """Dates and closes [%] of India VIX of the last `sessions` before a date, ascending."""
        rows = self._rows(
            "SELECT trading_date, close FROM vix WHERE trading_date < :before UNION "
            "SELECT trading_date, close FROM index_close WHERE index_name = :name AND trading_date < :before "
            "AND trading_date NOT IN (SELECT trading_date FROM vix) ORDER BY 1 DESC LIMIT :most",
            {"before": before.isoformat(), "name": VIX_NAME, "most": sessions},
        )[::-1]
        return tuple(date.fromisoformat(str(row[0])) for row in rows), np.array([row[1] for row in rows], dtype=float)

    def iv_history(self, names: Sequence[str], before: date, sessions: int) -> tuple[tuple[date, ...], Floats]:
        """Dates and (U, D) volatilities of 30 days' maturity of the last `sessions` before a date, ascending."""
        days = self._last("daily_iv", before, sessions)
        out = np.full((len(names), len(days)), np.nan)
        if days:
            column, line = {day: i for i, day in enumerate(days)}, {name: i for i, name in enumerate(names)}
            for day, name, value in self._rows(
                "SELECT trading_date, underlying, iv_30_days FROM daily_iv "
                "WHERE trading_date BETWEEN ? AND ? AND iv_30_days IS NOT NULL",
                (days[0], days[-1]),
            ):
                if name in line and day in column:
                    out[line[str(name)], column[str(day)]] = value
        return tuple(date.fromisoformat(day) for day in days), out

    def past_exposure(self, layout: Layout, before: date) -> PastExposure | None:
        """Gamma exposures at the close, and turnover, of the last sessions before a date; None where there are none."""
        if "daily_exposure" not in self._database.table_names():
            return None  # imported by an earlier version
        place = {name: i for i, name in enumerate(layout.names)}
        days = self._last("daily_exposure", before, SESSIONS)
        if not days:
            return None
        column = {day: i for i, day in enumerate(days)}
        sizes = np.full((len(days), len(place), 2), np.nan)
        for day, name, call, put in self._rows(
            "SELECT trading_date, underlying, call_gex, put_gex FROM daily_exposure WHERE trading_date BETWEEN ? AND ?",
            (days[0], days[-1]),
        ):
            if name in place and day in column:
                sizes[column[day], place[name]] = call, put
        dates = tuple(date.fromisoformat(day) for day in days)
        return PastExposure(layout.names, dates, sizes, self._turnover(layout, before))

    def _turnover(self, layout: Layout, before: date) -> Floats:
        """(U,) mean turnover of the last sessions, cash and futures [₹ crore a day]; NaN where one of them lacks.

        Of shares the cash side is volume at the close, since the file says no more; of indices that of their members.
        """
        days = self._last("eod_contract", before, TURNOVER_SESSIONS)
        cash, futures = (np.full((TURNOVER_SESSIONS, len(layout.names)), np.nan) for _ in range(2))
        if not days:
            return np.full(len(layout.names), np.nan)
        column, place = {day: i for i, day in enumerate(days)}, {name: i for i, name in enumerate(layout.names)}
        published = {INDEX_NAMES.get(u.name, u.name): u.name for u in layout.underlyings if u.kind == "INDEX"}
        ends = (days[0], days[-1])
        marks = ", ".join("?" * len(days))
        # The few futures first: each is then found by the key of its sessions.
        traded = self._rows(
            "SELECT e.trading_date, c.underlying, total(e.value) / 1e7 FROM daily_contract c CROSS JOIN eod_contract e "
            "ON e.contract = c.id WHERE c.option_type = 'FUT' AND c.expiry >= ? "
            f"AND e.trading_date IN ({marks}) GROUP BY 1, 2",
            (days[0], *days),
        )
        shares = self._rows(
            "SELECT trading_date, symbol, total(volume * close_paise) / 1e9 FROM cash_close "
            "WHERE trading_date BETWEEN ? AND ? GROUP BY 1, 2",
            ends,
        )
        members = self._rows(
            "SELECT trading_date, index_name, turnover_crore FROM index_close "
            "WHERE trading_date BETWEEN ? AND ? AND turnover_crore IS NOT NULL",
            ends,
        )
        stocks = [row for row in shares if row[1] not in published.values()]
        owners = [(day, published[name], value) for day, name, value in members if name in published]
        for into, rows in ((futures, traded), (cash, [*stocks, *owners])):
            for day, name, value in rows:
                if name in place and day in column:
                    into[column[day], place[str(name)]] = value
        total = cash + futures
        return np.where(np.isfinite(total).all(axis=0), total.mean(axis=0), np.nan)

    def _last(self, kind: str, before: date, most: int) -> list[str]:
        """The last sessions before a date of which a table was filled, as ISO text, ascending."""
        rows = self._rows(
            "SELECT trading_date FROM daily_date WHERE kind = ? AND rows > 0 AND trading_date < ? "
            "ORDER BY 1 DESC LIMIT ?",
            (kind, before.isoformat(), most),
        )
        return [str(row[0]) for row in rows][::-1]

    def listed_lot(self, key: SegmentKey, on: date) -> float:
        """Lot of a contract by the newest list of market lots that could be known on a date; NaN without one."""
        following = date(on.year + on.month // 12, on.month % 12 + 1, 1)
        month = key.expiry.isoformat()[:7]
        rows = self._rows(
            "SELECT lot_size FROM market_lot WHERE underlying = ? AND expiry_month = ? AND first_month <= ? "
            "ORDER BY first_month DESC LIMIT 1",
            (key.underlying, month, min(month, following.isoformat()[:7])),
        )
        return float(rows[0][0]) if rows else float("nan")

    def _rows(self, statement: str, given: Sequence[object] | dict[str, object] = ()) -> list[tuple[Any, ...]]:
        with speaking(self.path):
            return list(self._database.conn.execute(statement, given))

    def _frame(self, statement: str, given: Sequence[object] = ()) -> pd.DataFrame:
        with speaking(self.path):
            cursor = self._database.conn.execute(statement, given)
            return pd.DataFrame(cursor.fetchall(), columns=[column[0] for column in cursor.description])
