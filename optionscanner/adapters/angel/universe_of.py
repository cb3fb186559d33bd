"""The universe of a trading day, from the instrument master: what is looked at, and by which key it is heard of.

Main entry: `universe`. Which contracts there are, their lots, ticks and expiries come from the master alone; how long
they live on their last day comes from the trading calendar.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np

from optionscanner.adapters.angel.master import CASH, INDIA_VIX, Kind, Master
from optionscanner.adapters.angel.packets import Bools, Floats, Ints, Segment, Words
from optionscanner.adapters.angel.universe import Universe
from optionscanner.errors import NoData
from optionscanner.model.calendar import TradingCalendar, TradingSession
from optionscanner.model.context import DayContext
from optionscanner.model.contracts import Layout, SegmentKey, Underlying
from optionscanner.model.expiry_rules import Cycle, expiry_disagreement

INDICES = ("NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "SENSEX")
"""The indices that are looked at unless others are named, in their order everywhere."""
REFRESH_S = 180.0
"""Seconds between observations until the plan of requests promises something else."""
_TOLD = 5


@dataclass(frozen=True, slots=True)
class Expiries:
    """How many expiries of a name are looked at: the nearest ones, and of those that have a future the nearest ones.

    Only monthly expiries have futures.
    """

    nearest: int = 1
    monthly: int = 1


INDEX_EXPIRIES, STOCK_EXPIRIES = Expiries(3, 2), Expiries(1, 1)


def universe(
    master: Master,
    calendar: TradingCalendar,
    today: date,
    *,
    names: Sequence[str] | None = None,
    exclude: Collection[str] = (),
    index_expiries: Expiries = INDEX_EXPIRIES,
    stock_expiries: Expiries = STOCK_EXPIRIES,
    refresh: float = REFRESH_S,
    tell: Callable[[str], None],
) -> Universe:
    """The day's contracts and their keys; `names` for these alone, None for the five indices and NSE's shares;
    either without those of `exclude`.

    Raises NoData where nothing of it is listed or `today` has no session, UnknownDate outside the calendar.
    """
    session = calendar.session_on(today)
    if session is None:
        raise NoData(f"the market is closed on {today:%d-%b-%Y} ({calendar.closed_reason(today)}); nothing is listed")
    listed = _Listed.of(master, today)
    chosen = _chosen(master, listed, _wanted(master, listed, names, exclude, tell), today, tell)
    ladders: dict[SegmentKey, Floats] = {}
    lots: dict[SegmentKey, float] = {}
    futures: dict[SegmentKey, float] = {}
    lines = []
    for one in chosen:
        mine = listed.of_name(one.name, Segment[one.exchange])
        expiries = index_expiries if one.kind == "INDEX" else stock_expiries
        for expiry in _expiries(master, mine, expiries):
            key = SegmentKey(one.name, date.fromordinal(expiry))
            chain = mine[(master.expiry[mine] == expiry) & (master.kind[mine] != Kind.FUTURE)]
            ladders[key] = master.strike[chain] / 100.0
            lots[key] = float(master.lot[chain[0]])
            lines.append(chain)
        last = max(key.expiry.toordinal() for key in ladders if key.underlying == one.name)
        own = mine[master.kind[mine] == Kind.FUTURE]
        # Those within the looked-at expiries, and the nearest in any case.
        own = own[(master.expiry[own] <= last) | (master.expiry[own] == master.expiry[own].min(initial=1 << 30))]
        futures |= {
            SegmentKey(one.name, date.fromordinal(int(master.expiry[i]))): float(master.lot[i]) for i in own
        }
        lines.append(own)
    layout = Layout.build(
        chosen,
        ladders,
        lot_sizes=lots,
        horizons={key.expiry: calendar.expiry_horizon(key.expiry).timestamp() for key in ladders},
        futures=futures,
    )
    _tell_odd_expiries(layout, calendar, tell)
    made = _keyed(master, layout, np.concatenate(lines), session=session, calendar=calendar, refresh=refresh)
    lacking = [name for name, key in zip(layout.names, made.spot_key, strict=True) if key == 0]
    if lacking:
        tell(f"instrument master: no row of {_some(lacking)} beside the contracts, so no spot is read")
    if made.vix_key == 0:
        tell(f"instrument master: no row of {INDIA_VIX}, so it is not read")
    return made


def _keyed(
    master: Master,
    layout: Layout,
    lines: Ints,
    *,
    session: TradingSession,
    calendar: TradingCalendar,
    refresh: float,
) -> Universe:
    """Keys of the chosen `lines` where the layout has them, and the day around it."""
    position = {key: i for i, key in enumerate(layout.segment_keys)}
    future = {key: i for i, key in enumerate(layout.future_keys)}
    named = [SegmentKey(master.names[master.name[i]], date.fromordinal(int(master.expiry[i]))) for i in lines]
    is_future = master.kind[lines] == Kind.FUTURE
    future_key = np.zeros(len(future), dtype=np.uint64)
    for i in np.flatnonzero(is_future):
        future_key[future[named[i]]] = master.key[lines[i]]
    legs = np.flatnonzero(~is_future)
    segment = np.array([position[named[i]] for i in legs], dtype=np.int64)
    row = layout.rows_of(segment, master.strike[lines[legs]] / 100.0)
    leg_key = np.zeros((layout.rows, 2), dtype=np.uint64)
    leg_key[row, master.kind[lines[legs]]] = master.key[lines[legs]]
    nowhere = np.full((layout.rows, 2), np.nan)
    day = session.date
    kinds = [layout.underlyings[u].kind for u in layout.segment_underlying]
    context = DayContext(
        session=session,
        layout=layout,
        listed=leg_key != 0,
        previous_open_interest=nowhere,
        previous_close=nowhere.copy(),
        contract_close=np.array(
            [
                calendar.last_trade(key.expiry, kind=kind, date=day).timestamp()
                for key, kind in zip(layout.segment_keys, kinds, strict=True)
            ]
        ),
        refresh=np.full(len(layout.underlyings), refresh),
        tick_size=_commonest(segment, master.tick[lines[legs]], layout.segments),
    )
    cash = _Cash(master)
    return Universe(
        day=context,
        leg_key=leg_key,
        future_key=future_key,
        spot_key=np.array([cash.key_of(one) for one in layout.underlyings], dtype=np.uint64),
        vix_key=cash.index(INDIA_VIX, Segment.NSE),
    )


@dataclass(frozen=True)
class _Listed:
    """Contracts that have not expired; `begins` and `ends` (name, segment) -> where they stand among `lines`."""

    lines: Ints
    cuts: dict[tuple[str, int], tuple[int, int]]

    @classmethod
    def of(cls, master: Master, today: date) -> _Listed:
        """As of a day, which its own expiries still belong to."""
        lines = np.flatnonzero(master.is_contract & (master.expiry >= today.toordinal()))
        group = master.name[lines] * (max(Segment) + 1) + master.segment[lines]
        starts = np.flatnonzero(np.diff(group, prepend=-1))
        ends = np.append(starts[1:], len(lines))
        return cls(
            lines,
            {
                (master.names[master.name[lines[a]]], int(master.segment[lines[a]])): (int(a), int(b))
                for a, b in zip(starts, ends, strict=True)
            },
        )

    def of_name(self, name: str, segment: int) -> Ints:
        """Lines of a name's contracts on one exchange."""
        begin, end = self.cuts.get((name, segment), (0, 0))
        return self.lines[begin:end]


