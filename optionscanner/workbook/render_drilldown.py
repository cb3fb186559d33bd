"""Renders DRILLDOWN: one name and expiry, now or as of an earlier moment of the day; cards, chains, what charts draw.

A moment of the past is a report like any other, of that name alone, so the same cells come from it by the same way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from optionscanner.model.contracts import CALL, PUT, Floats
from optionscanner.model.control import CONTROL_AS_OF, Standing
from optionscanner.model.exposures import CONVENTIONS, CRORE
from optionscanner.model.frame import Block, Cell
from optionscanner.model.pivots import classic_pivots
from optionscanner.model.reports import CycleReport
from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import Column, Table
from optionscanner.workbook.layout_drilldown import (
    CHARTS,
    DRAWN_SIDE,
    DRILL_CHAIN,
    DRILL_MORE,
    DRILL_STRIKES,
    DRILL_TRAIL,
    DRILL_WHOLE,
    DRILLDOWN,
    LEVELS,
    SIGNALS,
    WHOLE_LINE,
    WINDOW_LINE,
)
from optionscanner.workbook.layout_index import PICKED
from optionscanner.workbook.render_cells import clean, clock, plain
from optionscanner.workbook.render_index import totals
from optionscanner.workbook.render_view import View, shown

Columns = dict[str, Floats]

ASSUMED = "assumed: "
_GREEKS = ("gamma", "theta", "vega", "vanna", "charm", "delta", "implied_volatility")
_EXPOSURES = ("gex", "dex", "vex", "cex")
_WINDOWS = (5, 10, 15, 30)


def drill_blocks(live: View, past: CycleReport | None = None) -> list[Block]:
    """Blocks of the sheet except its band; those of `past`, a report of the picked name alone, where it is given."""
    view = (live if past is None else View(past, live.settings)).showing(PICKED)
    name = view.underlying_of(PICKED)
    u = view.position.get(name, -1)
    segment = int(view.front[u]) if u >= 0 else -1
    columns = _columns(view, segment) if segment >= 0 else {}
    cells = {block.name: block.cells for block in DRILLDOWN.cells}
    more = _words(view, segment, columns) | _levels(view, u, segment) | _signals(view, name)
    more["drill.as_of"] = _moment(live, past, view, segment)
    more |= _titles(view, name, segment, against="previous close" if _knows_close(view, segment) else "open")

    def of(block: str) -> Block:
        rows = []
        for cell in cells[block]:
            table = cell.source.partition(".")[0]
            own = table in ("drill", "level", "signal", "title")
            rows.append((more.get(cell.source) if own else view.cells(cell.source, cell.kind)[u],))
        return Block(block, tuple(rows))

    return [
        *(of(name) for name in cells if name != "drill_band"),
        *_chain_blocks(view, segment, columns),
        Block(DRILL_TRAIL.name, _trail(view, name, u)),
        *(Block(table.units_name, (view.unit_line(table.fields),)) for table in DRILLDOWN.tables),
    ]


def _moment(live: View, past: CycleReport | None, view: View, segment: int) -> Cell:
    """Which chain it is, what its numbers are as of, and why not of the time that was asked for."""
    now, key = clock(live.report.as_of), view.layout.segment_keys[segment] if segment >= 0 else None
    if past is not None and key is not None:
        asked = f"AS OF {clock(past.as_of)}, from the history, not now ({now})"
        return plain(f"{asked}: {key.underlying} {key.expiry:%d-%b-%y}")
    control = live.report.control
    standing = control.settings.get(CONTROL_AS_OF, Standing()) if control is not None else Standing()
    said = f"NOW {now}" + (f": {key.underlying} {key.expiry:%d-%b-%y}" if key is not None else "")
    return plain(f"{said}; {standing.answer}" if standing.answer.startswith("refused") else said)


# Strikes


def _columns(view: View, segment: int) -> Columns:
    """Columns of the whole chain by source, in the model's units."""
    chains, pricing, layout = view.report.chains, view.report.pricing, view.layout
    rows = slice(int(layout.starts[segment]), int(layout.ends[segment]))
    legs, day = chains.legs, chains.day
    none = np.full((rows.stop - rows.start, 2), np.nan)
    pairs: dict[str, Floats] = {
        "open_interest": legs.open_interest[rows],
        "change_in_open_interest": legs.open_interest[rows] - day.previous_open_interest[rows],
        "volume": legs.volume[rows],
        "bid": legs.bid[rows],
        "ask": legs.ask[rows],
        "last": legs.last[rows],
        **{name: getattr(pricing, name)[rows] for name in _GREEKS},
    }
    for table, names in (
        ("open_interest_legs", [*(f"change_{w}" for w in _WINDOWS), "change_open"]),
        ("exposure_legs", _EXPOSURES),
        ("pain", ["payout"]),
    ):  # fmt: skip
        reading = view.reading(table)
        for name in names:
            pairs[name] = none if reading is None else np.asarray(reading[name], dtype=np.float64)[rows]
    pairs["added"] = pairs["change_in_open_interest" if _knows_close(view, segment) else "change_open"]
    columns = {"chain.strike": layout.strike[rows], "drill.volatility": pricing.surface_volatility[rows]}
    for name, values in pairs.items():
        columns[f"call.{name}"], columns[f"put.{name}"] = values[:, CALL], values[:, PUT]
    for name in _EXPOSURES:
        known = np.isfinite(pairs[name]).any(axis=1)
        columns[f"drill.{name}"] = np.where(known, np.nansum(pairs[name], axis=1), np.nan)
    columns["drill.pain"] = pairs["payout"].sum(axis=1) / CRORE
    columns["drill.volatility_open"] = _one_sided(view.report.state.leg["open_iv"][rows], columns, view, segment)
    return columns | _marks(view, segment, columns["chain.strike"])


