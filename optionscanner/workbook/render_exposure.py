"""Renders EXPOSURE: the market's exposures, the factors of the worked example, its ladder, participants."""

from __future__ import annotations

import numpy as np

from optionscanner.model.contracts import CALL, PUT, Floats
from optionscanner.model.daily import PARTICIPANTS, Positions
from optionscanner.model.exposures import CONVENTIONS, GEX_SIGNS
from optionscanner.model.frame import Block, Cell
from optionscanner.model.readings import Reading
from optionscanner.model.reasons import Reason
from optionscanner.workbook.grid import Column
from optionscanner.workbook.layout_exposure import EXPOSURE, LADDER_SIDE
from optionscanner.workbook.layout_index import INDICES, PICKED
from optionscanner.workbook.render_cells import clean, clean_text, clock, serial_date
from optionscanner.workbook.render_view import LATE, NONE_IN_RANGE, View, shown

Row = tuple[Cell, ...]

ASSUMED = "; an assumption, not disclosed positions"


def exposure_blocks(view: View, stocks: list[int]) -> list[Block]:
    """Blocks of the sheet except its band; `stocks` (positions) in the order in which they stand."""
    segment = picked_segment(view)
    example = _example(view, segment)
    head = [_convention(view), _participant_words(view)]
    cells = next(block for block in EXPOSURE.cells if block.name == "exposure_example").cells
    return [
        Block("exposure", tuple(_market_rows(view, stocks))),
        Block("exposure_participants", _participants(view)),
        Block("exposure_strikes", _ladder(view, segment)),
        Block("exposure_head", tuple((cell,) for cell in head)),
        Block("exposure_chart_title", ((example.pop("chart_title", None),),)),
        Block("exposure_example", tuple((example.get(cell.source.partition(".")[2]),) for cell in cells)),
        *(Block(table.units_name, (view.unit_line(table.fields),)) for table in EXPOSURE.tables),
    ]


def exposure_shares(view: View) -> Floats:
    """(U,) size of each name's share of gamma [%], by which the sheet ranks stocks; NaN where there is none."""
    return np.asarray(np.abs(view.column("exposure_total.gex_share_pct")[:-1].astype(float)))


def _market_rows(view: View, stocks: list[int]) -> list[Row]:
    """The market, each index with its expiries, then stocks."""
    sums, totals, by_expiry = (view.reading(f"exposure{part}") for part in ("_market", "_total", ""))
    rows: list[Row] = []
    if sums is not None:
        lines = _Lines(view, sums)
        for i in range(len(sums)):
            all_, up, down = (f"{np.nan_to_num(sums[n][i]):.0f}" for n in ("names", "positive", "negative"))
            lines.add(i, str(sums["underlying"][i]), f"{all_} names", regime=f"{up}+ {down}-")
        rows += lines.rows
    if totals is None or by_expiry is None:
        return rows
    layout = view.layout
    whole, chains, aged = _Lines(view, totals), _Lines(view, by_expiry), _aged(view)
    names = [name for name in INDICES if name in view.position]
    others = [layout.names[u] for u in np.flatnonzero(layout.is_index) if layout.names[u] not in INDICES]
    for name in (*names, *others):
        u = view.position[name]
        segments = np.flatnonzero(layout.segment_underlying == u).tolist()
        if len(segments) > 1:
            rows.append(whole.add(u, name, f"all {np.nan_to_num(totals['expiries'][u]):.0f}", rank=u, aged=aged[u]))
        # Earlier closes are those of a name: where it has one expiry, they stand in its line.
        own = u if len(segments) == 1 else -1
        rows += [chains.add(s, name, _expiry(view, s), s, rank=own, aged=aged[u]) for s in segments]
    for u in stocks:
        segment = int(layout.underlying_front[u])
        if segment >= 0:
            rows.append(whole.add(u, layout.names[u], _expiry(view, segment), segment, rank=u, aged=aged[u]))
    return rows[: EXPOSURE.table("exposure").height]


