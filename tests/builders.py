"""Small markets, made to measure: layouts, days, observations, pictures and whole cycle reports for tests.

Every random value follows from a seed that the test names. Prices are whole ticks, quantities whole lots, instants
whole milliseconds, as from a real source; holes (NaN, "") are planted everywhere, because real data has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np

from optionscanner.model.anchors import Anchors
from optionscanner.model.calendar import TradingSession
from optionscanner.model.chains import Chains
from optionscanner.model.columns import ALERTS, READINGS, TableSpec
from optionscanner.model.context import DayContext
from optionscanner.model.contracts import CALL, PUT, Layout, SegmentKey, Underlying
from optionscanner.model.observations import LEG_QUANTITIES, Observation
from optionscanner.model.picture import MarketPicture
from optionscanner.model.pricing import ForwardSource, Pricing
from optionscanner.model.readings import Reading
from optionscanner.model.reasons import Reason
from optionscanner.model.reports import CycleReport, Failure
from optionscanner.model.sessions import Mode, RunSession
from optionscanner.model.state import FUTURE_STATE, LEG_STATE, SEGMENT_STATE, State

IST = ZoneInfo("Asia/Kolkata")
TRADING_DATE = date(2026, 1, 30)
WEEKLY, MONTHLY = date(2026, 2, 3), date(2026, 2, 24)
NIFTY = Underlying("NIFTY", "NFO", "INDEX")
SENSEX = Underlying("SENSEX", "BFO", "INDEX")
RELIANCE = Underlying("RELIANCE", "NFO", "STOCK")


def ist(hour: int, minute: int, second: int = 0, *, day: date = TRADING_DATE) -> float:
    """Seconds since 1970 UTC of an Indian wall time."""
    return datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=IST).timestamp()


def trading_session(day: date = TRADING_DATE) -> TradingSession:
    """A regular session, independent of the calendar's tables."""
    return TradingSession(
        date=day,
        opens=datetime.fromtimestamp(ist(9, 15, day=day), IST),
        closes=datetime.fromtimestamp(ist(15, 30, day=day), IST),
        kind="regular",
        description="",
        source="tests",
    )


def small_layout(*, more_strikes: Iterable[float] = (), rename: str | None = None) -> Layout:
    """NIFTY with two expiries, SENSEX and RELIANCE with one; `more_strikes` are added to NIFTY's nearest ladder.

    `rename` gives RELIANCE another name.
    """
    stock = Underlying(rename, "NFO", "STOCK") if rename else RELIANCE
    ladders: dict[SegmentKey, Sequence[float]] = {
        SegmentKey("NIFTY", WEEKLY): [25_200, 25_250, 25_300, 25_350, 25_400, *more_strikes],
        SegmentKey("NIFTY", MONTHLY): [25_000, 25_500, 26_000],
        SegmentKey("SENSEX", WEEKLY): [82_000, 82_100, 82_200],
        SegmentKey(stock.name, MONTHLY): [1_377.5, 1_390, 1_400, 1_410],
    }
    lots = {"NIFTY": 65.0, "SENSEX": 20.0, stock.name: 500.0}
    return Layout.build(
        (NIFTY, SENSEX, stock),
        ladders,
        lot_sizes={key: lots[key.underlying] for key in ladders},
        horizons={expiry: ist(15, 30, day=expiry) for expiry in (WEEKLY, MONTHLY)},
        futures={SegmentKey("NIFTY", MONTHLY): 65.0, SegmentKey(stock.name, MONTHLY): 500.0},
    )


def full_layout(*, underlyings: int = 215, strikes: int = 40) -> Layout:
    """A market of the real size: 215 names x 40 strikes x 2 = 17,200 legs by default, one expiry each."""
    names = [NIFTY, *(Underlying(f"STOCK{i:03d}", "NFO", "STOCK") for i in range(1, underlyings))]
    ladders = {SegmentKey(u.name, MONTHLY): 1_000.0 + 10.0 * np.arange(strikes) for u in names}
    return Layout.build(
        names,
        ladders,
        lot_sizes=dict.fromkeys(ladders, 500.0),
        horizons={MONTHLY: ist(15, 30, day=MONTHLY)},
        futures=dict.fromkeys(ladders, 500.0),
    )


