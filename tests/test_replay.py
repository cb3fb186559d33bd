"""A recorded day as a market: what was seen up to the clock, at once or step by step, each observation once."""

from collections import Counter
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optionscanner.adapters.recorded.converters import import_day
from optionscanner.adapters.recorded.format import RecordedDay, read_day, write_day
from optionscanner.adapters.recorded.replay import RecordedMarket
from optionscanner.adapters.recorded.tables import table_of
from optionscanner.errors import RecordingError, UnknownDate
from optionscanner.model.calendar import load_calendar
from optionscanner.model.chains import Chains
from optionscanner.model.picture import BorderSettings
from optionscanner.model.reasons import Reason
from optionscanner.ports import Market
from tests.recorded_samples import EXPIRY, instants, instruments, ist, manifest, options, spots

CALENDAR = load_calendar()
STRIKES = (980.0, 1000.0, 1020.0)
CONTRACTS = [("ACME", "STOCK", EXPIRY, strike, kind) for strike in STRIKES for kind in ("CE", "PE")]


class ManualClock:
    """A clock that stands until it is set."""

    def __init__(self, at: float = 0.0) -> None:
        self.at = at

    def now(self) -> float:
        return self.at

    def wait_until(self, instant: float) -> None:
        self.at = max(self.at, instant)


def row(at: str, strike: float, last: float, **more: Any) -> dict[str, Any]:
    """A strike with both legs quoted; the put is 5 rupees dearer."""
    return {"at": at, "strike": strike, "call_last": last, "put_last": last + 5, **more}


def chain(at: str, last: float, strikes: tuple[float, ...] = STRIKES, **more: Any) -> list[dict[str, Any]]:
    return [row(at, strike, last, **more) for strike in strikes]


def recorded(
    place: Path,
    rows: list[dict[str, Any]],
    *,
    spot: list[tuple[str, str, float]] | None = None,
    contracts: Any = CONTRACTS,
    more: dict[str, pa.Table] | None = None,
    **changes: Any,
) -> RecordedDay:
    tables = {"options": options(rows), "underlyings": spots(spot or []), "instruments": instruments(contracts)}
    write_day(place / "day", tables | (more or {}), manifest(**changes))
    return read_day(place / "day")


def market(day: RecordedDay, at: str | None = None, **options_: Any) -> tuple[RecordedMarket, ManualClock]:
    clock = ManualClock(0.0 if at is None else ist(at, day.manifest.date))
    return RecordedMarket(day, clock, CALENDAR, **options_), clock


def same(one: Chains, other: Chains) -> None:
    """Equal pictures, array by array."""

    def compare(a: Any, b: Any, name: str) -> None:
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b, err_msg=name)
        elif hasattr(a, "__dataclass_fields__"):
            for field in fields(a):
                compare(getattr(a, field.name), getattr(b, field.name), f"{name}.{field.name}")
        else:
            assert a == b or (a != a and b != b), name

    compare(one, other, "chains")


def test_it_is_a_market(tmp_path: Path) -> None:
    source: Market = market(recorded(tmp_path, chain("10:00", 20)))[0]
    source.want([])
    assert source.total_observations() == 1
    assert source.instants() == [ist("10:00")]


def test_only_what_happened_by_now_is_seen(tmp_path: Path) -> None:
    """Before the first observation nothing; at an instant it is there; until the next one it stays."""
    day = recorded(tmp_path, [*chain("10:00", 20), *chain("10:05", 22)], spot=[("10:00", "ACME", 1000.0)])
    source, clock = market(day, "09:59")
    assert np.isnan(source.latest().legs.last).all()
    for at, last in (("10:00", 20.0), ("10:04:59", 20.0), ("10:05", 22.0)):
        clock.at = ist(at)
        picture = source.latest()
        assert picture.as_of == clock.at
        assert picture.legs.last.tolist() == [[last, last + 5]] * 3
        assert picture.underlyings.spot.tolist() == [1000.0]
    assert source.instants() == [ist("10:00"), ist("10:05")]


