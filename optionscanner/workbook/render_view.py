"""A cycle's report as columns of cells, one element per underlying, in the units that sheets show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from optionscanner.model.columns import READINGS
from optionscanner.model.contracts import Bools, Floats, Ints
from optionscanner.model.control import CHANGE, Expiry
from optionscanner.model.frame import Cell
from optionscanner.model.readings import Reading
from optionscanner.model.reasons import Reason
from optionscanner.model.reports import CycleReport
from optionscanner.model.settings import (
    EngineSettings,
    ExposureSettings,
    ReadinessSettings,
    StaleSettings,
    WindowSettings,
)
from optionscanner.workbook.formats import Kind, Units
from optionscanner.workbook.grid import Column
from optionscanner.workbook.layout_index import CHAIN_SIDE, INDICES, PICKED
from optionscanner.workbook.layout_market import SUMMARY_ROWS
from optionscanner.workbook.render_cells import INDIA, numbers, serial_date, texts, times
from optionscanner.workbook.render_order import ranked

Values = npt.NDArray[Any]

NOT_IN_SOURCE = "not in source"
LATE = "late"
"""Status of a name that is older than two promised refreshes and not yet stale."""
NONE_IN_RANGE = "none in range"
"""Stands for a gamma flip where exposure changes its sign nowhere in range."""
_ROW_OF = {spec.name: spec.row for spec in READINGS}
_DAYS_A_YEAR = 365.0
_PER_CENT = (Kind.VOLATILITY, Kind.VOLATILITY_CHANGE, Kind.SHARE)


class WorkbookSection(Protocol):
    """The user's settings of the workbook, as the configuration holds them."""

    @property
    def units(self) -> str:
        """LAKH, CONTRACTS or UNITS."""

    @property
    def strikes(self) -> int:
        """Strikes shown on each side of ATM."""

    @property
    def summary_stocks(self) -> int:
        """Stocks on ALERT_SUMMARY."""

    @property
    def resort_s(self) -> float:
        """Seconds between two sorts of a ranked table."""

    @property
    def oi_left(self) -> str:
        """Name on the left of OI_TRACKER."""

    @property
    def oi_right(self) -> str:
        """Name on its right."""

    @property
    def oi_show(self) -> str:
        """PERCENT or CHANGE: what it shows of open interest against earlier."""

    @property
    def oi_3m(self) -> bool:
        """Whether it shows the window of 3 minutes too."""

    @property
    def watchlist(self) -> Sequence[str]:
        """Names that ALERT_SUMMARY shows first."""


@dataclass(frozen=True, slots=True)
class ShowSettings:
    """What the user chose to see."""

    units: Units = Units.LAKH
    strikes: int = CHAIN_SIDE
    """Strikes shown on each side of ATM, at most what the sheet has room for."""
    summary_stocks: int = SUMMARY_ROWS - len(INDICES)
    """Stocks on ALERT_SUMMARY, at most what one screen has room for."""
    resort: float = 180.0
    """Seconds of the session's clock between two sorts of a ranked table."""
    watchlist: tuple[str, ...] = ()
    """Stocks that ALERT_SUMMARY shows before the others."""
    watchlist_first: bool = True
    watchlist_only: bool = False
    """Whether STOCKS_GROUPED lists only names of the watchlist."""
    min_trs: float = 0.0
    """Readiness below which STOCKS_GROUPED leaves a stock out; 0 keeps those without one, too."""
    direction: str = ""
    """BULLISH or BEARISH: the only stocks that STOCKS_GROUPED lists; "" for all."""
    symbol: str = ""
    """Name that the user picked for its own sheet; "" for the first of the watchlist."""
    expiries: tuple[tuple[str, Expiry], ...] = ()
    """(sheet of a chain, which expiry it shows); the nearest where it is not named."""
    muted_until: float | None = None
    """Seconds after midnight of the session until which alerts are not listed; None for none."""
    muted_from: float = -math.inf
    """Alerts of before this instant [s since 1970 UTC] stay listed."""
    tracked: tuple[str, str] = ("NIFTY", "SENSEX")
    """Names on the left and the right of OI_TRACKER."""
    window_limits: tuple[float, ...] = WindowSettings().limits
    """% beyond which OI_TRACKER marks a change over 3, 5, 10, 15 and 30 minutes; 0 for none."""
    exposure: ExposureSettings = field(default_factory=ExposureSettings)
    """Where HEATMAP begins to colour gamma."""
    bands: ReadinessSettings = field(default_factory=ReadinessSettings)
    """Where it changes the colour of readiness."""
    changes: bool = False
    """Whether OI_TRACKER shows changes of open interest in `units`, else in per cent."""
    narrow_window: bool = False
    """Whether it shows the window of 3 minutes."""
    front: str = "file only"
    """State of the spreadsheet front, as the band says it."""
    stale: StaleSettings = field(default_factory=StaleSettings)

    @classmethod
    def of(cls, section: WorkbookSection, engines: EngineSettings | None = None) -> ShowSettings:
        """Settings from the configuration's workbook section, and the limits that the engines work with."""
        engines = engines or EngineSettings()
        return cls(
            units=Units(section.units),
            strikes=min(section.strikes, CHAIN_SIDE),
            summary_stocks=min(section.summary_stocks, SUMMARY_ROWS - len(INDICES)),
            resort=section.resort_s,
            watchlist=tuple(section.watchlist),
            tracked=(section.oi_left, section.oi_right),
            window_limits=engines.windows.limits,
            exposure=engines.exposure,
            bands=engines.readiness,
            changes=section.oi_show == CHANGE,
            narrow_window=section.oi_3m,
            stale=engines.stale,
        )