def day_of(layout: Layout, *, session: TradingSession | None = None, seed: int = 7) -> DayContext:
    """A day on which all legs are listed; a third of the legs has no previous open interest or close."""
    session, draw = session or trading_session(), np.random.default_rng(seed)
    shape = (layout.rows, 2)
    lots = layout.segment_lot_size[layout.row_segment][:, None]
    return DayContext(
        session=session,
        layout=layout,
        listed=np.ones(shape, dtype=bool),
        previous_open_interest=_holed(draw, draw.integers(0, 4_000, shape) * lots, 1 / 3),
        previous_close=_holed(draw, draw.integers(1, 9_000, shape) / 20, 1 / 3),
        contract_close=np.full(layout.segments, session.closes.timestamp()),
        refresh=np.full(len(layout.underlyings), 60.0),
        tick_size=np.full(layout.segments, 0.05),
    )


def observation(
    layout: Layout,
    at: float,
    *,
    segments: Sequence[int] | None = None,
    seed: int = 1,
    holes: float = 0.1,
    quoted: bool = True,
) -> Observation:
    """One poll of `segments` (all by default) at `at`: seeded quotes, futures and spots.

    `quoted=False` leaves bid, ask and their quantities out.
    """
    draw = np.random.default_rng([seed, int(at)])
    polled = np.arange(layout.segments) if segments is None else np.array(segments, dtype=np.int64)
    rows = np.flatnonzero(np.isin(layout.row_segment, polled))
    shape = (len(rows), 2)
    lots = layout.segment_lot_size[layout.row_segment[rows]][:, None]
    ticks = draw.integers(3, 12_000, shape)
    legs = {
        "last": _holed(draw, ticks / 20, holes),
        "bid": _holed(draw, (ticks - 1) / 20, holes),
        "ask": _holed(draw, (ticks + 1) / 20, holes),
        "bid_quantity": _holed(draw, draw.integers(0, 50, shape) * lots, holes),
        "ask_quantity": _holed(draw, draw.integers(0, 50, shape) * lots, holes),
        # Cumulative: grows with the clock, whatever the draw.
        "volume": _holed(draw, (int(at) % 86_400 + draw.integers(0, 2, shape)) * lots, holes),
        "open_interest": _holed(draw, draw.integers(0, 5_000, shape) * lots, holes),
    }
    if not quoted:
        legs = {name: legs[name] for name in ("last", "volume", "open_interest")}
    owners = np.unique(layout.segment_underlying[polled])
    middle = np.array([np.median(layout.strike[layout.row_segment == layout.underlying_front[u]]) for u in owners])
    spot = np.round(middle + draw.integers(-400, 400, len(owners)) / 20, 2)
    futures = np.flatnonzero(np.isin(layout.future_underlying, owners))
    prices = ("last", "bid", "ask")
    of_future = spot[np.searchsorted(owners, layout.future_underlying[futures])]
    return Observation(
        observed_at=at,
        segments=polled,
        stamped_at=np.full(len(polled), at - 1.0),
        rows=rows,
        legs=legs,
        underlyings=owners,
        underlying_values={
            "spot": spot,
            "open": middle,
            "high": middle + 25.05,
            "low": middle - 25.05,
            "previous_close": middle + 1.15,
            "volume": np.full(len(owners), np.nan),
        },
        futures=futures,
        future_values={
            name: np.round(of_future + 5, 2) if name in prices else np.full(len(futures), 500.0 + at % 60)
            for name in LEG_QUANTITIES
        },
        vix=12.34,
    )