class _Cash:
    """What contracts derive from."""

    def __init__(self, master: Master) -> None:
        cash = np.flatnonzero(~master.is_contract)
        self._keys = {
            (master.names[master.name[i]], int(master.segment[i]), int(master.kind[i])): int(master.key[i])
            for i in cash
        }

    def index(self, name: str, segment: Segment) -> int:
        """Key of an index, 0 where there is none."""
        return self._keys.get((name, segment, Kind.INDEX), 0)

    def key_of(self, one: Underlying) -> int:
        """Key of an underlying, 0 where there is none. A stock's spot is that of NSE wherever its contracts trade."""
        if one.kind == "INDEX":
            return self.index(one.name, CASH[Segment[one.exchange]])
        return self._keys.get((one.name, Segment.NSE, Kind.SHARE), 0)


def _wanted(
    master: Master,
    listed: _Listed,
    names: Sequence[str] | None,
    exclude: Collection[str],
    tell: Callable[[str], None],
) -> list[str]:
    """Names that are looked at if they have live options."""
    if names is not None:
        return [name for name in dict.fromkeys(names) if name not in exclude]
    stocks = [
        name
        for name, segment in listed.cuts
        if segment == Segment.NFO and name not in exclude and not master.is_index[listed.of_name(name, segment)[0]]
    ]
    shares = {master.names[code] for code in master.name[master.kind == Kind.SHARE].tolist()}
    odd = sorted(set(stocks) - shares)
    if odd:
        tell(f"instrument master: contracts of {_some(odd)} without a share of series EQ; not looked at")
    return [*(name for name in INDICES if name not in exclude), *(name for name in stocks if name in shares)]