def test_prices_counts_and_times_arrive(tmp_path: Path) -> None:
    more = {
        "call_bid": 19.5,
        "call_ask": 20.5,
        "call_bid_quantity": 300,
        "call_volume": 400,
        "call_open_interest": 1100,
        "call_price_at": "09:50",
        "call_open_interest_at": "09:40",
    }
    picture = market(recorded(tmp_path, chain("10:00", 20, **more)), "10:00")[0].latest()
    legs = picture.legs
    got = (legs.bid, legs.ask, legs.bid_quantity, legs.volume, legs.open_interest, legs.price_at, legs.open_interest_at)
    assert [float(values[0, 0]) for values in got] == [19.5, 20.5, 300, 400, 1100, ist("09:50"), ist("09:40")]
    assert all(np.isnan(values[0, 1]) for values in got)
    assert np.isnan(legs.ask_quantity).all()


def test_the_day_as_the_recording_knows_it(tmp_path: Path) -> None:
    """Contracts, hours, yesterday's open interest, and the pace of the observations."""
    contracts = [
        *CONTRACTS,
        ("NIFTY", "INDEX", date(2026, 2, 3), 25000.0, "CE"),
        ("ACME", "STOCK", EXPIRY, None, "FUT"),
    ]
    rows = [*chain("10:00", 20), *chain("10:05", 20), *chain("10:12", 20), *chain("10:15", 20)]
    day = recorded(
        tmp_path,
        rows,
        contracts=contracts,
        more={"instruments": instruments(contracts, previous_open_interest={0: 1500.0})},
    )
    context = market(day)[0].day
    layout = context.layout
    assert [(u.name, u.kind, u.exchange) for u in layout.underlyings] == [
        ("NIFTY", "INDEX", "NFO"),
        ("ACME", "STOCK", "NFO"),
    ]
    assert layout.strike.tolist() == [25000.0, *STRIKES]
    assert layout.segment_lot_size.tolist() == [100.0, 100.0]
    assert layout.future_keys == (("ACME", EXPIRY),)
    assert context.session.opens.timestamp() == ist("09:15")
    assert context.contract_close.tolist() == [ist("15:30")] * 2
    assert layout.segment_horizon.tolist() == [ist("15:30", date(2026, 2, 3)), ist("15:30", EXPIRY)]
    assert context.refresh.tolist() == [300.0, 300.0]  # the manifest's step where nothing was seen; median of 5, 7, 3
    assert context.previous_open_interest[1, 0] == 1500.0
    assert np.isnan(context.previous_open_interest[1, 1])
    assert context.listed.tolist() == [[True, False], *[[True, True]] * 3]
    assert np.isnan(context.tick_size).all()


def test_a_strike_that_appears_during_an_imported_day(tmp_path: Path) -> None:
    """It is not listed and has no figures until it is first seen; a leg that yesterday knew is listed before."""
    rows = [*chain("10:00", 20, (980.0, 1000.0)), *chain("10:05", 22)]
    day = recorded(
        tmp_path,
        rows,
        mode_recorded="IMPORT",
        more={"instruments": instruments(CONTRACTS, previous_open_interest={5: 100.0})},
    )
    source, clock = market(day, "10:00")
    first = source.latest()
    assert first.listed.tolist() == [[True, True], [True, True], [False, True]]
    assert np.isnan(first.legs.last[2]).all()
    clock.at = ist("10:05")
    second = source.latest()
    assert second.listed.all()
    assert second.legs.last[2].tolist() == [22.0, 27.0]


def test_every_observation_is_processed_or_refused_with_a_reason(tmp_path: Path) -> None:
    """On both sides of each border: the open, the close and its grace, a repeated and a stale stamp."""
    times = {
        "09:14:59": Reason.BEFORE_OPEN,
        "09:15": Reason.OK,
        "10:00": Reason.OK,
        "10:05": Reason.REPEATED_STAMP,
        "10:30": Reason.STALE_STAMP,
        "15:45": Reason.OK,
        "15:45:01": Reason.AFTER_CLOSE,
    }
    stamps = {"10:05": "10:00", "10:30": "10:19"}
    rows = [r for at in times for r in chain(at, 20, stamped_at=stamps.get(at, at))]
    source, clock = market(recorded(tmp_path, rows))
    seen = {}
    for at in times:
        clock.at = ist(at)
        polls = source.latest().polls
        assert polls.segment.tolist() == [0]
        seen[at] = Reason(int(polls.refused[0]))
    assert seen == times
    assert source.total_observations() == len(times)


