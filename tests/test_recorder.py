"""--record: a recorded day of any session, whose replay makes equal readings; kills, refusals and full disks."""

import json
import shutil
import signal
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from optionscanner.adapters.recorded import parts
from optionscanner.adapters.recorded.format import read_day
from optionscanner.adapters.recorded.manifest import parse_manifest
from optionscanner.adapters.recorded.recorder import DayRecorder
from optionscanner.adapters.recorded.replay import RecordedMarket
from optionscanner.adapters.recorded.tables import SCHEMAS
from optionscanner.errors import RecordingError
from optionscanner.model.calendar import load_calendar
from optionscanner.model.picture import MarketPicture
from optionscanner.model.sessions import Mode
from tests import builders, program
from tests.builders import TRADING_DATE, ist
from tests.recorded_days import TapeClock, january_30  # noqa: F401 - a fixture
from tests.small_day import Place, main, small_day

READINGS = ("price", "open_interest", "flow", "activity", "readiness", "alerts")
FROM_DAILY_FILES = ("volatility_rank", "exposure_rank", "futures", "build_up", "unusual_activity")
"""Readings that rest on what a day knows of the sessions before."""


def readings_of(history: Path, also: tuple[str, ...] = ()) -> dict[str, list[tuple[object, ...]]]:
    """Rows of the tables of readings, without what numbers the rows."""
    found = {}
    for table in (*READINGS, *also):
        columns = [str(c[1]) for c in program.rows(history, f"PRAGMA table_info({table})")]
        named = ", ".join(c for c in columns if c not in ("session", "id", "cycle", "number"))
        assert named, f"the history has no table {table}"
        found[table] = program.rows(history, f"SELECT {named} FROM {table} ORDER BY {named}")
    return found


def recorded_pictures(folder: Path) -> list:
    clock = TapeClock()
    market = RecordedMarket(read_day(folder), clock, load_calendar())
    pictures = []
    for clock.instant in market.instants():
        pictures.append(market.latest())
    return pictures