def _one_sided(pairs: Floats, columns: Columns, view: View, segment: int) -> Floats:
    """(n,) volatility of the side that is out of the money, where it has one, else of the other."""
    below = columns["chain.strike"] < float(view.report.pricing.reference[segment])
    near, far = (np.where(below, pairs[:, side], pairs[:, 1 - side]) for side in (PUT, CALL))
    return np.where(np.isfinite(near), near, far)


def _knows_close(view: View, segment: int) -> bool:
    """Whether open interest of the previous session's close is known of any leg of the chain."""
    if segment < 0:
        return False
    rows = slice(int(view.layout.starts[segment]), int(view.layout.ends[segment]))
    return bool(np.isfinite(view.report.chains.day.previous_open_interest[rows]).any())


def _marks(view: View, segment: int, strike: Floats) -> Columns:
    """0 at the strike nearest spot, flip and walls, blank elsewhere: where charts put a mark on their axis."""
    exposure = view.reading("exposure")
    found = {"spot": float(view.report.chains.spot[segment])}
    for name, column in (("flip", "gamma_flip"), ("call_wall", "call_gamma_wall"), ("put_wall", "put_gamma_wall")):
        found[name] = math.nan if exposure is None else float(exposure[column][segment])
    marks = {}
    for name, level in found.items():
        marks[f"mark.{name}"] = values = np.full(len(strike), np.nan)
        if math.isfinite(level) and len(strike) and strike[0] <= level <= strike[-1]:
            values[int(np.argmin(np.abs(strike - level)))] = 0.0
    return marks


def _window(view: View, segment: int, side: int, length: int) -> slice:
    """Rows around the money within the chain; at the ladder's edge the window slides inward."""
    start, count = int(view.layout.starts[segment]), 2 * side + 1
    atm = int(view.report.pricing.atm_row[segment]) - start
    middle = atm if atm >= 0 else length // 2
    first = min(max(middle - side, 0), max(length - count, 0))
    return slice(first, min(first + count, length))


