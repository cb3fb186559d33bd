"""The day's map of open interest: every leg and quarter hour against a pivot of the recording, across a restart, a gap,
strikes that were not seen and a spot that moves through the ladder; in memory, in the file and on the sheet."""

import math
import sqlite3
from dataclasses import replace
from datetime import datetime, time

import numpy as np
import pandas as pd
import pytest

from optionscanner.errors import HistoryBusy, HistoryError
from optionscanner.history.archive import archive_session
from optionscanner.history.queries import HistoryReader
from optionscanner.history.store import SqliteHistory
from optionscanner.model.anchors import WINDOWS
from optionscanner.model.looking_back import legs_against
from optionscanner.model.open_interest_map import OPENING, OpenInterestMap
from optionscanner.model.sessions import Mode
from optionscanner.workbook.layout_oi_heatmap import OI_HEATMAP, SHOWN, SIDE
from tests import builders
from tests.engine_builders import run
from tests.recorded_days import january_30, pictures_of
from tests.recorded_samples import DAY
from tests.small_day import NAMES, WEEKLY, Place, run_here, small_day

__all__ = ["january_30"]

OPENS = pd.Timestamp(datetime.combine(DAY, time(9, 15)))
NIFTY = NAMES["NIFTY"]
OBSERVED = 67
STEP = 180.0


def minutes_of(moment):
    """After 09:15."""
    hours, minutes = (int(part) for part in moment.split(":")[:2])
    return 60 * hours + minutes - 555


