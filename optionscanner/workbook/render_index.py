"""Renders the sheet of one index: chain around the money with totals, scan, head cards, trail of the day."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from optionscanner.model.columns import BUILD_UP_WORDS
from optionscanner.model.contracts import CALL, PUT, Floats
from optionscanner.model.frame import Block, Cell
from optionscanner.model.readings import Reading
from optionscanner.model.trails import Trails
from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import Cells, Column, Sheet, Table
from optionscanner.workbook.render_view import NONE_IN_RANGE, Values, View, event_cells, shown

_SUMMED = ("open_interest", "change_in_open_interest", "open_interest_flow", "volume")


def index_blocks(view: View, sheet: Sheet) -> list[Block]:
    """Blocks of the sheet except its band; blank throughout where the source does not have what it shows."""
    own, underlying = sheet.name, view.underlying_of(sheet.name)
    u = view.position.get(underlying, -1)
    chain = sheet.table(f"{own}_chain")
    window, whole = f"{own}_chain_window", f"{own}_chain_total"
    made = [Block(cells.name, head(view, cells, u)) for cells in sheet.cells[1:]]
    if u < 0 or view.front[u] < 0:
        blank: tuple[Cell, ...] = (None,) * len(chain.fields)
        made += [Block(chain.name, ()), Block(window, (blank,)), Block(whole, (blank,))]
    else:
        made += _chain_blocks(view, chain, int(view.front[u]), window, whole)
    made += scan_blocks(view, sheet, underlying)
    made.append(trail_block(view, sheet.table(f"{own}_trail"), underlying))
    made += [Block(table.units_name, (view.unit_line(table.fields),)) for table in sheet.tables]
    return made


def _chain_blocks(view: View, chain: Table, segment: int, window: str, whole: str) -> list[Block]:
    layout = view.layout
    start, end = int(layout.starts[segment]), int(layout.ends[segment])
    # At the ladder's edge the window slides inward, so that it stays full where the ladder is long enough.
    atm, side = int(view.report.pricing.atm_row[segment]), view.settings.strikes
    count = 2 * side + 1
    first = min(max((atm if atm >= 0 else (start + end) // 2) - side, start), max(end - count, start))
    columns = _ladder(view, segment, slice(start, end))
    part = slice(first - start, min(first + count, end) - start)
    lot = float(layout.segment_lot_size[segment])

    def cells(column: Column, values: Values) -> list[Cell]:
        return shown(column.kind, values, view.settings.units, lot)

    rows = tuple(zip(*(cells(c, columns[c.source][part]) for c in chain.fields), strict=True))
    return [
        Block(chain.name, rows),
        Block(window, (totals(view, chain.fields, {s: v[part] for s, v in columns.items()}, lot, "shown"),)),
        Block(whole, (totals(view, chain.fields, columns, lot, "chain"),)),
    ]


def _ladder(view: View, segment: int, rows: slice) -> dict[str, Values]:
    """Columns of one whole chain by source, in the model's units."""
    chains, pricing, state = view.report.chains, view.report.pricing, view.report.state
    legs, day = chains.legs, chains.day
    lot = chains.layout.segment_lot_size[segment]
    quantities = {
        "open_interest": legs.open_interest[rows],
        "change_in_open_interest": legs.open_interest[rows] - day.previous_open_interest[rows],
        "open_interest_flow": state.leg["open_interest_flow"][rows],
        "volume": legs.volume[rows],
        # As the scan counts it: open interest below one lot counts as one.
        "volume_oi_ratio": legs.volume[rows] / np.maximum(legs.open_interest[rows], lot),
        "implied_volatility": pricing.implied_volatility[rows],
        "delta": pricing.delta[rows],
        "bid": legs.bid[rows],
        "ask": legs.ask[rows],
        "change": legs.last[rows] - day.previous_close[rows],
        "last": legs.last[rows],
    }
    columns: dict[str, Values] = {"chain.strike": chains.layout.strike[rows]}
    for name, values in quantities.items():
        columns[f"call.{name}"], columns[f"put.{name}"] = values[:, CALL], values[:, PUT]
    by_leg = view.reading("open_interest_legs")
    known = np.full((len(chains.layout.strike), 2), np.nan) if by_leg is None else by_leg["build_up"]
    codes = np.asarray(known, dtype=np.float64)[rows]
    for side, name in ((CALL, "call"), (PUT, "put")):
        code = codes[:, side]
        words = np.select([code == i for i in range(1, len(BUILD_UP_WORDS))], BUILD_UP_WORDS[1:], "")
        columns[f"{name}.build_up"] = words.astype(object)
    return columns