def _chain_blocks(view: View, segment: int, columns: Columns) -> list[Block]:
    tables: tuple[tuple[Table, int], ...] = (
        (DRILL_CHAIN, view.settings.strikes), (DRILL_MORE, view.settings.strikes), (DRILL_STRIKES, DRAWN_SIDE),
        (DRILL_WHOLE, DRILL_WHOLE.height),
    )  # fmt: skip
    blank: tuple[Cell, ...] = (None,) * len(DRILL_CHAIN.fields)
    if segment < 0:
        return [*(Block(table.name, ()) for table, _ in tables), Block(WINDOW_LINE, (blank,)),
                Block(WHOLE_LINE, (blank,))]  # fmt: skip
    lot, length = float(view.layout.segment_lot_size[segment]), len(columns["chain.strike"])
    made = []
    for table, side in tables:
        part = _window(view, segment, min(side, (table.height - 1) // 2), length)
        made.append(Block(table.name, _rows(view, table.fields, columns, part, lot)))
    near = {name: values[_window(view, segment, view.settings.strikes, length)] for name, values in columns.items()}
    return [
        *made,
        Block(WINDOW_LINE, (totals(view, DRILL_CHAIN.fields, near, lot, "shown"),)),
        Block(WHOLE_LINE, (totals(view, DRILL_CHAIN.fields, columns, lot, "chain"),)),
    ]


def _rows(
    view: View, fields: Sequence[Column], columns: Mapping[str, Floats], part: slice, lot: float
) -> tuple[tuple[Cell, ...], ...]:
    cells = (shown(c.kind, columns[c.source][part], view.settings.units, lot) for c in fields)
    return tuple(zip(*cells, strict=True))


# Words, levels, signals


def _words(view: View, segment: int, columns: Columns) -> dict[str, Cell]:
    """Convention in force, and the strikes of the largest vega-driven hedge flow."""
    exposure = view.reading("exposure")
    sign = str(exposure["convention"][segment]) if exposure is not None and segment >= 0 else ""
    found: dict[str, Cell] = {"drill.convention": ASSUMED + CONVENTIONS[sign] if sign in CONVENTIONS else None}
    if segment >= 0:
        size = np.nan_to_num(np.abs(columns["drill.vex"]))
        largest = [i for i in np.argsort(-size, kind="stable")[:2].tolist() if size[i] > 0]
        found["drill.vex_strikes"] = plain(", ".join(f"{columns['chain.strike'][i]:.10g}" for i in largest))
    return found


def price_levels(view: View, u: int, segment: int) -> list[tuple[str, float]]:
    """(name, price [₹ or points]) of every level that is known, highest first."""
    day, price = view.report.chains.day, view.reading("price")
    found = {"Prev C": float(view.report.chains.underlyings.previous_close[u])}
    if day.daily is not None:
        high, low, close = (getattr(day.daily, f"spot_{name}")[u] for name in ("high", "low", "close"))
        pivots = classic_pivots(high=high, low=low, close=close).columns()
        found |= {"Prev H": float(high), "Prev L": float(low)}
        found |= {"Pivot" if name == "pivot" else name.upper(): float(value) for name, value in pivots.items()}
        if math.isfinite(close):
            found["Prev C"] = float(close)
    for name, table, column in (
        ("OR high", "price", "opening_high"), ("OR low", "price", "opening_low"),
        ("Call wall", "open_interest", "call_wall"), ("Put wall", "open_interest", "put_wall"),
        ("Pain", "open_interest", "max_pain"), ("γ flip", "exposure", "gamma_flip"),
    ):  # fmt: skip
        reading = price if table == "price" else view.reading(table)
        if reading is not None and segment >= 0:
            found[name] = float(reading[column][segment])
    found["SPOT"] = float(view.report.chains.underlyings.spot[u])
    known = [(name, value) for name, value in found.items() if math.isfinite(value)]
    return sorted(known, key=lambda level: -level[1])


def _levels(view: View, u: int, segment: int) -> dict[str, Cell]:
    if u < 0:
        return {}
    spot = float(view.report.chains.underlyings.spot[u])
    cells: dict[str, Cell] = {}
    for i, (name, value) in enumerate(price_levels(view, u, segment)[:LEVELS]):
        cells[f"level.{i}.name"], cells[f"level.{i}.price"] = name, value
        cells[f"level.{i}.distance"] = clean((value / spot - 1.0) * 100.0) if name != "SPOT" else None
    return cells


def _signals(view: View, name: str) -> dict[str, Cell]:
    """The newest signals of the name, or that there is none."""
    alerts = view.report.recent_alerts if view.report.recent_alerts is not None else view.report.alerts
    own = np.flatnonzero(np.asarray(alerts["underlying"], dtype=object) == name)[:SIGNALS]
    cells: dict[str, Cell] = {}
    for i, row in enumerate(own.tolist()):
        at, kind, direction, reason = (alerts[c][row] for c in ("at", "alert", "direction", "reason"))
        cells[f"signal.{i}.at"] = shown(Kind.TIME, np.array([float(at)]), view.settings.units, 1.0)[0]
        cells[f"signal.{i}.alert"] = plain(str(kind))
        cells[f"signal.{i}.reason"] = plain(f"{direction}: {reason}" if direction else str(reason))
    if not len(own) and name:
        cells["signal.0.alert"] = "no signal of this name today"
    return cells


def _titles(view: View, name: str, segment: int, *, against: str) -> dict[str, Cell]:
    """What stands above each chart: name, expiry, what, unit, time."""
    if segment < 0:
        return {}
    who = f"{name} {view.layout.segment_keys[segment].expiry:%d-%b-%y}"
    time = clock(float(view.report.chains.stamped_at[segment]))
    units = view.settings.units.word
    levels = dict(price_levels(view, view.position[name], segment))
    marks = ", ".join(f"{word} {_short(levels[key])}" for word, key in (("spot", "SPOT"), ("flip", "γ flip"))
                      if key in levels)  # fmt: skip
    words = {
        "price": f"{name}: spot, future, its VWAP (₹), volume in 5 min ({units})",
        "open_interest": f"{who}: OI by strike ({units})",
        "change": f"{who}: OI against the {against} ({units})",
        "gex": f"{who}: GEX (₹ cr / 1 %), {marks}",
        "smile": f"{who}: IV now and at open (% a year)",
        "straddle": f"{name}: ATM straddle (₹) and PCR (OI), nearest expiry",
        "dex": f"{who}: DEX by strike (₹ cr)",
        "vex": f"{who}: VEX by strike (₹ cr / vol point)",
        "cex": f"{who}: CEX by strike (₹ cr / day)",
        "pain": f"{who}: payout at expiry by strike (₹ cr), max pain {_short(levels.get('Pain', math.nan))}",
    }
    return {f"title.{chart.name}": plain(f"{words[chart.name]}  {time}") for chart in CHARTS}


def _short(price: float) -> str:
    """A price as words hold it; "?" where it is not known."""
    return f"{round(price, 2):,.10g}" if math.isfinite(price) else "?"


def _trail(view: View, name: str, u: int) -> tuple[tuple[Cell, ...], ...]:
    """The whole session in steps of five minutes; those to come hold nothing but their time."""
    trails = view.report.trails
    if trails is None or name not in trails.names:
        return ()
    i, lot = trails.names.index(name), float(view.lot_size[u])
    columns = {source: values[i] for source, values in trails.values.items()}
    columns["trail.at"] = trails.begins
    columns["trail.volume"] = _steps(columns["build_up.future_volume"])
    return _rows(view, DRILL_TRAIL.fields, columns, slice(None), lot)


def _steps(cumulative: Floats) -> Floats:
    """What each step added to the last one before it that is known."""
    before = np.fmax.accumulate(np.concatenate([[0.0], cumulative[:-1]]))
    return np.asarray(cumulative - np.nan_to_num(before))
