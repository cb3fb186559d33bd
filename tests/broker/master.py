"""The instrument master file, with the traps of the real one.

Main entry: `master_file`. Beside the market's own contracts it has both rows of each index, the newest fields on some
rows only, expiries in the wrong case, a share in a second series, and rows of other segments under known names and
tokens; `rows` fills it up to the size of the real file.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from tests.broker.instruments import INDEX_TOKENS, Instruments
from tests.broker.orders import instrument_type

Row = dict[str, Any]

_LEGACY = {"NIFTY": "26000", "BANKNIFTY": "26009", "FINNIFTY": "26037", "MIDCPNIFTY": "26074", "NIFTYNXT50": "26013"}
"""Old tokens of the indices; they have no candles."""
_WRONG_CASE = 50
"""Each so many contracts have an expiry such as 28Jul2026."""


def master_file(instruments: Instruments, *, rows: int = 0) -> bytes:
    """The file: one JSON array; indices first, then shares, then contracts."""
    cash = range(instruments.underlyings_from, len(instruments))
    every = [_row(instruments, line) for line in cash if instruments.is_index[line]]
    every += [row for row in map(_legacy, {instruments.name[line] for line in cash}) if row]
    shares = [_row(instruments, line) for line in cash if not instruments.is_index[line]]
    every += shares + [_second_series(shares[0])] * bool(shares)
    every += [_row(instruments, line) for line in range(instruments.underlyings_from)]
    every += _other_segments(instruments)
    every += [_filler(number) for number in range(max(rows - len(every), 0))]
    return json.dumps(every, separators=(",", ":")).encode("utf-8")


def _row(instruments: Instruments, line: int) -> Row:
    kind, strike, expiry = instruments.kind[line], float(instruments.strike[line]), instruments.expiry[line]
    index = bool(instruments.is_index[instruments.cash_line(instruments.name[line])])
    written = "" if expiry is None else f"{expiry:%d%b%Y}"
    row = {
        "token": instruments.token[line],
        "symbol": instruments.symbol[line],
        "name": instruments.name[line],
        "expiry": written if line % _WRONG_CASE == 0 else written.upper(),
        "strike": f"{strike * 100:.6f}" if np.isfinite(strike) else "0.000000" if kind == "INDEX" else "-1.000000",
        "lotsize": str(int(instruments.lot[line])),
        "instrumenttype": instrument_type(kind, index),
        "exch_seg": instruments.exchange[line],
        "tick_size": f"{float(instruments.tick[line]) * 100:.6f}",
    }
    if instruments.exchange[line] in ("NSE", "NFO") and kind != "FUT":
        row["freeze_qty"] = "0" if kind == "INDEX" else str(int(instruments.lot[line]) * 27 + 1)
        row["is_cas_enabled"] = kind == "STOCK"
    return row


def _legacy(name: str) -> Row | None:
    if name not in _LEGACY or name not in INDEX_TOKENS:
        return None
    row: Row = dict.fromkeys(("expiry", "instrumenttype"), "")
    return row | {
        "token": _LEGACY[name],
        "symbol": name,
        "name": name,
        "strike": "0.000000",
        "lotsize": "1",
        "exch_seg": "NSE",
        "tick_size": "0.000000",
    }


def _second_series(share: Row) -> Row:
    return share | {"token": str(90_000 + int(share["token"])), "symbol": f"{share['name']}-BE"}


def _other_segments(instruments: Instruments) -> list[Row]:
    """Rows that have nothing to do with the market: published ones where the market has not that very name."""
    token = instruments.token[0]
    rows = [
        _contract("NIFTY26OCTFUT", token, "NIFTY", "29OCT2026", "-1.000000", "1", "FUTCUR", "CDS"),
        _contract("GOLD25SEP26153000CE", "556445", "GOLD", "25SEP2026", "15300000.000000", "1", "OPTFUT", "MCX"),
        _contract("360ONE26NOV1260CE", "1162530", "", "26NOV2026", "126000.000000", "500", "OPTSTK", "BFO"),
        {
            "token": "3148",
            "symbol": "SIDDHIKA-SM",
            "name": "SIDDHIKA",
            "expiry": "",
            "strike": "-1.000000",
            "lotsize": "500",
            "instrumenttype": "",
            "exch_seg": "NSE",
            "tick_size": "5.000000",
            "freeze_qty": "202053",
            "is_cas_enabled": False,
        },
    ]
    if "IEX" not in instruments.name:
        rows.append(
            _contract("IEX27OCT26117.5CE", "102595", "IEX", "27OCT2026", "11750.000000", "4350", "OPTSTK", "NFO")
        )
    return rows


def _contract(
    symbol: str, token: str, name: str, expiry: str, strike: str, lot: str, instrument: str, segment: str
) -> Row:
    return {
        "token": token,
        "symbol": symbol,
        "name": name,
        "expiry": expiry,
        "strike": strike,
        "lotsize": lot,
        "instrumenttype": instrument,
        "exch_seg": segment,
        "tick_size": "5.000000",
    }


def _filler(number: int) -> Row:
    return {
        "token": str(200_000 + number),
        "symbol": f"FILL{number:06d}-N2",
        "name": f"FILL{number:06d}",
        "expiry": "",
        "strike": "-1.000000",
        "lotsize": "1",
        "instrumenttype": "",
        "exch_seg": "NSE",
        "tick_size": "1.000000",
        "freeze_qty": "1001",
        "is_cas_enabled": False,
    }
