"""Markets whose every number a test chooses, and a lively random one for laws, for the tests of the engines.

`a_day`, `poll` and `seen` make chains from pairs (call, put) written out strike by strike; `priced` makes a pricing of
chosen numbers, so that an engine is tested without the formulas. `LivelyMarket` trades by itself, with faults.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date
from math import erfc, exp, log, sqrt

import numpy as np
from scipy.special import ndtr

from optionscanner.analytics.pipeline import ENGINES, Inputs
from optionscanner.analytics.pricing import price_market
from optionscanner.model.chains import Chains
from optionscanner.model.context import DayContext
from optionscanner.model.contracts import Layout, SegmentKey, Underlying
from optionscanner.model.observations import Observation
from optionscanner.model.picture import BorderSettings, MarketPicture
from optionscanner.model.pricing import ForwardSource, Pricing
from optionscanner.model.readings import Reading
from optionscanner.model.reasons import Reason
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State
from tests.builders import MONTHLY, TRADING_DATE, WEEKLY, ist, trading_session

INDICES = ("NIFTY", "BANKNIFTY", "MIDCPNIFTY", "SENSEX")
STRIKES = (90.0, 95.0, 100.0, 105.0, 110.0)
Pairs = Sequence[tuple[float, float]] | np.ndarray
NONE = float("nan")


def key(name: str | SegmentKey, expiry: date = WEEKLY) -> SegmentKey:
    return name if isinstance(name, SegmentKey) else SegmentKey(name, expiry)


def a_layout(
    ladders: Mapping[str | SegmentKey, Iterable[float]],
    *,
    lot: float = 10.0,
    futures: Iterable[str | SegmentKey] = (),
    names: Sequence[str] | None = None,
) -> Layout:
    """Ladders by name (weekly expiry) or key; names of indices are indices, all others stocks."""
    keyed = {key(k): list(strikes) for k, strikes in ladders.items()}
    order = names or list(dict.fromkeys(k.underlying for k in keyed))
    return Layout.build(
        [Underlying(n, "NFO", "INDEX" if n in INDICES else "STOCK") for n in order],
        keyed,
        lot_sizes=dict.fromkeys(keyed, lot),
        horizons={k.expiry: ist(15, 30, day=k.expiry) for k in keyed},
        futures={key(k): lot for k in futures},
    )


def a_day(
    ladders: Mapping[str | SegmentKey, Iterable[float]] | Layout,
    *,
    lot: float = 10.0,
    futures: Iterable[str | SegmentKey] = (),
    names: Sequence[str] | None = None,
    **given: object,
) -> DayContext:
    """A regular day, everything listed, nothing known of yesterday, one refresh a minute; `given` fields replace."""
    layout = ladders if isinstance(ladders, Layout) else a_layout(ladders, lot=lot, futures=futures, names=names)
    session = trading_session()
    unknown = np.full((layout.rows, 2), np.nan)
    made: dict[str, object] = {
        "session": session,
        "layout": layout,
        "listed": np.ones((layout.rows, 2), dtype=bool),
        "previous_open_interest": unknown,
        "previous_close": unknown,
        "contract_close": np.full(layout.segments, session.closes.timestamp()),
        "refresh": np.full(len(layout.underlyings), 60.0),
        "tick_size": np.full(layout.segments, 0.05),
    }
    return DayContext(**{**made, **given})  # type: ignore[arg-type]


def rows_of(layout: Layout, segment: int) -> np.ndarray:
    return np.arange(layout.starts[segment], layout.ends[segment])


def poll(
    day: DayContext,
    at: float,
    chains: Mapping[str | SegmentKey, Mapping[str, Pairs]] | None = None,
    *,
    strikes: Mapping[str, Sequence[float]] | None = None,
    stamped: float | None = None,
    spot: Mapping[str, float] | None = None,
    futures: Mapping[str | SegmentKey, Mapping[str, float]] | None = None,
    vix: float = NONE,
    **more_of_underlyings: Mapping[str, float],
) -> Observation:
    """One poll; `chains` gives for each chain name -> one (call, put) pair per strike, of `strikes` or all."""
    layout = day.layout
    keys = {key(k): columns for k, columns in (chains or {}).items()}
    segments = np.array([layout.segment_keys.index(k) for k in keys], dtype=np.int64)
    rows, columns = [], {name: [] for chain in keys.values() for name in chain}
    for segment, (k, chain) in zip(segments, keys.items(), strict=True):
        mine = rows_of(layout, segment)
        if strikes and k.underlying in strikes:
            mine = layout.rows_of(np.full(len(strikes[k.underlying]), segment), strikes[k.underlying])
        rows.append(mine)
        for name, column in columns.items():
            pairs = np.asarray(chain.get(name, np.full((len(mine), 2), NONE)), dtype=float)
            assert pairs.shape == (len(mine), 2), (name, pairs.shape)
            column.append(pairs)
    values = {"spot": spot or {}, **more_of_underlyings}
    named = list(dict.fromkeys(n for v in values.values() for n in v))
    future_keys = {key(k, MONTHLY): v for k, v in (futures or {}).items()}
    return Observation(
        observed_at=at,
        segments=segments,
        stamped_at=np.full(len(segments), at if stamped is None else stamped),
        rows=np.concatenate(rows) if rows else np.empty(0, dtype=np.int64),
        legs={name: np.concatenate(column) for name, column in columns.items()},
        underlyings=np.array([layout.names.index(n) for n in named], dtype=np.int64),
        underlying_values={n: np.array([v.get(m, NONE) for m in named]) for n, v in values.items() if v},
        futures=np.array([layout.future_keys.index(k) for k in future_keys], dtype=np.int64),
        future_values={
            name: np.array([v.get(name, NONE) for v in future_keys.values()], dtype=float)
            for name in {n for v in future_keys.values() for n in v}
        },
        vix=vix,
    )


def seen(day: DayContext, *observations: Observation, as_of: float | None = None, **border: float) -> Chains:
    """The picture after these observations."""
    picture = MarketPicture(day, BorderSettings(**border))
    for observation in observations:
        picture.observe(observation)
    return picture.frozen(observations[-1].observed_at if as_of is None else as_of)


def priced(chains: Chains, **given: object) -> Pricing:
    """A pricing of chosen numbers: prices are last prices, the forward 100 and every volatility 0.2 by default."""
    layout = chains.layout
    blank = Pricing.blank(layout, 0.05)
    reference = np.where(np.isfinite(chains.spot), chains.spot, 100.0)
    near = [int(s + np.argmin(np.abs(layout.strike[s:e] - r)))
            for s, e, r in zip(layout.starts, layout.ends, reference, strict=True)]  # fmt: skip
    made: dict[str, object] = {
        "forward": np.full(layout.segments, 100.0),
        "forward_source": np.full(layout.segments, ForwardSource.PARITY, dtype=np.uint8),
        "time_to_expiry": np.full(layout.segments, 0.01),
        "reference": reference,
        "atm_row": np.array(near, dtype=np.int64),
        "atm_volatility": np.full(layout.segments, 0.2),
        "price": chains.legs.last,
        "implied_volatility": np.where(np.isfinite(chains.legs.last), 0.2, np.nan),
        "iv_reason": np.where(np.isfinite(chains.legs.last), Reason.OK, Reason.NO_PRICE).astype(np.uint8),
        "surface_volatility": np.full(layout.rows, 0.2),
        "delta": np.tile([0.5, -0.5], (layout.rows, 1)),
    }
    return replace(blank, **{**made, **given})  # type: ignore[arg-type]


def black76(*, forward: float, strike: float, years: float, rate: float, volatility: float, call: bool) -> float:
    """The textbook's formula in plain Python, in its out-of-the-money form and parity."""
    width = volatility * sqrt(years)
    d1 = log(forward / strike) / width + width / 2
    sign = 1.0 if forward < strike else -1.0
    out = sign * (forward * 0.5 * erfc(-sign * d1 / sqrt(2)) - strike * 0.5 * erfc(-sign * (d1 - width) / sqrt(2)))
    inside = call == (forward >= strike)
    return exp(-rate * years) * (out + (abs(forward - strike) if inside else 0.0))