def shown(kind: Kind, values: Values, units: Units, lot_size: Floats | float) -> list[Cell]:
    """Cells of a column of the model: decimals as per cent, times as serial numbers, quantities in `units`."""
    if values.dtype == object:
        if kind is Kind.DATE:
            return [serial_date(date.fromisoformat(v)) if v else None for v in values]
        return texts(values)
    if kind.follows_units:
        return numbers(units.shown(values, lot_size))
    if kind in _PER_CENT:
        return numbers(values * 100.0)
    return times(values) if kind in (Kind.TIME, Kind.DATE_TIME) else numbers(values)


class View:
    """One report, asked column by column. Every column has one more element than there are underlyings, a blank:
    position -1 is a name that the source does not have."""

    def __init__(self, report: CycleReport, settings: ShowSettings, front: Ints | None = None) -> None:
        self.report = report
        self.settings = settings
        self.layout = report.chains.layout
        self.names = self.layout.names
        self.position = {name: i for i, name in enumerate(self.names)}
        self.front: Ints = np.append(self.layout.underlying_front, -1) if front is None else front
        """(U + 1,) segment of the expiry that is shown of each underlying, the nearest; -1 where it has none."""
        self.indices: Ints = np.array([self.position.get(name, -1) for name in INDICES])
        self.stocks: Ints = np.flatnonzero(~self.layout.is_index)
        self.lot_size: Floats = self._by_segment(self.layout.segment_lot_size)
        self._columns: dict[str, Values] = {}
        self._cells: dict[tuple[str, Kind], list[Cell]] = {}

    def underlying_of(self, sheet: str) -> str:
        """Name whose chain a sheet shows: what the user picked, else the watchlist's first, else the first index."""
        if sheet != PICKED:
            return sheet
        first = next((name for name in INDICES if name in self.position), "")
        return self.settings.symbol or next(iter(self.settings.watchlist), first)

    def showing(self, sheet: str) -> View:
        """The same report with the expiry that the user picked for this sheet of a chain."""
        return self.picking(self.underlying_of(sheet), dict(self.settings.expiries).get(sheet))

    def picking(self, name: str, picked: Expiry | None) -> View:
        """The same report with this expiry of the underlying `name`, the nearest where none is picked."""
        u = self.position.get(name, -1)
        if picked in (None, Expiry.THIS) or u < 0 or self.front[u] < 0:
            return self
        front = self.front.copy()
        front[u] = self._segment(u, picked)
        return View(self.report, self.settings, front)

    def _segment(self, u: int, picked: Expiry | None) -> int:
        """Segment of an expiry of underlying `u`; the nearest where there is no such one."""
        nearest = int(self.front[u])
        keys = self.layout.segment_keys
        listed = [s for s in np.flatnonzero(self.layout.segment_underlying == u).tolist() if s >= nearest]
        if picked is Expiry.NEXT:
            return listed[1] if len(listed) > 1 else nearest
        months = [keys[s].expiry.replace(day=1) for s in listed]
        ends = [s for i, s in enumerate(listed) if months[i] not in months[i + 1 :]]
        return ends[0]

    @property
    def mute_is_on(self) -> bool:
        """Whether alerts are muted at this moment of the session."""
        until = self.settings.muted_until
        if until is None:
            return False
        moment = datetime.fromtimestamp(self.report.as_of, INDIA)
        return 3600 * moment.hour + 60 * moment.minute + moment.second < until

    def passes(self, position: int) -> bool:
        """Whether STOCKS_GROUPED lists this stock under the user's filters."""
        settings = self.settings
        if settings.watchlist_only and self.names[position] not in settings.watchlist:
            return False
        if settings.direction and self.column("readiness.direction")[position] != settings.direction:
            return False
        return not settings.min_trs or bool(self.column("readiness.readiness")[position] >= settings.min_trs)

    def reading(self, name: str) -> Reading | None:
        """A reading of this cycle, None where its engine failed."""
        return self.report.readings.get(name)

    def column(self, source: str) -> Values:
        """(U + 1,) a reading's column, or one of the ``row.`` and ``day.`` columns, in the model's units. Read only."""
        if source not in self._columns:
            self._columns[source] = self._column(source)
        return self._columns[source]

    def _column(self, source: str) -> Values:
        table, _, name = source.partition(".")
        if table == "row":
            return self._row_column(name)
        if table == "day":
            return np.append(getattr(self.report.chains.underlyings, name), np.nan)
        reading = self.reading(table)
        if reading is None:
            return np.full(len(self.names) + 1, np.nan)
        values = np.asarray(reading[name])
        if _ROW_OF[table] == "underlying":
            return np.append(values, [_blank(values)])
        if _ROW_OF[table] == "market":
            return self._of_shown(reading, values)
        return self._by_segment(values)

    def cells(self, source: str, kind: Kind) -> list[Cell]:
        """The column as cells."""
        key = (source, kind)
        if key not in self._cells:
            self._cells[key] = shown(kind, self.column(source), self.settings.units, self.lot_size)
        return self._cells[key]

    def rows(self, columns: Sequence[Column], positions: Iterable[int]) -> tuple[tuple[Cell, ...], ...]:
        """Rows of a table for these underlyings."""
        wanted = list(positions)
        picked = []
        for column in columns:
            cells = self.cells(column.source, column.kind)
            picked.append([cells[i] for i in wanted])
        return tuple(zip(*picked, strict=True))

    def unit_line(self, columns: Sequence[Column]) -> tuple[Cell, ...]:
        """What the line above the headers says."""
        word = self.settings.units.word
        return tuple(word if c.kind.follows_units else c.unit or None for c in columns)

    @cached_property
    def age(self) -> Floats:
        """(U + 1,) seconds since the newest accepted observation of each underlying's nearest expiry."""
        return np.asarray(self.report.as_of - self.column("price.price_time").astype(float))

    @property
    def promised(self) -> Floats:
        """(U + 1,) seconds between observations that the source promises."""
        return np.append(self.report.chains.day.refresh, np.nan)

    @cached_property
    def late(self) -> Bools:
        """(U + 1,) older than two promised refreshes, or never seen."""
        return ~(self.age <= self.settings.stale.amber_refreshes * self.promised)

    @cached_property
    def stale(self) -> Bools:
        """(U + 1,) older than three promised refreshes and a minute, or never seen."""
        allowed = np.maximum(self.settings.stale.grey_refreshes * self.promised, self.settings.stale.at_least)
        return ~(self.age <= allowed)

    def _by_segment(self, values: Values) -> Values:
        """(U + 1,) the nearest expiry's element of a column with one row per (underlying, expiry)."""
        return np.append(values, [_blank(values)])[self.front]

    def _of_shown(self, reading: Reading, values: Values) -> Values:
        """(U + 1,) the elements of a column whose rows name some of the expiries; blank where another is shown."""
        found = np.full(len(self.names) + 1, _blank(values), dtype=values.dtype)
        for name, expiry, value in zip(reading["underlying"], reading["expiry"], values, strict=True):
            found[:-1][self.front[:-1] == self.layout.named_segments.get((name, expiry), -2)] = value
        return found

    def _row_column(self, name: str) -> Values:
        count = len(self.names)
        if name == "name":
            return np.array([*self.names, ""], dtype=object)
        if name == "kind":
            return np.array([*("Index" if i else "Stock" for i in self.layout.is_index), "Index"], dtype=object)
        if name == "status":
            return self._status()
        if name == "volatility_status":
            return self._first_words("volatility_rank.status", "volatility.status", "straddle.status")
        if name == "lot_size":
            return self.lot_size
        if name == "days":
            return np.asarray(self.column("price.time_to_expiry") * _DAYS_A_YEAR)
        if name == "expiry":
            serials = [serial_date(date.fromordinal(int(e))) for e in self.layout.segment_expiry]
            return self._by_segment(np.array(serials, dtype=float))
        if name == "rank":
            rank = np.full(count + 1, np.nan)
            rank[self.stock_ranking()] = np.arange(1, len(self.stocks) + 1)
            return rank
        if name == "volume_oi":
            return self._volume_oi()
        raise KeyError(f"no column row.{name} is rendered")

    def stock_ranking(self) -> Ints:
        """Positions of all stocks, best first, as they rank at this moment."""
        names = [self.names[i] for i in self.stocks]
        score, flow = (self.column(c).astype(float)[self.stocks] for c in ("readiness.readiness", "flow.flow_pct"))
        return np.asarray(self.stocks[ranked(names, score, flow)])

    def is_nearest(self, activity: Reading) -> Bools:
        """Marks the events of the expiry that is shown of their underlying: the nearest, which readiness is of."""
        nearest = {self.layout.segment_names[s] for s in self.front.tolist() if s >= 0}
        pairs = zip(activity["underlying"], activity["expiry"], strict=True)
        return np.array([pair in nearest for pair in pairs], dtype=bool)

    def _volume_oi(self) -> Values:
        """YES where an event of the nearest expiry agrees with its flow, else NO; blank where the scan is absent."""
        activity = self.reading("activity")
        if activity is None:
            return np.array([""] * (len(self.names) + 1), dtype=object)
        aligned = set(activity["underlying"][(activity["aligned"] == 1) & self.is_nearest(activity)])
        return np.array([*("YES" if name in aligned else "NO" for name in self.names), ""], dtype=object)

    def _first_words(self, *sources: str) -> Values:
        """(U + 1,) of columns of text the first that is not empty; of readings that failed nothing."""
        found = np.full(len(self.names) + 1, "", dtype=object)
        for source in sources:
            if self.reading(source.partition(".")[0]) is not None:
                found = np.where(found == "", self.column(source), found)
        return found

    def _status(self) -> Values:
        """Why something is blank or withheld, the reason that withholds most first."""
        found = self._first_words("price.status", "readiness.status", "open_interest.status", "flow.status")
        age, stale = self.age, self.stale & np.isfinite(self.age)
        for i in np.flatnonzero(stale):
            found[i] = f"{Reason.STALE.words} {age[i]:.0f} s"
        # Without its age, which would be another cell to write every second.
        found[self.late & np.isfinite(age) & ~stale & (found == "")] = LATE
        found[-1] = NOT_IN_SOURCE
        return found


def event_cells(view: View, events: Reading, columns: Sequence[Column]) -> tuple[tuple[Cell, ...], ...]:
    """Rows of a ranked table of events (scan, alerts)."""
    lot = _event_lots(view, events) if any(c.kind.follows_units for c in columns) else 1.0
    made = []
    for column in columns:
        name = column.source.partition(".")[2]
        if name == "dir":
            values = np.array([str(d)[:4] for d in events["direction"]], dtype=object)
        elif name == "signal":
            valid = np.where(events["aligned"] == 1, " valid", " ignored").astype(object)
            values = events["side"].astype(object) + valid
        else:
            values = np.asarray(events[name])
        made.append(shown(column.kind, values, view.settings.units, lot))
    return tuple(zip(*made, strict=True))


def _event_lots(view: View, events: Reading) -> Floats:
    place = view.layout.named_segments
    segments = [place.get(pair, -1) for pair in zip(events["underlying"], events["expiry"], strict=True)]
    return np.asarray(np.append(view.layout.segment_lot_size, np.nan)[segments], dtype=np.float64)


def _blank(values: Values) -> object:
    return "" if values.dtype == object else np.nan