def test_the_grace_after_the_close_is_a_setting(tmp_path: Path) -> None:
    rows = [r for at in ("10:00", "15:31") for r in chain(at, 20)]
    source, _ = market(recorded(tmp_path, rows), "16:00", border=BorderSettings(close_grace=0.0))
    assert source.latest().polls.refused.tolist() == [Reason.OK, Reason.AFTER_CLOSE]


def test_india_vix_and_futures_come_along(tmp_path: Path) -> None:
    futures = table_of(
        "futures",
        {
            "observed_at": instants(["10:00"]),
            "exchange": np.array(["NFO"], dtype=object),
            "underlying": np.array(["ACME"], dtype=object),
            "expiry": np.array([EXPIRY], dtype="datetime64[D]"),
            "last": np.array([1003.5]),
            "bid": np.array([1003.0]),
            "price_at": instants(["09:59"]),
        },
    )
    day = recorded(
        tmp_path,
        chain("10:00", 20),
        spot=[("10:00", "ACME", 1000.0), ("10:01", "INDIA VIX", 13.25)],
        contracts=[*CONTRACTS, ("ACME", "STOCK", EXPIRY, None, "FUT")],
        more={"futures": futures},
    )
    source, clock = market(day, "10:00")
    first = source.latest()
    assert np.isnan(first.vix)
    assert first.futures.last.tolist() == [1003.5]
    assert first.futures.price_at.tolist() == [ist("09:59")]
    clock.at = ist("10:01")
    assert source.latest().vix == 13.25
    assert source.instants() == [ist("10:00"), ist("10:01")]