def totals(
    view: View, fields: Sequence[Column], columns: dict[str, Values], lot: float, word: str
) -> tuple[Cell, ...]:
    """One row of sums over the strikes given; the strike's place says over which."""
    cells: list[Cell] = []
    for column in fields:
        what = column.source.partition(".")[2]
        if what == "strike":
            cells.append(word)
        elif what in _SUMMED and np.isfinite(columns[column.source]).any():
            total = np.array([np.nansum(columns[column.source])])
            cells += shown(column.kind, total, view.settings.units, lot)
        else:
            cells.append(None)
    return tuple(cells)


def head(view: View, cards: Cells, u: int) -> tuple[tuple[Cell, ...], ...]:
    """Values of cells of the head cards, one row each, in the layout's order."""
    return tuple((_headline(view, cell.source, cell.kind, u),) for cell in cards.cells)


def _headline(view: View, source: str, kind: Kind, u: int) -> Cell:
    if source == "exposure.gamma_flip" and view.column("exposure.flip_crossings")[u] == 0:
        return NONE_IN_RANGE
    return view.cells(source, kind)[u]


def scan_blocks(view: View, sheet: Sheet, underlying: str) -> list[Block]:
    """Events of the nearest expiry that count, those that are ignored, and the events of all expiries in full."""
    tables = [sheet.table(f"{sheet.name}_{name}") for name in ("scan", "ignored", "scan_full")]
    activity = view.reading("activity")
    if activity is None:
        return [Block(table.name, ()) for table in tables]
    own = activity["underlying"] == underlying
    counted, nearest = activity["aligned"] == 1, own & view.is_nearest(activity)
    made = []
    for table, wanted in zip(tables, (nearest & counted, nearest & ~counted, own), strict=True):
        made.append(Block(table.name, events(view, activity, np.flatnonzero(wanted)[: table.height], table)))
    return made


def trail_block(view: View, table: Table, underlying: str) -> Block:
    """The day so far, a row for every five minutes up to the newest; those in which nothing was seen are blank."""
    trails = view.report.trails
    if trails is None or underlying not in trails.names:
        return Block(table.name, ())
    i = trails.names.index(underlying)
    known = np.flatnonzero(np.any([np.isfinite(series[i]) for series in trails.values.values()], axis=0))
    until = int(known[-1]) + 1 if len(known) else 0
    lot = float(view.lot_size[view.position.get(underlying, -1)])
    columns = []
    for column in table.fields:
        values = _trail_values(trails, column.source, i)
        columns.append(shown(column.kind, values[:until], view.settings.units, lot))
    return Block(table.name, tuple(zip(*columns, strict=True)))


def _trail_values(trails: Trails, source: str, i: int) -> Floats:
    """(points,) what a column of the trail shows of name `i`."""
    if source == "trail.at":
        return trails.begins
    if source == "trail.roll":
        return rolls(trails.values["price.atm_strike"][i])
    return np.asarray(trails.values[source][i])


def rolls(strikes: Floats) -> Floats:
    """How far the strike at the money moved since the point before that has one [₹]; NaN where it did not."""
    known = np.flatnonzero(np.isfinite(strikes))
    moved = np.full(len(strikes), np.nan)
    moved[known[1:]] = np.diff(strikes[known])
    return np.asarray(np.where(moved == 0, np.nan, moved))


def events(view: View, reading: Reading, index: np.ndarray, table: Table) -> tuple[tuple[Cell, ...], ...]:
    """Rows of an event table."""
    return event_cells(view, reading.rows(index), table.fields)