def _chosen(
    master: Master, listed: _Listed, wanted: Sequence[str], today: date, tell: Callable[[str], None]
) -> list[Underlying]:
    """Underlyings with live options in their order: the indices, then stocks by name. Where both exchanges list a
    name, NSE's contracts are taken.
    """
    found: dict[str, Underlying] = {}
    for name, number in sorted(listed.cuts, key=lambda cut: cut[1]):
        mine = listed.of_name(name, Segment(number))
        kind: Literal["INDEX", "STOCK"] = "INDEX" if master.is_index[mine[0]] else "STOCK"
        if name not in found and bool((master.kind[mine] != Kind.FUTURE).any()):
            found[name] = Underlying(name, Segment(number).name, kind)
    lacking = [name for name in wanted if name not in found]
    if lacking:
        tell(f"instrument master: no live options of {_some(lacking)} on {today:%d-%b-%Y}; not looked at")
    order = {name: i for i, name in enumerate(INDICES)}
    chosen = [found[name] for name in wanted if name in found]
    if not chosen:
        raise NoData(
            f"instrument master: expected options that live on {today:%d-%b-%Y}, got none of "
            f"{_some(wanted) or 'the names that are left'}; name others, or wait for a newer master"
        )
    return sorted(chosen, key=lambda one: (one.kind, order.get(one.name, len(order)), one.name))


def _expiries(master: Master, mine: Ints, wanted: Expiries) -> list[int]:
    """Expiry ordinals of a name's options that are looked at, ascending."""
    options, futures = mine[master.kind[mine] != Kind.FUTURE], mine[master.kind[mine] == Kind.FUTURE]
    every = np.unique(master.expiry[options])
    monthly = every[np.isin(every, master.expiry[futures])]
    return sorted({*every[: max(wanted.nearest, 1)].tolist(), *monthly[: wanted.monthly].tolist()})


def _commonest(group: Ints, values: Floats, groups: int) -> Floats:
    """(groups,) the value that most members of each group have, NaN where none is given."""
    given = np.isfinite(values)
    pairs, counts = np.unique(np.stack([group[given], values[given]]), axis=1, return_counts=True)
    found = np.full(groups, np.nan)
    order = np.argsort(counts, kind="stable")
    found[pairs[0, order].astype(np.int64)] = pairs[1, order]
    return found


def _tell_odd_expiries(layout: Layout, calendar: TradingCalendar, tell: Callable[[str], None]) -> None:
    """Expiries that the weekday rules do not expect; the master is right all the same."""
    weekly = {
        layout.names[u] for u in range(len(layout.names)) if _has_weeklies(layout, layout.segment_underlying == u)
    }
    told: set[tuple[str, date, Cycle]] = set()
    for u, key in zip(layout.segment_underlying, layout.segment_keys, strict=True):
        cycle: Cycle = "weekly" if key.underlying in weekly else "monthly"
        exchange = layout.underlyings[u].exchange
        if (exchange, key.expiry, cycle) not in told:
            told.add((exchange, key.expiry, cycle))
            sentence = expiry_disagreement(
                calendar, exchange=exchange, underlying=key.underlying, expiry=key.expiry, cycle=cycle
            )
            if sentence:
                tell(sentence)


def _has_weeklies(layout: Layout, mine: Bools) -> bool:
    """Whether some chain of a name expires without a future."""
    return bool((layout.segment_future[mine] < 0).any())


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return ", ".join(names[:_TOLD]) + more


def freeze_quantities(master: Master, made: Universe) -> tuple[Floats, Floats]:
    """(S,) of options and (F,) of futures: largest quantity of a single order [units], NaN where it is not given."""
    layout = made.day.layout
    segment = np.repeat(layout.row_segment, 2)
    return (
        _commonest(segment, _freeze(master, made.leg_key.ravel()), layout.segments),
        _freeze(master, made.future_key),
    )


def _freeze(master: Master, keys: Words) -> Floats:
    lines = master.lines(keys)
    return np.where((lines >= 0) & (keys != 0), master.freeze[np.maximum(lines, 0)], np.nan)