def _aged(view: View) -> list[Cell]:
    """What the status says of each underlying that is otherwise well: stale with its age, late, or nothing."""
    known = np.isfinite(view.age)
    stale, late = view.stale & known, view.late & known
    groups = zip(view.age.tolist(), stale.tolist(), late.tolist(), strict=True)
    return [f"{Reason.STALE.words} {age:.0f} s" if s else LATE if b else None for age, s, b in groups]


def _expiry(view: View, segment: int) -> float:
    return serial_date(view.layout.segment_keys[segment].expiry)


class _Lines:
    """Lines of the table from one reading, whose columns are turned into cells once."""

    def __init__(self, view: View, reading: Reading) -> None:
        self.rows: list[Row] = []
        self._columns: list[list[Cell] | str] = []
        others = {table: view.reading(table) for table in ("open_interest", "exposure_rank")}
        for column in EXPOSURE.table("exposure").fields:
            table, _, name = column.source.partition(".")
            source = others.get(table, reading)
            if name in ("name", "expiry") or source is None or name not in source.columns:
                self._columns.append(name)
                continue
            cells = shown(column.kind, source[name], view.settings.units, 1.0)
            if name == "gamma_flip":
                none = reading["flip_crossings"] == 0
                cells = [NONE_IN_RANGE if c is None and n else c for c, n in zip(cells, none, strict=True)]
            self._columns.append(cells)
        self._tables = [c.source.partition(".")[0] for c in EXPOSURE.table("exposure").fields]

    def add(
        self, i: int, name: str, expiry: Cell, segment: int = -1, *, rank: int = -1, regime: str = "",
        aged: Cell = None,
    ) -> Row:  # fmt: skip
        """Line of element `i`; walls of open interest where it is of one chain, `segment`; the place among earlier
        sessions where it is of one underlying, `rank`. `aged` stands in the status where nothing else does.
        """
        given = {"name": clean_text(name) or None, "expiry": expiry, "regime": regime or None}
        row: list[Cell] = []
        places = {"open_interest": segment, "exposure_rank": rank}
        for cells, table in zip(self._columns, self._tables, strict=True):
            if isinstance(cells, str):
                row.append(given.get(cells))
            else:
                at = places.get(table, i)
                row.append(cells[at] if at >= 0 else None)
        row[-1] = row[-1] or aged
        self.rows.append(tuple(row))
        return self.rows[-1]


# The worked example


def picked_segment(view: View) -> int:
    """Segment that example and chart, and OI_HEATMAP, are of: what DRILLDOWN shows, else the first index; -1: none."""
    own = view.showing(PICKED)
    u = view.position.get(view.underlying_of(PICKED), -1)
    if u < 0:
        u = next((view.position[name] for name in INDICES if name in view.position), 0 if view.names else -1)
    return int(own.front[u]) if u >= 0 else -1


def _example(view: View, segment: int) -> dict[str, Cell]:
    """Factor -> cell, and the title of the chart."""
    if segment < 0:
        return {}
    report, layout = view.report, view.layout
    key, pricing = layout.segment_keys[segment], report.pricing
    by_expiry = view.reading("exposure")
    sign = _sign_in_force(view)
    atm = int(pricing.atm_row[segment])
    found: dict[str, Cell] = {
        "name": clean_text(f"{key.underlying} {key.expiry:%d-%b-%y}"),
        "spot": clean(report.chains.spot[segment]),
        "forward": clean(pricing.forward[segment]),
        "atm": clean(layout.strike[atm]) if atm >= 0 else None,
        "lot": clean(layout.segment_lot_size[segment]),
        "time": clean(pricing.time_to_expiry[segment]),
        "rate": clean(pricing.rate),
        "call_sign": GEX_SIGNS[sign][CALL] if sign else None,
    }
    title = f"{found['name']}: GEX by strike, ₹ crore / 1 %"
    if by_expiry is not None:
        words = (("spot", report.chains.spot[segment]), ("flip", by_expiry["gamma_flip"][segment]),
                 ("C wall", by_expiry["call_gamma_wall"][segment]),
                 ("P wall", by_expiry["put_gamma_wall"][segment]))  # fmt: skip
        title += "".join(f", {word} {round(float(value), 2):,.10g}" for word, value in words if np.isfinite(value))
        title += f"  ({clock(float(report.chains.stamped_at[segment]))})"
    return {**found, "chart_title": clean_text(title)}