def run(
    chains: Chains, state: State | None = None, settings: EngineSettings | None = None, pricing: Pricing | None = None
) -> tuple[State, dict[str, Reading], Pricing]:
    """All engines on one picture, as a cycle runs them."""
    settings = settings or EngineSettings()
    pricing = price_market(chains, settings.pricing, pricing)
    state = State.fresh(chains.layout) if state is None else state.reindexed(chains.layout)
    inputs = Inputs(chains, pricing, state, {}, settings)
    for engine in ENGINES:
        state, reading = engine.run(inputs)
        inputs = replace(inputs, state=state, made={**inputs.made, engine.name: reading})
    return inputs.state, dict(inputs.made), pricing


def arrays(value: object, path: str = "") -> dict[str, np.ndarray]:
    """Every array inside dataclasses and mappings, by path; layouts and days are left out."""
    if isinstance(value, np.ndarray):
        return {path: value}
    if isinstance(value, Layout | DayContext):
        return {}
    if isinstance(value, Mapping):
        parts = dict(value)
    elif is_dataclass(value):
        parts = {f.name: getattr(value, f.name) for f in fields(value)}
    else:
        return {path: np.array([value], dtype=object)} if isinstance(value, int | float | str) else {}
    found: dict[str, np.ndarray] = {}
    for name, part in parts.items():
        found |= arrays(part, f"{path}.{name}")
    return found