def spoiled(rows, spots):
    """A gap of half an hour, a strike that is not seen for a quarter hour, open interest that is not quoted at times,
    and a spot that climbs two strikes."""
    kept = []
    for row in rows:
        at, leg = minutes_of(row["at"]), (row["underlying"], row["strike"])
        if row["underlying"] == "NIFTY" and 75 <= at < 105:
            continue
        if leg == ("NIFTY", 25_050.0) and 120 <= at < 135:
            continue
        odd = leg == ("NIFTY", 24_900.0) and at % 7 == 0
        kept.append({**row, "put_open_interest": None} if odd else row)
    climbed = [
        (at, name, value + (100.0 * minutes_of(at) / 200.0 if name == "NIFTY" else 0.0)) for at, name, value in spots
    ]
    return kept, climbed


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Rows of the recording; a place in which it was replayed, stopped in the middle and started again."""
    folder = tmp_path_factory.mktemp("map")
    told = []

    def spoil(rows, spots):
        told.append(spoiled(rows, spots))
        return told[-1]

    day = small_day(folder / "day", OBSERVED, step=STEP, spoil=spoil)
    place = Place(folder / "run")
    assert run_here(place.replay(day, "--until", "10:52")) == 0
    assert run_here(place.replay(day)) == 0
    ((rows, spots),) = told
    return pd.DataFrame(rows), pd.DataFrame(spots, columns=["at", "underlying", "spot"]), place


def bucket_of(at):
    return ((pd.to_datetime(DAY.isoformat() + " " + at) - OPENS) // pd.Timedelta("15min")).astype(int)


@pytest.fixture(scope="module")
def pivot(recorded):
    """(quarter hour, strike, side) -> newest open interest [units] of NIFTY, by pandas alone."""
    rows = recorded[0][recorded[0]["underlying"] == "NIFTY"]
    sides = [
        rows.groupby([bucket_of(rows["at"]), rows["strike"]])[f"{side}_open_interest"].last().unstack().astype(float)
        for side in ("call", "put")
    ]
    return np.stack([side.to_numpy() for side in sides], axis=2), list(sides[0].index), list(sides[0].columns)


def test_the_stored_map_is_the_pivot_of_the_recording_for_every_leg_and_quarter_hour(recorded, pivot):
    values, buckets, strikes = pivot
    with HistoryReader(recorded[2].history) as reader:
        assert len(reader.sessions()) == 1
        found = reader.open_interest_map("NIFTY", WEEKLY)
    assert found.strike.tolist() == strikes
    assert found.begins[0] == OPENS.tz_localize("Asia/Kolkata").timestamp()
    expected = np.full(found.open_interest.shape, np.nan)
    expected[buckets] = values
    np.testing.assert_array_equal(found.open_interest, expected)
    assert set(range(len(found.begins))) - set(buckets) == {5, 6}  # 10:30 to 11:00
    assert np.isnan(expected[8, strikes.index(25_050.0)]).all()


def test_a_change_needs_both_quarter_hours_and_the_first_one_begins_with_the_first_reading(recorded, pivot):
    values, buckets, strikes = pivot
    first = recorded[0][recorded[0]["underlying"] == "NIFTY"].drop_duplicates("strike")
    with HistoryReader(recorded[2].history) as reader:
        found = reader.open_interest_map("NIFTY", WEEKLY)
    base = first.set_index("strike").loc[strikes, ["call_open_interest", "put_open_interest"]].to_numpy(dtype=float)
    whole = np.full((len(found.begins), len(strikes), 2), np.nan)
    whole[buckets] = values
    np.testing.assert_array_equal(found.change, np.diff(whole, axis=0, prepend=base[None]))
    assert np.isnan(found.change[[5, 6, 7]]).all()  # what came in the gap has no time
    assert np.isfinite(found.change[4]).all()
    newest = pd.DataFrame(whole.reshape(len(whole), -1)).ffill().iloc[-1].to_numpy().reshape(-1, 2)
    np.testing.assert_array_equal(found.change_of_day, newest - base)


def test_the_sheet_shows_the_map_around_the_money_and_frames_the_path_of_the_spot(recorded, pivot):
    """The spot climbs two strikes: each keeps its history, the window and its strikes move."""
    _, spots, place = recorded
    values, buckets, strikes = pivot
    table = OI_HEATMAP.table("oi_heatmap")
    cells = place.cells("OI_HEATMAP")
    line = next(c.row for block in OI_HEATMAP.cells for c in block.cells if c.source == "map.strike0")
    listed = cells[line - 1][:SHOWN]
    last = spots[spots["underlying"] == "NIFTY"].iloc[-1]["spot"]
    money = min(strikes, key=lambda strike: abs(strike - last))
    assert money > NIFTY.middle
    assert listed[SIDE] == money
    assert [s for s in listed if s is not None] == strikes
    whole = np.full((26, len(strikes), 2), np.nan)
    whole[buckets] = values
    change = np.diff(whole, axis=0) / 100_000.0  # lakh
    seen = 0
    for i in range(1, 25):
        row = cells[table.row + i]
        for side, first in ((0, 0), (1, SHOWN + 3)):
            for k, strike in enumerate(listed):
                if strike is None:
                    assert row[first + k] is None
                    continue
                expected = change[i - 1, strikes.index(strike), side]
                assert row[first + k] == (pytest.approx(expected) if math.isfinite(expected) else None)
                seen += math.isfinite(expected)
    assert seen > 100
    spot = spots[spots["underlying"] == "NIFTY"]
    by_bucket = spot.groupby(bucket_of(spot["at"]))["spot"].last()
    for i in (0, 3, 9, 13):
        row = cells[table.row + i]
        assert row[SHOWN + 1] == pytest.approx(by_bucket[i], abs=0.01)
        assert row[SHOWN + 2] == min(strikes, key=lambda strike: abs(strike - by_bucket[i]))


def test_what_is_in_memory_moves_with_the_contracts_and_begins_anew_on_another_day():
    """Strikes that are listed during the day begin with nothing; those that were there keep what they have."""
    day = builders.day_of(builders.small_layout())
    reports = builders.day_of_reports([builders.ist(9, 16), builders.ist(9, 31)])
    held = OpenInterestMap.of_day(day)
    for report in reports:
        held = held.seen(report.chains)
    assert set(held.values) == {OPENING, 0, 1}
    more = builders.small_layout(more_strikes=(1_111.0,))
    moved = held.reindexed(more)
    rows = more.rows_from(day.layout)
    assert (rows < 0).any()
    for bucket, values in held.values.items():
        np.testing.assert_array_equal(moved.values[bucket][rows >= 0], values[rows[rows >= 0]])
        assert np.isnan(moved.values[bucket][rows < 0]).all()
    tomorrow = replace(held, opens=held.opens - 86_400.0).seen(reports[0].chains)
    assert set(tomorrow.values) == {OPENING, 0}
    assert tomorrow.opens == held.opens


def test_an_observation_that_changes_nothing_hands_the_same_arrays_on():
    (report,) = builders.day_of_reports([builders.ist(9, 16)])
    held = OpenInterestMap.of_day(report.chains.day).seen(report.chains)
    again = held.seen(report.chains)
    assert all(again.values[bucket] is values for bucket, values in held.values.items())


def test_a_chain_that_the_session_never_saw_is_refused_with_a_sentence(recorded):
    with HistoryReader(recorded[2].history) as reader, pytest.raises(HistoryError, match="holds no map of NIFTY 2031"):
        reader.open_interest_map("NIFTY", WEEKLY.replace(year=2031))


def test_the_map_stays_when_the_quotes_of_its_day_are_archived(recorded, tmp_path):
    path = tmp_path / "history.db"
    path.write_bytes(recorded[2].history.read_bytes())
    with HistoryReader(path) as reader:
        before = reader.open_interest_map("NIFTY", WEEKLY)
    connection = sqlite3.connect(path, isolation_level=None)
    archive_session(connection, path, 1, now=0.0)
    assert connection.execute("SELECT count(*) FROM quote").fetchone() == (0,)
    connection.close()
    with HistoryReader(path) as reader:
        after = reader.open_interest_map("NIFTY", WEEKLY)
    for name in ("begins", "strike", "open_interest", "base", "spot"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


def test_cycles_that_could_not_be_stored_leave_no_hole_in_the_map(tmp_path):
    """What was lost on the way comes with the next cycle, as the memory still has it."""
    day = builders.day_of(builders.small_layout())
    instants = [builders.ist(9, 16), builders.ist(9, 31), builders.ist(9, 46), builders.ist(10, 1)]
    held, reports = OpenInterestMap.of_day(day), []
    for report in builders.day_of_reports(instants):
        held = held.seen(report.chains)
        reports.append(replace(report, open_interest_map=held))
    path = tmp_path / "h.db"
    history = SqliteHistory(path, Mode.REPLAY, spool_cycles=1, busy_timeout=0.05)
    history.begin(builders.run_session(), day, resume_within=None, now=builders.ist(9, 15))
    history.save(reports[0])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for report in reports[1:3]:  # one waits, the next is lost
        with pytest.raises(HistoryBusy):
            history.save(report)
    other.execute("ROLLBACK")
    other.close()
    history.save(reports[3])
    assert history.lost == 1
    history.close()
    layout = day.layout
    with HistoryReader(path) as reader:
        for segment, key in enumerate(layout.segment_keys):
            rows = slice(int(layout.starts[segment]), int(layout.ends[segment]))
            found = reader.open_interest_map(key.underlying, key.expiry)
            assert len(found.begins) == 4
            for bucket in range(4):
                np.testing.assert_array_equal(found.open_interest[bucket], held.values[bucket][rows])


# Now against earlier minutes


@pytest.fixture(scope="module")
def rings(recorded):
    """(instant, what windows look back on) after every observation of the recording, in memory alone."""
    state, pricing, made = None, None, []
    for chains in pictures_of(recorded[2].folder.parent / "day"):
        state, _, pricing = run(chains, state, pricing=pricing)
        made.append((chains.as_of, state.anchors))
    return made


def instants_of(rows):
    """(n,) seconds since 1970 UTC."""
    local = pd.to_datetime(DAY.isoformat() + " " + rows["at"]).dt.tz_localize("Asia/Kolkata")
    return local.dt.as_unit("ns").astype("int64").to_numpy() / 1e9


@pytest.mark.parametrize("moment", ["10:05", "11:09", "12:20"])
def test_now_against_earlier_minutes_is_what_the_recording_had_then(recorded, moment):
    """Open interest of the recording differs at every observation, so each is distinct."""
    rows = recorded[0][(recorded[0]["underlying"] == "NIFTY") & (recorded[0]["strike"] == 25_000.0)]
    seen = instants_of(rows)
    at = OPENS.tz_localize("Asia/Kolkata").timestamp() + 60 * minutes_of(moment)
    with HistoryReader(recorded[2].history) as reader:
        found = reader.against("NIFTY", WEEKLY, at=at)
    end = seen[seen <= at].max()
    assert set(found["at"]) == {end}
    for side, kind in (("call", "CE"), ("put", "PE")):
        leg = found[(found["strike"] == 25_000.0) & (found["option_type"] == kind)].iloc[0]
        for minutes in (0, *WINDOWS):
            begins = end - 60 * minutes
            standing = np.flatnonzero((seen <= begins) & (seen >= begins - 180)).tolist()[-1:]
            standing = standing or np.flatnonzero((seen > begins) & (seen <= begins + 15)).tolist()[-1:]
            ago = f"_{minutes}" if minutes else ""
            expected = [(np.nan, np.nan)] + [
                (rows.iloc[i][f"{side}_open_interest"], rows.iloc[i][f"{side}_last"]) for i in standing
            ]
            assert (leg[f"open_interest{ago}"], leg[f"last{ago}"]) == pytest.approx(expected[-1], nan_ok=True)
    if moment == "11:09":
        assert np.isnan(found["open_interest_15"]).all()  # in the gap
        assert np.isfinite(found["open_interest_5"]).any()


def test_memory_and_file_answer_alike(recorded, rings):
    """At every observation but those at which a strike was out of sight, which the file does not tell apart."""
    compared = 0
    with HistoryReader(recorded[2].history) as reader:
        for at, ring in rings[::4]:
            from_memory, from_file = legs_against(ring, "NIFTY", WEEKLY), reader.against("NIFTY", WEEKLY, at=at)
            hidden = from_memory["strike"] == 25_050.0
            pd.testing.assert_frame_equal(
                from_memory[~hidden].reset_index(drop=True), from_file[~hidden].reset_index(drop=True),
                rtol=0.0, atol=1e-9,
            )  # fmt: skip
            compared += int(np.isfinite(from_file["last_30"]).sum())
    assert compared > 50


# The reference day


@pytest.mark.data
@pytest.mark.slow
def test_every_leg_and_quarter_hour_of_a_real_day_equals_the_pivot_of_its_recording(january_30):
    """Friday 30 January 2026: some 17,000 legs of 209 names."""
    held = None
    for chains in pictures_of(january_30):
        held = (held or OpenInterestMap.of_day(chains.day)).seen(chains)
    layout = held.layout
    columns = ["observed_at", "underlying", "expiry", "strike", "call_open_interest", "put_open_interest"]
    rows = pd.read_parquet(january_30 / "options.parquet", columns=columns).sort_values("observed_at", kind="stable")
    wall = pd.to_datetime(rows["observed_at"], utc=True).dt.tz_convert("Asia/Kolkata")
    minutes = (wall - wall.dt.normalize() - pd.Timedelta("9h15min")) // pd.Timedelta("15min")
    rows = rows.assign(bucket=minutes.clip(upper=held.buckets - 1))
    # What comes within a quarter hour of the close is of the day, what comes later is refused.
    rows = rows[(wall.dt.time >= time(9, 15)) & (wall.dt.time <= time(15, 45))]
    keys = {(key.underlying, key.expiry): i for i, key in enumerate(layout.segment_keys)}
    dates = pd.to_datetime(rows["expiry"]).dt.date
    segments = [keys[pair] for pair in zip(rows["underlying"], dates, strict=True)]
    rows["row"] = layout.rows_of(segments, rows["strike"])
    pivot = rows.groupby(["bucket", "row"])[["call_open_interest", "put_open_interest"]].last()
    for bucket in range(held.buckets):
        expected = np.full((layout.rows, 2), np.nan)
        mine = pivot.loc[bucket]
        expected[mine.index] = mine.to_numpy(dtype=float)
        np.testing.assert_array_equal(held.values[bucket], expected)
    assert np.isfinite(held.values[0]).sum() > 15_000
