"""Renders what is about the program itself: the band of every sheet, SYSTEM_HEALTH, NAMES."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from optionscanner.model.contracts import Bools, Ints
from optionscanner.model.control import CHANGE, PERCENT
from optionscanner.model.frame import Block, Cell
from optionscanner.model.sessions import Mode
from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import Cells, Named, Sheet
from optionscanner.workbook.layout_index import INDICES, PICKED
from optionscanner.workbook.layout_system import SYSTEM_HEALTH, WORST_ROWS
from optionscanner.workbook.render_cells import clean, clock, numbers, plain, serial_time
from optionscanner.workbook.render_view import NOT_IN_SOURCE, View

Rows = tuple[tuple[Cell, ...], ...]


def bands(view: View, sheets: Sequence[Sheet], *, held: bool) -> list[Block]:
    """The three rows that head each sheet; `held`: the user filters, so rows keep their order."""
    whole = _band_texts(view, held=held)
    made = []
    for sheet in sheets:
        cells: Cells = sheet.cells[0]
        said = {**whole, "band.title": plain(_title(view, sheet))}
        if sheet.name in (*INDICES, PICKED):
            own = np.array([view.position.get(view.underlying_of(sheet.name), -1)])
            said |= {source: plain(text) for source, text in _seen(view, own).items()}
        made.append(Block(cells.name, tuple((said[cell.source],) for cell in cells.cells)))
    return made


def _band_texts(view: View, *, held: bool) -> dict[str, Cell]:
    """What all bands say, on sheets of the whole market."""
    report, settings = view.report, view.settings
    mode = report.session.label
    if report.session.mode is not Mode.LIVE:
        mode = f"{mode}  {clock(report.as_of)}"
    if report.speed:
        mode = f"{mode}  {report.speed}"
    stale = int(view.stale[:-1].sum())
    seconds = report.timings.get("cycle", sum(report.timings.values())) / 1000.0
    said = {
        "band.mode": mode,
        "band.session": report.closed_words or "OPEN",
        "band.units": f"OI and volume in {settings.units.word}",
        "band.front": f"{settings.front}, order held: filter on" if held else settings.front,
        **_seen(view, np.arange(len(view.names))),
        "band.cycle": f"cycle {seconds:.2f} s" if seconds else "",
        "band.names": f"{stale} of {len(view.names)} names stale",
        "band.message": report.message,
    }
    for i, name in enumerate(INDICES):
        said[f"band.tick{i}"] = _tick(view, name)
    vix = report.chains.vix
    said[f"band.tick{len(INDICES)}"] = f"INDIA VIX {vix:.2f}" if math.isfinite(vix) else f"INDIA VIX {NOT_IN_SOURCE}"
    return {source: plain(text) for source, text in said.items()}


def _seen(view: View, positions: Ints) -> dict[str, str]:
    """How old the names at these positions are."""
    return {
        "band.price": _oldest(view, "price.price_time", positions, "Prices"),
        "band.open_interest": _oldest(view, "price.open_interest_time", positions, "OI"),
    }


def _title(view: View, sheet: Sheet) -> str:
    """What the sheet shows; that of the picked symbol names it, or says how to pick one."""
    if sheet.name != PICKED:
        return sheet.title
    picked = view.underlying_of(PICKED)
    return f"{picked} drill-down" if picked else sheet.title


def _oldest(view: View, source: str, positions: Ints, what: str) -> str:
    """Oldest of the names shown: when, and how long ago."""
    instants = view.column(source).astype(float)[positions]
    if not np.isfinite(instants).any():
        return f"{what} not seen yet"
    oldest = float(np.nanmin(instants))
    return f"{what} {clock(oldest)}, {max(view.report.as_of - oldest, 0.0):.0f} s old"


def _tick(view: View, name: str) -> str:
    u = view.position.get(name, -1)
    if u < 0:
        return f"{name} {NOT_IN_SOURCE}"
    spot = float(view.report.chains.underlyings.spot[u])
    if not math.isfinite(spot):
        return f"{name} no spot"
    change, share = (float(view.column(f"price.{c}")[u]) for c in ("spot_change", "spot_change_pct"))
    if not math.isfinite(change):
        return f"{name} {spot:,.2f}"
    arrow = "▲" if change > 0 else "▼" if change < 0 else "="
    return f"{name} {spot:,.2f} {arrow} {change:+,.2f} ({share:+.2f} %)"


def named_cells(view: View, named: Named) -> Block:
    """Headline numbers in plain units, whatever the units switch says."""
    rows: list[tuple[Cell, ...]] = []
    for cell in named.cells:
        owner, _, source = cell.source.rpartition(":")
        if owner:
            rows.append((view.cells(source, cell.kind)[view.position.get(owner, -1)],))
        else:
            rows.append((_run_value(view, source),))
    return Block(named.name, tuple(rows))


def _run_value(view: View, source: str) -> Cell:
    report, stale = view.report, view.settings.stale
    refresh, is_index = report.chains.day.refresh, view.layout.is_index

    def slowest(group: Bools) -> Cell:
        return clean(refresh[group].max()) if group.any() else None

    values: dict[str, Cell] = {
        "run.as_of": serial_time(report.as_of),
        "run.mode": report.session.mode.value,
        "run.units": view.settings.units.value,
        "run.oi_show": CHANGE if view.settings.changes else PERCENT,
        "run.vix": clean(report.chains.vix),
        "run.refresh_index": slowest(is_index),
        "run.refresh_stock": slowest(~is_index),
        "run.late_refreshes": stale.amber_refreshes,
        "run.stale_refreshes": stale.grey_refreshes,
        "run.stale_at_least": stale.at_least,
        "run.cycle": float(report.cycle),
    }
    return values[source]


def health_blocks(view: View) -> list[Block]:
    """SYSTEM_HEALTH except its band."""
    report = view.report
    items = tuple(
        (plain(h.item), clean(h.value), plain(h.limit), plain(h.state), _instant(h.since), plain(h.what_to_do))
        for h in report.health
    )
    log = tuple((plain(e.where), float(e.times), _instant(e.at), plain(e.what), plain(e.action)) for e in report.events)
    made = {"health": items, "completeness": _groups(view), "worst_names": _worst(view), "events": log}
    # What does not fit is named rather than cut off without a word; the file keeps room for 60 events.
    blocks = [Block(name, rows[: SYSTEM_HEALTH.table(name).height]) for name, rows in made.items()]
    return [*blocks, *(Block(t.units_name, (view.unit_line(t.fields),)) for t in SYSTEM_HEALTH.tables)]


def _instant(at: float) -> Cell:
    return serial_time(at) if math.isfinite(at) else None


def _groups(view: View) -> Rows:
    """Per group: how many names are fresh, late, stale, withheld."""
    stale, late = view.stale[:-1], view.late[:-1]
    withheld = np.isnan(view.column("readiness.readiness")[:-1].astype(float))
    steps = np.nan_to_num(view.column("flow.steps")[:-1].astype(float))
    promised = view.promised[:-1]
    is_index = view.layout.is_index
    rows: list[tuple[Cell, ...]] = []
    for name, group in (("Indices", is_index), ("Stocks", ~is_index), ("All", np.ones(len(is_index), dtype=bool))):
        counts: Sequence[float] = (
            group.sum(),
            (group & ~late).sum(),
            (group & late & ~stale).sum(),
            (group & stale).sum(),
            (group & withheld).sum(),
            steps[group].sum(),
        )
        slowest = clean(promised[group].max()) if group.any() else None
        rows.append((name, *(float(c) for c in counts), slowest))
    return tuple(rows)


def _worst(view: View) -> Rows:
    """Names with a reason for something blank, those seen longest ago first."""
    status = view.cells("row.status", Kind.TEXT)[:-1]
    seen = view.column("price.price_time")[:-1].astype(float)
    concerned = [i for i, words in enumerate(status) if words is not None]
    concerned.sort(key=lambda i: (math.isfinite(seen[i]), seen[i], view.names[i]))
    times = view.cells("price.price_time", Kind.TIME)
    coverage = numbers(view.column("price.coverage").astype(float) * 100.0)
    return tuple((view.names[i], times[i], coverage[i], status[i]) for i in concerned[:WORST_ROWS])