def pricing(chains: Chains, *, seed: int = 3, holes: float = 0.1) -> Pricing:
    """Numbers of the right shapes with holes; not a pricing: tests of sinks must not depend on the formulas."""
    layout, draw = chains.layout, np.random.default_rng([seed, int(chains.as_of)])
    rows, segments = layout.rows, layout.segments

    def per_leg() -> np.ndarray:
        return _holed(draw, draw.normal(size=(rows, 2)), holes)

    volatility = _holed(draw, draw.uniform(0.05, 0.9, (rows, 2)), holes)
    return Pricing(
        forward=_holed(draw, draw.uniform(900, 27_000, segments), holes),
        forward_source=draw.choice([int(s) for s in ForwardSource], segments).astype(np.uint8),
        future_price=_holed(draw, draw.uniform(900, 27_000, segments), holes),
        rate=0.0525,
        time_to_expiry=draw.uniform(0.001, 0.1, segments),
        reference=draw.uniform(900, 27_000, segments),
        atm_row=layout.starts.copy(),
        price=chains.legs.last,
        implied_volatility=volatility,
        iv_reason=np.where(np.isnan(volatility), Reason.NO_PRICE, Reason.OK).astype(np.uint8),
        surface_volatility=np.nanmax(np.nan_to_num(volatility), axis=1),
        atm_volatility=_holed(draw, draw.uniform(0.05, 0.9, segments), holes),
        delta=np.clip(per_leg(), -1, 1),
        gamma=per_leg(),
        vega=per_leg(),
        theta=per_leg(),
        rho=per_leg(),
        vanna=per_leg(),
        charm=per_leg(),
        volga=per_leg(),
    )


def reading(spec: TableSpec, count: int, *, seed: int = 5, holes: float = 0.2, **given: Sequence[object]) -> Reading:
    """`count` rows of any declared table, seeded, with holes; `given` columns are taken as they are."""
    draw = np.random.default_rng([seed, count, len(spec.columns)])
    columns: dict[str, np.ndarray] = {}
    for column in spec.columns:
        if column.name in given:
            kind = object if column.kind == "text" else float
            columns[column.name] = np.array(list(given[column.name]), dtype=kind)
        elif column.kind == "text":
            columns[column.name] = draw.choice(np.array(["", "BULLISH", "no ₹ here", "=1+1"], dtype=object), count)
        elif column.kind == "integer":
            columns[column.name] = _holed(draw, draw.integers(-5, 1_000, count), holes)
        elif column.kind == "time":
            columns[column.name] = _holed(draw, ist(9, 15) + draw.integers(0, 20_000_000, count) / 1_000, holes)
        else:
            columns[column.name] = _holed(draw, draw.normal(scale=1e4, size=count), holes)
    return Reading(spec, columns)


def readings(chains: Chains, *, seed: int = 5, events: int = 3) -> dict[str, Reading]:
    """One reading of every declared table; `events` rows for each underlying in the ranked ones."""
    layout, made = chains.layout, {}
    for number, spec in enumerate(READINGS):
        own = seed * 1_000 + number + int(chains.as_of)
        if spec.row == "event":
            named = [name for name in layout.names for _ in range(events)]
            front = [layout.segment_keys[f].expiry.isoformat() for f in layout.underlying_front for _ in range(events)]
            made[spec.name] = reading(spec, len(named), seed=own, underlying=named, expiry=front)
        elif spec.row == "market":
            made[spec.name] = reading(spec, 3, seed=own, underlying=["MARKET", "INDICES", "STOCKS"])
        elif spec.row == "strike":
            sides = [reading(spec, layout.rows, seed=own + side) for side in (CALL, PUT)]
            made[spec.name] = Reading(spec, {n: np.stack([s[n] for s in sides], axis=1) for n in spec.names})
        else:
            counts = {"segment": layout.segments, "underlying": len(layout.underlyings)}
            made[spec.name] = reading(spec, counts.get(spec.row, len(layout.future_expiry)), seed=own)
    return made