def assert_same(one: object, other: object, *, leave_out: Iterable[str] = ()) -> None:
    """Equal to the last bit, NaN equal to NaN; names every array that differs."""
    left, right = arrays(one), arrays(other)
    assert left.keys() == right.keys()
    skipped = tuple(leave_out)
    different = []
    for path, values in left.items():
        if path.endswith(skipped) if skipped else False:
            continue
        theirs = right[path]
        equal = values.shape == theirs.shape and (
            np.array_equal(values, theirs, equal_nan=True)
            if values.dtype.kind == "f"
            else bool(np.all((values == theirs) | ((values != values) & (theirs != theirs))))
        )
        if not equal:
            different.append(path)
    assert different == []


def frozen(value: object) -> None:
    """Make every array inside read-only, so that an engine that writes into its input raises."""
    for array in arrays(value).values():
        array.flags.writeable = False
    for holder in (value, getattr(value, "day", None)):
        if is_dataclass(holder):
            for f in fields(holder):
                part = getattr(holder, f.name)
                if isinstance(part, np.ndarray):
                    part.flags.writeable = False


FIXED_BAND: Mapping[str, float] = {"dead_band_noise": 0.0, "least_flow_noise": 0.0, "warm_up_steps": 0}
"""Flow settings with which the dead band is `dead_band_pct` alone: what a chain's own noise adds is left out."""

TODAY = SegmentKey("BANKNIFTY", TRADING_DATE)
LIVELY: Mapping[SegmentKey, tuple[float, float, int]] = {
    SegmentKey("NIFTY", WEEKLY): (25_000.0, 50.0, 17),
    SegmentKey("NIFTY", MONTHLY): (25_000.0, 100.0, 9),
    TODAY: (59_000.0, 100.0, 13),
    SegmentKey("RELIANCE", MONTHLY): (1_390.0, 10.0, 11),
    SegmentKey("SBIN", MONTHLY): (1_068.0, 5.0, 15),
    SegmentKey("IDEA", MONTHLY): (11.0, 1.0, 4),
}
"""Chain -> spot at the open [₹], strike step [₹], strikes."""
LIVELY_LOT = 25.0