def _ladder(view: View, segment: int) -> tuple[Row, ...]:
    """Strikes around the money with what the example looks up and the chart draws."""
    exposures = view.reading("exposure_legs")
    if segment < 0 or exposures is None:
        return ()
    layout, pricing = view.layout, view.report.pricing
    start, end = int(layout.starts[segment]), int(layout.ends[segment])
    atm = int(pricing.atm_row[segment])
    count = 2 * LADDER_SIDE + 1
    first = min(max((atm if atm >= 0 else (start + end) // 2) - LADDER_SIDE, start), max(end - count, start))
    rows = slice(first, min(first + count, end))
    interest, gamma = view.report.chains.legs.open_interest[rows], pricing.gamma[rows]
    gex = np.asarray(exposures["gex"], dtype=np.float64)
    columns: dict[str, Floats] = {
        "strike": layout.strike[rows],
        "call_open_interest": interest[:, CALL],
        "put_open_interest": interest[:, PUT],
        "volatility": pricing.surface_volatility[rows],
        "gamma": np.where(np.isfinite(gamma[:, CALL]), gamma[:, CALL], gamma[:, PUT]),
        "call_gex": gex[rows, CALL],
        "put_gex": gex[rows, PUT],
    }
    for name in ("gex", "dex", "vex", "cex"):
        legs = np.asarray(exposures[name], dtype=np.float64)[rows]
        known = np.isfinite(legs).any(axis=1)
        columns[f"net_{name}"] = np.where(known, np.nansum(legs, axis=1), np.nan)

    def cells(column: Column) -> list[Cell]:
        return shown(column.kind, columns[column.source.partition(".")[2]], view.settings.units, 1.0)

    return tuple(zip(*(cells(c) for c in EXPOSURE.table("exposure_strikes").fields), strict=True))


# Convention and participants


def _sign_in_force(view: View) -> str:
    """`exposure.gex_sign` of the newest reading; "" where there is none."""
    reading = view.reading("exposure")
    said = str(reading["convention"][0]) if reading is not None and len(reading) else ""
    return said if said in CONVENTIONS else ""


def _convention(view: View) -> Cell:
    sign = _sign_in_force(view)
    return CONVENTIONS[sign] + ASSUMED if sign else None


def _positions(view: View) -> Positions | None:
    daily = view.report.chains.day.daily
    return None if daily is None else daily.positions


def _participant_words(view: View) -> Cell:
    """Whether the convention is what one category of participants, professional traders, held at the last close."""
    positions, sign = _positions(view), _sign_in_force(view)
    if positions is None or not sign:
        return "participants: no file of the previous session"
    calls, puts = (positions.net("PRO", f"option_index_{side}") for side in ("call", "put"))
    if not (np.isfinite(calls) and np.isfinite(puts)):
        return f"participants of {positions.trading_date:%d-%b-%Y}: Pro is not in the file"
    call_sign, put_sign = GEX_SIGNS[sign]
    agrees = np.sign(calls) == call_sign and np.sign(puts) == put_sign
    # The verdict stands first: the end of a long line may lie beyond the screen.
    verdict = "agrees" if agrees else "disagrees"
    held = f"index calls {calls:+,.0f}, puts {puts:+,.0f} contracts net"
    return f"{verdict}: Pro on {positions.trading_date:%d-%b-%Y}, {held}"


def _participants(view: View) -> tuple[Row, ...]:
    positions = _positions(view)
    if positions is None:
        return ()
    rows = []
    for who in PARTICIPANTS:
        cells: list[Cell] = []
        for column in EXPOSURE.table("exposure_participants").fields:
            side, _, what = column.source.partition(".")[2].partition("_")
            if side == "name":
                cells.append(who)
            elif what == "net":
                cells.append(clean(positions.net(who, "future_index" if side == "future" else f"option_index_{side}")))
            else:
                cells.append(clean(positions.leg(who, f"option_index_{side}_{what}")))
        rows.append(tuple(cells))
    return tuple(rows)
