"""Renders DAY_PLAN: yesterday's levels, gaps, expected moves, participants, changes, events, files missing."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from optionscanner.model.contracts import Floats
from optionscanner.model.daily import KINDS, PARTICIPANTS, DailyContext
from optionscanner.model.day_plan import FIRST, OPEN, DayPlan, changes_since, fii_verdict, plan_of
from optionscanner.model.frame import Block, Cell
from optionscanner.workbook.grid import Column
from optionscanner.workbook.layout_day_plan import DAY_PLAN
from optionscanner.workbook.layout_index import INDICES
from optionscanner.workbook.render_cells import clean, plain, serial_date
from optionscanner.workbook.render_view import NOT_IN_SOURCE, Values, View, shown

Rows = tuple[tuple[Cell, ...], ...]

THERE, MISSING = "there", "MISSING"
NO_FILES = "no daily files"
MARKET = "MARKET"


def plan_blocks(view: View) -> list[Block]:
    """Blocks of the sheet except its band."""
    daily = view.report.chains.day.daily
    plan = _plan(view, daily)
    columns = _columns(view, plan, daily)
    verdict = [_verdict(daily), _verdict_all(daily), _fii_crore(daily)]
    made: dict[str, Rows] = {
        "plan_indices": _rows(view, "plan_indices", columns, view.indices.tolist(), INDICES),
        "plan_gaps": _rows(view, "plan_gaps", columns, _largest_gaps(view, plan)),
        "plan_participants": _participants(daily),
        "plan_files": _files(daily),
        "plan_changes": _changes(view, daily),
        "plan_events": _events(daily),
    }
    return [
        Block("plan_head", ((plain(_state(view, plan, daily)),),)),
        Block("plan_verdict", tuple((plain(words),) for words in verdict)),
        *(Block(name, rows[: DAY_PLAN.table(name).height]) for name, rows in made.items()),
        *(Block(table.units_name, (view.unit_line(table.fields),)) for table in DAY_PLAN.tables),
    ]


def _plan(view: View, daily: DailyContext | None) -> DayPlan:
    report, trails = view.report, view.report.trails
    spots = report.chains.underlyings
    first = np.full(len(view.names), np.nan)
    if trails is not None:
        seen = dict(zip(trails.names, trails.values["price.spot"][:, 0].tolist(), strict=True))
        first = np.array([seen.get(name, math.nan) for name in view.names])
    iv, change = (view.column(f"price.{name}")[:-1].astype(float) for name in ("atm_iv", "atm_iv_change"))
    return plan_of(
        daily, opened=spots.open, first=first, source_close=spots.previous_close, first_volatility=iv - change
    )


def _columns(view: View, plan: DayPlan, daily: DailyContext | None) -> Mapping[str, Values]:
    """(U + 1,) columns that only this sheet shows, by source; the last element is of a name that is not there."""
    move = plan.move
    numbers: dict[str, Floats] = {
        **{name: getattr(plan, name) for name in ("high", "low", "close", "opened", "gap", "gap_pct", "gap_in_moves")},
        **plan.pivots.columns(),
        "volatility": plan.volatility,
        "move": move,
        "move_low": plan.close - move,
        "move_high": plan.close + move,
    }
    return {
        **{f"plan.{name}": np.append(values, np.nan) for name, values in numbers.items()},
        "plan.status": np.append(_status(plan, daily), NOT_IN_SOURCE).astype(object),
    }


def _status(plan: DayPlan, daily: DailyContext | None) -> Values:
    """Why something of a name is blank or another than its header says, the reason that blanks most first."""
    lacking = NO_FILES if daily is None else f"no levels of {daily.previous_session:%d-%b}"
    return np.select(
        [np.isnan(plan.high) | np.isnan(plan.low), np.isnan(plan.opened), plan.opened_from == FIRST,
         plan.volatility_from == OPEN],
        [lacking, "not opened yet", "first price, no open", "IV of today"], ""
    ).astype(object)  # fmt: skip


def _rows(
    view: View, name: str, own: Mapping[str, Values], positions: list[int], names: tuple[str, ...] = ()
) -> Rows:
    """Rows of a table for these underlyings; `names` stand in place of theirs, also where the source has none."""

    def cells(column: Column) -> list[Cell]:
        if names and column.source == "row.name":
            return list(names)
        if column.source in own:
            made = shown(column.kind, own[column.source], view.settings.units, view.lot_size)
        else:
            made = view.cells(column.source, column.kind)
        return [made[i] for i in positions]

    return tuple(zip(*(cells(column) for column in DAY_PLAN.table(name).fields), strict=True))


def _largest_gaps(view: View, plan: DayPlan) -> list[int]:
    """Stocks by the size of their gap in moves, else in per cent; names without one are left out."""
    size = np.abs(plan.gap_in_moves)
    if not np.isfinite(size[view.stocks]).any():
        size = np.abs(plan.gap_pct)
    opened = [int(i) for i in view.stocks if np.isfinite(size[i])]
    return sorted(opened, key=lambda i: (-size[i], view.names[i]))[: DAY_PLAN.table("plan_gaps").height]


def _state(view: View, plan: DayPlan, daily: DailyContext | None) -> str:
    day = f"Plan for {view.report.chains.day.session.date:%A %d-%b-%Y}"
    others = []
    if (plan.opened_from == FIRST).any():
        others.append("opens are the first prices seen")
    if (plan.volatility_from == OPEN).any():
        others.append("IV is the first of today")
    if daily is None:
        said = ["no daily files of the session before: --import-daily brings them in", *others]
        return f"{day}; {'; '.join(said)}"
    whole = len(daily.found) + len(daily.missing)
    lacking = f", {len(daily.missing)} missing" if daily.missing else ""
    after = f"after {daily.previous_session:%d-%b-%Y}"
    said = [f"{day}, {after}: {len(daily.found)} of {whole} kinds of daily files{lacking}"]
    if math.isfinite(daily.vix_close):
        said.append(f"India VIX closed at {daily.vix_close:.2f}")
    return "; ".join([*said, *others])


# Participants


def _participants(daily: DailyContext | None) -> Rows:
    if daily is None or daily.positions is None:
        return ()
    now, before = daily.positions, daily.positions_before
    rows = []
    for who in PARTICIPANTS:
        cells: list[Cell] = [who]
        for column in DAY_PLAN.table("plan_participants").fields[1:]:
            instrument = column.source.partition(".")[2]
            if instrument.endswith("_added"):
                leg = instrument.removesuffix("_added")
                cells.append(clean(now.net(who, leg) - before.net(who, leg)) if before is not None else None)
            else:
                cells.append(clean(now.net(who, instrument)))
        rows.append(tuple(cells))
    return tuple(rows)


def _verdict(daily: DailyContext | None) -> str:
    """FII and price by the index leg; which file is missing where it cannot be said."""
    if daily is None:
        return "FII and price: not known, there are no daily files"
    found = fii_verdict(daily)
    if not found.words:
        return f"FII and price: not known without {_lacking(daily, found.index_change)}"
    return (
        f"FII and price: {found.words}  (index futures {found.index_change:+,.0f} net, "
        f"NIFTY {found.price_change_pct:+.2f} % on {daily.previous_session:%d-%b})"
    )


def _lacking(daily: DailyContext, index_change: float) -> str:
    lacking = []
    if daily.positions is None:
        lacking.append(f"participants of {daily.previous_session:%d-%b-%Y}")
    elif math.isnan(index_change):
        lacking.append("participants of the session before that")
    if math.isnan(daily.market_change_pct):
        lacking.append("two closes of NIFTY")
    return " and ".join(lacking)


def _verdict_all(daily: DailyContext | None) -> str:
    """The documented reading, stock futures added."""
    found = None if daily is None else fii_verdict(daily)
    if found is None or not found.words_all:
        return ""
    return f"with stock futures, as often published: {found.words_all}  ({found.all_change:+,.0f} net)"


def _fii_crore(daily: DailyContext | None) -> str:
    if daily is None or not daily.fii_crore:
        return ""
    told = ", ".join(f"{name.lower()} {value:+,.0f}" for name, value in daily.fii_crore.items())
    return f"FII bought less sold, ₹ crore: {told}"


# Lists


def _files(daily: DailyContext | None) -> Rows:
    """Those that are missing first."""
    if daily is None:
        return tuple((plain(kind), MISSING, plain(blank)) for kind, blank in KINDS.items())
    lacking = [(plain(kind), MISSING, plain(KINDS.get(kind, why))) for kind, why in daily.missing.items()]
    return (*lacking, *((plain(kind), THERE, plain(words)) for kind, words in daily.found.items()))


def _changes(view: View, daily: DailyContext | None) -> Rows:
    """The last row counts those that do not fit."""
    if daily is None:
        return ((None, None, "not known: no daily files"),)
    rows: list[tuple[Cell, ...]] = [
        (plain(change.what), plain(change.name), plain(change.detail))
        for change in changes_since(daily, view.names)
    ]
    for known, what, lacking in (
        (daily.bans_compared, "bans", "ban lists of both days"),
        (daily.listing is not None, "contracts", "F&O bhavcopy"),
    ):
        if not known:
            rows.append((what, None, f"not known: no {lacking}"))
    room = DAY_PLAN.table("plan_changes").height
    if len(rows) > room:
        rows = [*rows[: room - 1], (None, None, f"and {len(rows) - room + 1} more")]
    return tuple(rows) or ((None, None, "nothing"),)


def _events(daily: DailyContext | None) -> Rows:
    """By date; those of the whole market are kept where not all fit, and the last row counts the rest."""
    if daily is None or not daily.events:
        return ((None, None, None, "none in your file of events"),)
    events, room = daily.events, DAY_PLAN.table("plan_events").height
    left = len(events) - room + 1 if len(events) > room else 0
    if left:
        first = sorted(range(len(events)), key=lambda i: (events[i].underlying != MARKET, i))
        events = tuple(events[i] for i in sorted(first[: room - 1]))
    rows: list[tuple[Cell, ...]] = [
        (serial_date(event.date), plain(event.underlying), plain(event.kind), plain(event.description))
        for event in events
    ]
    return (*rows, *([(None, None, None, f"and {left} more")] if left else []))
