"""Small raw files and recorded days for the tests of recording, import and replay. All figures are made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from optionscanner.adapters.recorded.manifest import Manifest
from optionscanner.adapters.recorded.tables import table_of

IST = ZoneInfo("Asia/Kolkata")
DAY = date(2026, 1, 30)
"""A Friday with a regular session, 09:15 to 15:30."""
EXPIRY = date(2026, 2, 24)


def ist(text: str, day: date = DAY) -> float:
    """Seconds since 1970 UTC of a time of day in India, HH:MM or HH:MM:SS."""
    return datetime.combine(day, time.fromisoformat(text), IST).timestamp()


def instants(times: Sequence[str | None], day: date = DAY) -> np.ndarray:
    """Times of day in India as datetime64[ms] in UTC; None is NaT."""
    milliseconds = [np.datetime64("NaT") if at is None else round(ist(at, day) * 1000) for at in times]
    return np.array(milliseconds, dtype="datetime64[ms]")


def manifest(**changes: Any) -> Manifest:
    described: dict[str, Any] = {
        "date": DAY,
        "mode_recorded": "LIVE",
        "source": "made up",
        "exchange_stamps": False,
        "observation_step_seconds": 300.0,
    }
    return Manifest(**{**described, **changes})


def instruments(
    contracts: Sequence[tuple[str, str, date, float | None, str]],
    *,
    lot_size: float = 100.0,
    previous_open_interest: Mapping[int, float] | None = None,
) -> pa.Table:
    """`contracts`: (underlying, kind, expiry, strike, option type)."""
    known = previous_open_interest or {}
    return table_of(
        "instruments",
        {
            "exchange": np.array(["NFO"] * len(contracts), dtype=object),
            "underlying": np.array([c[0] for c in contracts], dtype=object),
            "kind": np.array([c[1] for c in contracts], dtype=object),
            "expiry": np.array([c[2] for c in contracts], dtype="datetime64[D]"),
            "strike": np.array([np.nan if c[3] is None else c[3] for c in contracts]),
            "option_type": np.array([c[4] for c in contracts], dtype=object),
            "lot_size": np.full(len(contracts), lot_size),
            "lot_size_source": np.array(["made up"] * len(contracts), dtype=object),
            "previous_open_interest": np.array([known.get(i, np.nan) for i in range(len(contracts))]),
        },
    )


def options(rows: Sequence[Mapping[str, Any]], day: date = DAY) -> pa.Table:
    """Rows with `at` (HH:MM), `strike` and any leg columns; `underlying` and `expiry` default to ACME and EXPIRY."""
    columns: dict[str, np.ndarray] = {
        "observed_at": instants([row["at"] for row in rows], day),
        "exchange": np.array(["NFO"] * len(rows), dtype=object),
        "underlying": np.array([row.get("underlying", "ACME") for row in rows], dtype=object),
        "expiry": np.array([row.get("expiry", EXPIRY) for row in rows], dtype="datetime64[D]"),
        "strike": np.array([row["strike"] for row in rows], dtype=float),
    }
    for name in sorted({name for row in rows for name in row} - {"at", "strike", "underlying", "expiry"}):
        if name.endswith("_at"):
            columns[name] = instants([row.get(name) for row in rows], day)
        else:
            columns[name] = np.array([row.get(name, np.nan) for row in rows], dtype=float)
    return table_of("options", columns)


def spots(rows: Sequence[tuple[str, str, float]], day: date = DAY) -> pa.Table:
    """(time, underlying, spot) rows."""
    return table_of(
        "underlyings",
        {
            "observed_at": instants([row[0] for row in rows], day),
            "exchange": np.array(["NSE"] * len(rows), dtype=object),
            "underlying": np.array([row[1] for row in rows], dtype=object),
            "spot": np.array([row[2] for row in rows], dtype=float),
        },
    )


STOCK_HEADER = (
    "Stock,Expiry,Strike,CE_LTP,CE_OI,CE_Volume,PE_LTP,PE_OI,PE_Volume,Stock_LTP,Stock_High,Stock_Low,"
    "Stock_%_Change,timestamp,Max_Pain"
)
OLD_STOCK_HEADER = "Stock,Expiry,Strike,CE_LTP,CE_OI,PE_LTP,PE_OI,Stock_LTP,Stock_%_Change,timestamp,Max_Pain"
INDEX_HEADER = "Symbol,Expiry,Strike,CE_LTP,CE_OI,CE_Volume,PE_LTP,PE_OI,PE_Volume,Spot,%Change,timestamp,Max_Pain"


def stock_rows(at: str, *, name: str = "ACME", spot: float = 1000.0, expiry: str = "2026-02-24") -> list[str]:
    """Three strikes of one stock in the layout of `STOCK_HEADER`; lots of 100."""
    return [
        f"{name},{expiry},980.0,31.5,1100.0,300.0,9.5,2100.0,400.0,{spot},1010.0,990.0,0.5,{at},1",
        f"{name},{expiry},1000.0,18.0,2500.0,700.0,16.0,1900.0,800.0,{spot},1010.0,990.0,0.5,{at},1",
        f"{name},{expiry},1020.0,8.0,3100.0,900.0,27.0,1300.0,600.0,{spot},1010.0,990.0,0.5,{at},1",
    ]


def index_rows(at: str, *, name: str = "NIFTY", spot: float = 25000.0, expiry: str = "2026-02-03") -> list[str]:
    """Three strikes of one index in the layout of `INDEX_HEADER`; lots of 65."""
    return [
        f"{name},{expiry},24950,210.5,6500,650,150.1,13065,1300,{spot},0.4,{at},1",
        f"{name},{expiry},25000,180,7215,1950,170.2,12935,1300,{spot},0.4,{at},1",
        f"{name},{expiry},25050,155,7800,1300,195.3,11050,2600,{spot},0.4,{at},1",
    ]


def write_csv(place: Path, header: str, rows: Sequence[str]) -> Path:
    place.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return place


def one_minute_file(
    place: Path, rows: Sequence[Mapping[str, Any]], *, symbol: str = "NIFTY", date_: str = "20250829"
) -> Path:
    """A raw one-minute file; each row: strike and any of the page's columns, the rest is 0."""
    names = ("OI", "Chng_in_OI", "Volume", "IV", "LTP", "Net_Chng", "Bid_Qty", "Bid_Price", "Ask_Price", "Ask_Qty")
    columns: dict[str, list[Any]] = {
        "Fetch_Time": [row.get("stamp", "29-Aug-2025 10:00:00") for row in rows],
        "Symbol": [symbol] * len(rows),
        "Expiry_Date": [row.get("expiry", "30-Sep-2025") for row in rows],
        **{f"CALLS_{n}": [float(row.get(f"CALLS_{n}", 0)) for row in rows] for n in names},
        "Strike_Price": [int(row["strike"]) for row in rows],
        **{f"PUTS_{n}": [float(row.get(f"PUTS_{n}", 0)) for row in rows] for n in names},
        "collection_timestamp": [f"{date_}_{row.get('at', '100100')}" for row in rows],
        "index_name": [symbol] * len(rows),
    }
    pq.write_table(pa.table(columns), place)
    return place