@pytest.fixture
def reports() -> list:
    """Six cycles of a market with bid and ask, stamps of their own and some chains polled at a time."""
    day = builders.day_of(builders.small_layout())
    listed = day.listed.copy()
    listed[3, 1] = listed[7, 0] = False
    picture, made = MarketPicture(replace(day, listed=listed)), []
    for cycle, minute in enumerate((20, 23, 26, 29, 70, 75), start=1):
        at = ist(9 + minute // 60, minute % 60)
        picture.observe(builders.observation(day.layout, at, segments=[0, 2] if cycle % 2 else None))
        if cycle == 3:  # the same stamp again, and an older poll of the same cycle
            picture.observe(builders.observation(day.layout, at, segments=[0]))
            picture.observe(builders.observation(day.layout, at + 2, segments=[0, 1]))
        made.append(builders.report(picture.frozen(at + 2), cycle))
    return made


def test_the_recording_gives_the_pictures_of_the_session(reports, tmp_path: Path) -> None:
    recorder = DayRecorder(tmp_path / "day", reports[0].session)
    for report in reports:
        recorder.record(report)
    recorder.end()
    recorder.close()
    assert [place.name for place in tmp_path.iterdir()] == ["day"]
    pictures = recorded_pictures(tmp_path / "day")
    assert len(pictures) == len(reports)
    for seen, report in zip(pictures, reports, strict=True):
        chains = report.chains
        assert seen.as_of == chains.as_of
        assert seen.layout.segment_keys == chains.layout.segment_keys
        back = seen.layout.rows_from(chains.layout)
        assert (back == np.arange(chains.layout.rows)).all()
        segments = seen.layout.segments_from(chains.layout)
        np.testing.assert_array_equal(seen.listed, chains.listed[back])
        np.testing.assert_array_equal(seen.coverage, chains.coverage[segments])
        np.testing.assert_array_equal(seen.stamped_at, chains.stamped_at[segments])
        np.testing.assert_array_equal(seen.updated, chains.updated[segments])
        for name in ("last", "bid", "ask", "bid_quantity", "ask_quantity", "volume", "open_interest", "price_at",
                     "open_interest_at", "seen_at"):  # fmt: skip
            np.testing.assert_array_equal(getattr(seen.legs, name), getattr(chains.legs, name)[back], err_msg=name)
        for name in ("spot", "open", "high", "low", "previous_close", "volume"):
            # Both list NIFTY, SENSEX, RELIANCE: indices first.
            found, given = getattr(seen.underlyings, name), getattr(chains.underlyings, name)
            np.testing.assert_array_equal(found, given, err_msg=name)
        assert seen.vix == chains.vix
        np.testing.assert_array_equal(seen.day.refresh, [60.0] * 3)


def test_the_manifest_counts_what_was_seen(reports, tmp_path: Path) -> None:
    """Odd cycles poll two chains, even ones four; the third polls one twice, once with a repeated stamp."""
    recorder = DayRecorder(tmp_path / "day", reports[0].session)
    for report in reports:
        recorder.record(report)
    assert recorder.observations == 2 + 4 + 3 + 4 + 2 + 4
    recorder.end()
    recorder.close()
    manifest = read_day(tmp_path / "day").manifest
    assert (manifest.mode_recorded, manifest.date, manifest.session) == ("REPLAY", TRADING_DATE, None)
    assert manifest.counts == {"cycles": 6, "observations": 19}
    assert {(r.reason, r.observations) for r in manifest.refused} == {
        ("superseded by a newer one of the same cycle", 1), ("repeated stamp", 1)
    }  # fmt: skip
    assert manifest.observation_step_seconds == 180.0
    unlisted = sum(len(strikes) for strikes in manifest.unlisted_at_open.values())
    assert unlisted == 2


def test_a_torn_recording_keeps_every_whole_cycle_and_goes_on(reports, tmp_path: Path) -> None:
    first = DayRecorder(tmp_path / "day", reports[0].session)
    for report in reports[:3]:
        first.record(report)
    # As a kill leaves it: nothing closed, the last cycle only half written.
    places = [next((tmp_path / ".day.recording").glob(f"*-{name}.arrows")) for name in ("options", "cycles")]
    whole = [place.read_bytes() for place in places]
    first._end_part()
    for place, found in zip(places, whole, strict=True):
        place.write_bytes(found[: len(found) - 7])
    second = DayRecorder(tmp_path / "day", reports[0].session)
    assert "after what was recorded until 09:23:02" in second.note
    for report in reports:  # those that are there already are left out
        second.record(report)
    second.close()  # stopped, not ended
    assert (tmp_path / ".day.recording").exists()
    third = DayRecorder(tmp_path / "day", reports[0].session)
    third.end()
    third.close()
    assert [place.name for place in tmp_path.iterdir()] == ["day"]
    whole_day = DayRecorder(tmp_path / "whole", reports[0].session)
    for report in reports:
        whole_day.record(report)
    whole_day.end()
    whole_day.close()
    one, other = read_day(tmp_path / "day"), read_day(tmp_path / "whole")
    assert one.manifest.counts == other.manifest.counts
    for table in ("options", "instruments"):
        assert getattr(one, table).equals(getattr(other, table))


def test_a_new_part_is_begun_every_hour(reports, tmp_path: Path) -> None:
    recorder = DayRecorder(tmp_path / "day", reports[0].session)
    for report in reports:
        recorder.record(report)
    assert parts.numbers(tmp_path / ".day.recording") == [1, 2]
    recorder.close()


def test_what_cannot_be_written_is_a_sentence_and_counted(reports, tmp_path: Path) -> None:
    recorder = DayRecorder(tmp_path / "day", reports[0].session)
    recorder.record(reports[0])
    recorder.record(reports[1])
    recorder.record(reports[2])
    recorder.record(reports[3])
    shutil.rmtree(tmp_path / ".day.recording")
    (tmp_path / ".day.recording").touch()
    with pytest.raises(RecordingError, match="the cycle could not be recorded"):
        recorder.record(reports[4])  # begins a new part
    (tmp_path / ".day.recording").unlink()
    (tmp_path / ".day.recording").mkdir()
    fresh = DayRecorder(tmp_path / "other", reports[0].session)
    fresh.record(reports[0])
    for name in ("manifest.json", "instruments.parquet"):
        shutil.copy(tmp_path / ".other.recording" / name, tmp_path / ".day.recording" / name)
    fresh.close()
    recorder.record(reports[5])
    recorder.end()
    recorder.close()
    refused = {r.reason: r.observations for r in read_day(tmp_path / "day").manifest.refused}
    assert refused[parts.MISSED] == 2


@pytest.mark.parametrize("kind", ["day", "files", "another"])
def test_a_place_that_is_taken_is_refused_and_left_alone(kind: str, reports, tmp_path: Path) -> None:
    session = reports[0].session
    if kind == "day":
        small_day(tmp_path / "day")
    elif kind == "files":
        (tmp_path / "day").mkdir()
        (tmp_path / "day" / "mine.txt").write_text("x")
    else:
        first = DayRecorder(tmp_path / "day", session)
        first.record(reports[0])
        first._end_part()
        session = replace(session, trading_date=TRADING_DATE - timedelta(days=1))
    before = sorted(place.relative_to(tmp_path) for place in tmp_path.rglob("*"))
    with pytest.raises(RecordingError, match=r"another folder|empty folder"):
        DayRecorder(tmp_path / "day", session)
    assert sorted(place.relative_to(tmp_path) for place in tmp_path.rglob("*")) == before


def test_older_manifests_and_spoiled_new_fields(tmp_path: Path) -> None:
    day = small_day(tmp_path / "day")
    described = json.loads((day / "manifest.json").read_text(encoding="utf-8"))
    new = ("session", "refresh_seconds", "unlisted_at_open")
    older = parse_manifest(json.dumps({k: v for k, v in described.items() if k not in new}), day)
    assert (older.session, older.refresh_seconds, older.unlisted_at_open) == (None, {}, {})
    for field, wrong in (
        ("session", {"opens": "2026-01-30T09:15:00+05:30", "closes": "2026-01-30T09:00:00+05:30"}),
        ("session", {"opens": "2026-01-30T09:15:00", "closes": "2026-01-30T15:30:00"}),
        ("session", {"opens": "2026-01-29T09:15:00+05:30", "closes": "2026-01-30T15:30:00+05:30"}),
        ("session", "09:15"),
        ("refresh_seconds", {"NIFTY": 0}),
        ("unlisted_at_open", {"NIFTY 2026-02-03 CE": ["x"]}),
    ):
        with pytest.raises(RecordingError, match=r"the manifest has a field of the wrong kind"):
            parse_manifest(json.dumps({**described, field: wrong}), day)


@pytest.mark.slow
def test_a_simulated_session_replays_to_equal_readings(tmp_path: Path, capsys) -> None:
    """Through the command line; killed once on the way by an order to stop at 10:00."""
    place, again = Place(tmp_path / "simulated"), Place(tmp_path / "replayed")
    for one in (place, again):
        one.config.write_text(
            f"log:\n  folder: {one.folder / 'log'}\nunderlyings:\n  include: [NIFTY, SENSEX, TCS]\n", encoding="utf-8"
        )
    files = ("--history", place.history, "--workbook", place.workbook, "--config", place.config)
    to = tmp_path / "day"
    done = main(capsys, ["--seed", 5, "--speed", "max", "--until", "10:00", "--record", to, *files])
    assert done.code == 0, done.errors
    assert f"replay them with: --replay {to}" in done.out
    manifest = read_day(to).manifest
    assert manifest.session is not None
    assert (manifest.mode_recorded, manifest.source) == (Mode.SIMULATED, "simulated market, seed 5")
    replayed = main(capsys, again.replay(to))
    assert replayed.code == 0, replayed.errors
    one, other = (readings_of(each.history, FROM_DAILY_FILES) for each in (place, again))
    assert all(one[table] for table in ("price", "activity", *FROM_DAILY_FILES))
    assert one == other
    taken = main(capsys, ["--seed", 5, "--once", "--record", to, *files])
    assert taken.code == 1 and "holds a recorded day already" in taken.errors


@pytest.mark.data
@pytest.mark.slow
def test_a_recording_of_a_replay_replays_to_equal_readings(january_30: Path, tmp_path: Path) -> None:  # noqa: F811
    """The whole Friday: 206 stocks and three indices."""
    first, second = Place(tmp_path / "first"), Place(tmp_path / "second")
    done = program.run(*first.replay(january_30, "--record", tmp_path / "day"))
    assert done.code == 0, done.errors
    again = program.run(*second.replay(tmp_path / "day"))
    assert again.code == 0, again.errors
    assert again.accounted["processed"] == done.accounted["processed"]
    assert again.accounted["refused"] == 0
    one, other = readings_of(first.history), readings_of(second.history)
    assert len(one["price"]) > 20_000
    for table in READINGS:
        assert one[table] == other[table], f"{table} differs"
    assert set(SCHEMAS) == set(read_day(tmp_path / "day").manifest.tables)


@pytest.mark.data
@pytest.mark.slow
def test_killed_in_the_middle_the_recording_goes_on(january_30: Path, tmp_path: Path) -> None:  # noqa: F811
    """A kill tears off at most the one cycle that was stored and not yet recorded."""
    place, record = Place(tmp_path / "place"), ("--record", tmp_path / "day")
    process = program.started(*place.replay(january_30, *record))
    while process.poll() is None and not _cycles(place, 60):
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
    process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
    process.communicate(timeout=60)
    resumed = program.run(*place.replay(january_30, *record))
    assert resumed.code == 0, resumed.errors
    assert "after what was recorded until" in resumed.out
    stored = {int(str(at)) for (at,) in place.rows("SELECT at FROM cycle WHERE chains_updated > 0")}
    seen = read_day(tmp_path / "day").options["observed_at"].to_numpy().astype("datetime64[ms]").astype(np.int64)
    recorded = set(np.unique(seen).tolist())
    assert recorded <= stored
    assert len(stored - recorded) <= 1


def _cycles(place: Place, count: int) -> bool:
    if not place.history.exists() or not place.rows("SELECT 1 FROM sqlite_master WHERE name = 'cycle'"):
        return False
    return place.rows("SELECT count(*) >= ? FROM cycle", count) == [(1,)]