def alerts(*rows: tuple[float, str, str, str, str]) -> Reading:
    """Alerts from (at, underlying, alert, direction, reason) tuples; none by default."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(ALERTS.names)
    return reading(ALERTS, len(rows), **dict(zip(ALERTS.names, columns, strict=True)))


def state(layout: Layout, *, seed: int = 11, touched: object = True, stepped: object = True) -> State:
    """A flow state of seeded numbers with holes; `touched` and `stepped` broadcast to one flag per segment."""
    draw = np.random.default_rng(seed)
    return State(
        layout=layout,
        segment={n: _holed(draw, draw.normal(scale=1e6, size=layout.segments), 0.2) for n in SEGMENT_STATE},
        leg={n: _holed(draw, draw.normal(scale=1e6, size=(layout.rows, 2)), 0.2) for n in LEG_STATE},
        touched=np.broadcast_to(np.asarray(touched, dtype=bool), layout.segments).copy(),
        stepped=np.broadcast_to(np.asarray(stepped, dtype=bool), layout.segments).copy(),
        anchors=anchors(layout, draw),
        future={n: _holed(draw, draw.normal(scale=1e6, size=len(layout.future_expiry)), 0.2) for n in FUTURE_STATE},
    )


def anchors(layout: Layout, draw: np.random.Generator) -> Anchors:
    """Four anchors of every chain, half a minute to eight minutes apart, of seeded numbers with holes."""
    made, at = Anchors.fresh(layout), np.full(layout.segments, 1_769_745_000.0)
    for _ in range(4):
        at = at + draw.integers(30, 480, layout.segments)
        some = draw.random(layout.segments) < 0.8
        interest, prices = (_holed(draw, draw.normal(scale=s, size=(layout.rows, 2)), 0.2) for s in (1e6, 100.0))
        made = made.added(some, at, interest, prices)
    return made


def run_session(
    mode: Mode = Mode.REPLAY,
    *,
    source: str = "recorded 2026-01-30",
    trading_date: date = TRADING_DATE,
    seed: int | None = None,
    settings_version: str = "settings-a",
    code_version: str = "0.1.0",
) -> RunSession:
    """A session, a replay of the test day by default."""
    return RunSession(mode, source, trading_date, seed, settings_version, code_version)


def report(
    chains: Chains, cycle: int = 1, *, session: RunSession | None = None, seed: int = 1, **given: object
) -> CycleReport:
    """The report of a cycle on `chains` with seeded pricing, readings and state; `given` fields replace them."""
    fields: dict[str, object] = {
        "session": session or run_session(),
        "cycle": cycle,
        "as_of": chains.as_of,
        "chains": chains,
        "pricing": pricing(chains, seed=seed),
        "readings": readings(chains, seed=seed),
        "alerts": alerts(),
        "state": state(chains.layout, seed=seed + cycle, touched=chains.updated, stepped=chains.updated),
        "failures": (),
        "timings": {"price": 1.5, "engines": 2.25},
    }
    return CycleReport(**{**fields, **given})  # type: ignore[arg-type]


def failure(underlying: str = "RELIANCE", sentence: str = "RELIANCE: expected a forward, none; left out") -> Failure:
    """A failed engine."""
    return Failure("flow", underlying, sentence)


def day_of_reports(
    instants: Sequence[float], *, day: DayContext | None = None, session: RunSession | None = None, seed: int = 1
) -> list[CycleReport]:
    """One report for each instant, each after one poll of all chains: cycles 1, 2, ..."""
    day = day or day_of(small_layout())
    picture = MarketPicture(day)
    made = []
    for cycle, at in enumerate(instants, start=1):
        picture.observe(observation(day.layout, at, seed=seed))
        made.append(report(picture.frozen(at), cycle, session=session, seed=seed))
    return made


def _holed(draw: np.random.Generator, values: np.ndarray, share: float) -> np.ndarray:
    out = np.asarray(values, dtype=float).copy()
    out[draw.random(out.shape) < share] = np.nan
    return out