@pytest.mark.slow
@given(
    prices=st.lists(st.sampled_from([np.nan, 18.0, 20.0, 22.5]), min_size=8, max_size=8),
    stops=st.sets(st.integers(0, 7), max_size=4),
)
def test_a_restart_sees_what_an_unbroken_run_sees(
    prices: list[float], stops: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Constructed anew at any instants: after one look at the last stored instant, all pictures are equal."""
    times = [f"10:{5 * i:02d}" for i in range(8)]
    rows = [r for at, last in zip(times, prices, strict=True) for r in chain(at, last, call_volume=100)]
    day = recorded(tmp_path_factory.mktemp("day"), rows, spot=[(at, "ACME", 1000.0) for at in times])
    unbroken, clock = market(day)
    broken, other = market(day)
    for number, at in enumerate(times):
        if number in stops:
            broken, other = market(day, times[number - 1] if number else "09:15")
            broken.latest()
        clock.at = other.at = ist(at)
        same(broken.latest(), unbroken.latest())


def test_one_look_at_the_end_is_all_looks_on_the_way(tmp_path: Path) -> None:
    """Folding at once or step by step gives the same legs, and every poll exactly once."""
    rows = [r for i in range(6) for r in chain(f"10:{5 * i:02d}", 20 + i, call_volume=100 * i)]
    day = recorded(tmp_path, rows)
    stepped, clock = market(day)
    polls = 0
    for at in stepped.instants():
        clock.at = at
        last = stepped.latest()
        polls += len(last.polls.segment)
    at_once = market(day, "10:25")[0].latest()
    assert polls == len(at_once.polls.segment) == stepped.total_observations() == 6
    same_legs = [
        np.array_equal(getattr(last.legs, f.name), getattr(at_once.legs, f.name), equal_nan=True)
        for f in fields(last.legs)
    ]
    assert all(same_legs)


def test_a_clock_that_goes_back_forgets_nothing(tmp_path: Path) -> None:
    """What was seen stays seen, and nothing is folded twice."""
    source, clock = market(recorded(tmp_path, [*chain("10:00", 20), *chain("10:05", 22)]), "10:05")
    assert len(source.latest().polls.segment) == 2
    clock.at = ist("10:01")
    again = source.latest()
    assert again.legs.last[0, 0] == 22.0
    assert len(again.polls.segment) == 0


def test_an_expired_contract_is_refused_with_its_reason(tmp_path: Path) -> None:
    """Its rows are in the recording, so they are handed over and refused; the other chain goes on."""
    gone = date(2026, 1, 27)
    contracts = [*CONTRACTS, *(("ACME", "STOCK", gone, strike, kind) for strike in STRIKES for kind in ("CE", "PE"))]
    rows = [*chain("10:00", 20), *(r | {"expiry": gone} for r in chain("10:00", 3))]
    source, _ = market(recorded(tmp_path, rows, contracts=contracts), "10:00")
    polls = source.latest().polls
    reasons = {
        source.day.layout.segment_keys[s].expiry: Reason(int(c))
        for s, c in zip(polls.segment, polls.refused, strict=True)
    }
    assert reasons == {gone: Reason.EXPIRED_CONTRACT, EXPIRY: Reason.OK}


# --- recordings that contradict themselves


def test_a_strike_without_contract(tmp_path: Path) -> None:
    day = recorded(tmp_path, [*chain("10:00", 20), row("10:00", 1040.0, 5)])
    with pytest.raises(
        RecordingError, match=r"1 rows .* no contract in table instruments, first ACME 24-Feb-2026 1040"
    ):
        market(day)


def test_an_expiry_without_contract(tmp_path: Path) -> None:
    day = recorded(tmp_path, [r | {"expiry": date(2026, 3, 30)} for r in chain("10:00", 20)])
    with pytest.raises(RecordingError, match="has ACME 30-Mar-2026, which table instruments does not list"):
        market(day)


def test_an_underlying_without_contract(tmp_path: Path) -> None:
    day = recorded(tmp_path, [r | {"underlying": "OTHER"} for r in chain("10:00", 20)])
    with pytest.raises(
        RecordingError, match="table options has OTHER 24-Feb-2026, which table instruments does not list"
    ):
        market(day)


def test_a_contract_twice_at_one_instant(tmp_path: Path) -> None:
    day = recorded(tmp_path, [*chain("10:00", 20), row("10:00", 980.0, 21)])
    with pytest.raises(RecordingError, match="a contract twice at one instant"):
        market(day)


def test_two_lot_sizes_of_one_chain(tmp_path: Path) -> None:
    both = pa.concat_tables([instruments(CONTRACTS[:2], lot_size=50), instruments(CONTRACTS[2:], lot_size=75)])
    day = recorded(tmp_path, [], more={"instruments": both})
    with pytest.raises(RecordingError, match=r"one kind and one whole lot size above 0, gives NFO, STOCK, 75"):
        market(day)


def test_an_option_without_strike(tmp_path: Path) -> None:
    day = recorded(tmp_path, [], contracts=[("ACME", "STOCK", EXPIRY, None, "CE")])
    with pytest.raises(RecordingError, match=r"ACME 24-Feb-2026 CE with strike None, a strike from 0\.01 to"):
        market(day)


def test_no_options_at_all(tmp_path: Path) -> None:
    day = recorded(tmp_path, [], contracts=[])
    with pytest.raises(RecordingError, match="lists no options, so there is nothing to replay"):
        market(day)


@pytest.mark.parametrize("closed", [date(2026, 1, 26), date(2026, 1, 31)])
def test_a_day_without_session(tmp_path: Path, closed: date) -> None:
    tables = {"options": options(chain("10:00", 20), closed), "instruments": instruments(CONTRACTS)}
    write_day(tmp_path / "day", tables, manifest(date=closed))
    with pytest.raises(
        RecordingError, match=r"when the market was closed \((Republic Day|Saturday)\); choose the recording"
    ):
        market(read_day(tmp_path / "day"))


def test_a_day_that_the_calendar_does_not_know(tmp_path: Path) -> None:
    unknown = date(2027, 3, 1)
    tables = {"options": options(chain("10:00", 20), unknown), "instruments": instruments(CONTRACTS)}
    write_day(tmp_path / "day", tables, manifest(date=unknown))
    with pytest.raises(UnknownDate):
        market(read_day(tmp_path / "day"))


# --- the real days

FIVE = "allfno_5min_2026"
ONE = "nifty_banknifty_1min_2025-08-29"
DAYS = {
    "19 January": [f"{FIVE}/stocks_2026-01-19.parquet"],
    "30 January": [f"{FIVE}/stocks_2026-01-30.parquet", f"{FIVE}/index_2026-01-22_to_02-05.parquet"],
    "1 February, a Sunday": [f"{FIVE}/stocks_2026-02-01.parquet", f"{FIVE}/index_2026-01-22_to_02-05.parquet"],
    "2 February": [f"{FIVE}/stocks_2026-02-02.parquet", f"{FIVE}/index_2026-01-22_to_02-05.parquet"],
    "3 February": [f"{FIVE}/stocks_2026-02-03.parquet", f"{FIVE}/index_2026-01-22_to_02-05.parquet"],
    "4 February": [f"{FIVE}/stocks_2026-02-04.parquet"],
    "5 February": [f"{FIVE}/stocks_2026-02-05.parquet", f"{FIVE}/index_2026-01-22_to_02-05.parquet"],
    "29 August": [f"{ONE}/NIFTY_2025-08-29.parquet", f"{ONE}/BANKNIFTY_2025-08-29.parquet"],
}
# (instants, observations, refused for their time of day), counted on the raw files with pandas
EXPECTED = {
    "19 January": (81, 16_809, 1039 + 414),
    "30 January": (182, 21_658, 1248),
    "1 February, a Sunday": (164, 19_168, 1042),
    "2 February": (42, 5_826, 386),
    "3 February": (167, 18_361, 193 + 1170),
    "4 February": (32, 6_176, 193 * 3),
    "5 February": (55, 7_765, 386),
    "29 August": (306, 306 * 18 + 305 * 6, 0),
}


@pytest.mark.data
@pytest.mark.parametrize("name", DAYS)
def test_whole_real_days(name: str, data_folder: Path, tmp_path: Path) -> None:
    """Every observation is processed or refused with a reason, none is lost or counted twice."""
    raw = data_folder / "chain_intraday"
    import_day([raw / source for source in DAYS[name]], tmp_path / "day", lambda line: None)
    source, clock = market(read_day(tmp_path / "day"))
    reasons: Counter[Reason] = Counter()
    for at in source.instants():
        clock.at = at
        reasons.update(Reason(int(code)) for code in source.latest().polls.refused)
    count, observations, untimely = EXPECTED[name]
    assert len(source.instants()) == count
    assert source.total_observations() == observations == sum(reasons.values())
    assert reasons[Reason.BEFORE_OPEN] + reasons[Reason.AFTER_CLOSE] == untimely
    if name == "29 August":
        # the exchange's stamp did not move: 14 polls of 18 expiries of NIFTY, 19 polls of 6 of BANKNIFTY, less those
        # chains that had no forward anyway
        assert 0 < reasons[Reason.REPEATED_STAMP] <= 14 * 18 + 19 * 6


@pytest.mark.data
def test_a_real_picture(data_folder: Path, tmp_path: Path) -> None:
    """30 January, 15:26:07 and 15:30:46: spots and totals of the golden facts, now through the picture."""
    raw = data_folder / "chain_intraday"
    import_day([raw / source for source in DAYS["30 January"]], tmp_path / "day", lambda line: None)
    source, clock = market(read_day(tmp_path / "day"), "15:26:07")
    layout = source.day.layout
    late = source.latest()
    nifty = layout.segment_of("NIFTY", date(2026, 2, 3))
    rows = slice(int(layout.starts[nifty]), int(layout.ends[nifty]))
    assert late.spot[nifty] == 25320.5
    assert np.nansum(late.legs.open_interest[rows], axis=0).tolist() == [155_009_595.0, 119_785_055.0]
    assert np.isnan(late.underlyings.spot[layout.names.index("MIDCPNIFTY")])
    clock.at = ist("15:30:46")
    after = source.latest()
    reliance = layout.segment_of("RELIANCE", EXPIRY)
    rows = slice(int(layout.starts[reliance]), int(layout.ends[reliance]))
    assert after.spot[reliance] == 1397.0
    assert np.nansum(after.legs.open_interest[rows], axis=0).tolist() == [45_869_000.0, 29_659_500.0]
    assert np.nanmax(after.legs.price_at) <= ist("15:30")