def lively_day() -> DayContext:
    ladders: dict[str | SegmentKey, list[float]] = {}
    for chain, (spot, step, count) in LIVELY.items():
        middle = round(spot / step)
        ladders[chain] = [step * (middle + i - count // 2) for i in range(count)]
    layout = a_layout(ladders, lot=LIVELY_LOT, futures=[SegmentKey("NIFTY", MONTHLY), SegmentKey("SBIN", MONTHLY)])
    draw = np.random.default_rng(5)
    before = np.round(draw.gamma(2.0, 150.0, (layout.rows, 2))) * LIVELY_LOT
    before[draw.random(before.shape) < 0.03] = np.nan
    close = np.full(layout.segments, trading_session().closes.timestamp())
    close[layout.segment_keys.index(TODAY)] = ist(15, 20)
    return a_day(layout, previous_open_interest=before, contract_close=close)


@dataclass
class LivelyMarket:
    """Trades by itself from a seed: paths, smiles, trades, open interest that steps, and faults of every kind."""

    day: DayContext
    seed: int
    faults: float = 0.02

    def __post_init__(self) -> None:
        layout = self.day.layout
        self.draw = np.random.default_rng(self.seed)
        self.spot = np.array([next(v[0] for k, v in LIVELY.items() if k.underlying == n) for n in layout.names])
        self.volume = np.zeros((layout.rows, 2))
        before = np.nan_to_num(self.day.previous_open_interest, nan=100 * LIVELY_LOT)
        self.interest = before
        self.price = np.full((layout.rows, 2), 1.0)

    def observation(self, at: float, segments: Sequence[int] | None = None) -> Observation:
        """The next minutes of trading as one poll of some chains (a random choice by default)."""
        layout, draw = self.day.layout, self.draw
        self.spot = self.spot * np.exp(draw.normal(0.0, 0.0008, len(self.spot)))
        if segments is None:
            segments = np.flatnonzero(draw.random(layout.segments) < 0.8).tolist()
        polled = np.array(segments, dtype=np.int64)
        years = np.maximum(layout.segment_horizon - at, 1.0) / (365 * 86_400)
        forward = (self.spot[layout.segment_underlying] * np.exp(0.06 * years))[layout.row_segment]
        width = (0.18 + 0.05 * draw.random()) * np.sqrt(years)[layout.row_segment]
        d1 = np.log(forward / layout.strike) / width + width / 2
        call = forward * ndtr(d1) - layout.strike * ndtr(d1 - width)
        fair = np.stack([call, call - forward + layout.strike], axis=1)
        traded = draw.random(fair.shape) < 0.6
        self.price = np.where(traded, np.maximum(np.round(fair / 0.05), 1) * 0.05, self.price)
        self.volume += traded * LIVELY_LOT * draw.integers(1, 400, fair.shape)
        moved = traded & (draw.random(fair.shape) < 0.7)
        self.interest = np.maximum(self.interest + moved * LIVELY_LOT * draw.integers(-30, 45, fair.shape), 0.0)

        rows = np.flatnonzero(np.isin(layout.row_segment, polled))
        rows = rows[draw.random(len(rows)) > self.faults]
        half = 0.05 * draw.integers(1, 6, (len(rows), 2))
        legs = {
            "last": self.price[rows],
            "bid": np.maximum(np.round(fair[rows] / 0.05) * 0.05 - half, 0.0),
            "ask": np.round(fair[rows] / 0.05) * 0.05 + half,
            "volume": self.volume[rows],
            "open_interest": self.interest[rows],
        }
        for name, right in legs.items():
            values = right.copy()
            values[draw.random(values.shape) < self.faults] = np.nan
            spoiled = draw.random(values.shape) < self.faults
            values[spoiled] = draw.choice([-1.0, 0.0, 3.0, 1e5], int(spoiled.sum()))
            legs[name] = values
        owners = np.unique(layout.segment_underlying[polled])
        spots = np.where(draw.random(len(owners)) < self.faults, 0.0, np.round(self.spot[owners], 2))
        futures = np.flatnonzero(np.isin(layout.future_underlying, owners))
        return Observation(
            observed_at=at,
            segments=polled,
            stamped_at=at - draw.integers(0, 40, len(polled)).astype(float),
            rows=rows,
            legs=legs,
            underlyings=owners,
            underlying_values={"spot": spots, "previous_close": np.round(self.spot[owners], 0)},
            futures=futures,
            future_values={"last": np.round(self.spot[layout.future_underlying[futures]] * 1.004, 2)},
        )


def lively_pictures(seed: int, count: int, *, step: float = 120.0, faults: float = 0.02) -> list[Chains]:
    """Pictures of a lively day from 09:20, `step` seconds apart."""
    market = LivelyMarket(lively_day(), seed, faults)
    picture = MarketPicture(market.day)
    made = []
    for i in range(count):
        at = ist(9, 20) + step * i
        picture.observe(market.observation(at))
        made.append(picture.frozen(at))
    return made


def replayed(pictures: Sequence[Chains], state: State | None = None, settings: EngineSettings | None = None) -> list:
    """(state, readings, pricing) after each picture, folded from `state`."""
    made, pricing = [], None
    for chains in pictures:
        state, readings, pricing = run(chains, state, settings, pricing)
        made.append((state, readings, pricing))
    return made
