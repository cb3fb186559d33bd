"""The job of 09:00: when it is due over days, what it brings in, and that nothing that goes wrong ends a session."""

import os
import time
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from threading import Event

import pytest
import time_machine

from optionscanner import app_errands, cli
from optionscanner import config as configuration
from optionscanner.app_morning import Morning, Mornings
from optionscanner.history.daily_reader import DailyReader
from optionscanner.model.calendar import IST, load_calendar
from tests.test_daily_files import BAN, INDEX, PARTICIPANTS
from tests.test_fetch import Exchange, exchange, participants, serve, status, whole

__all__ = ["exchange"]
FRIDAY = date(2026, 1, 30)
NONE = dict.fromkeys(
    ("participants", "bans", "indices", "bhavcopy", "shares", "fii", "bhavcopy_bse", "lots"), "none"
)  # fmt: skip


def at(day: int, hour: int, minute: int = 0) -> float:
    """A moment of January 2026, or of February from 32 on."""
    month, day = (1, day) if day <= 31 else (2, day - 31)
    return datetime(2026, month, day, hour, minute, tzinfo=IST).timestamp()


class Desk:
    """A morning with a clock that a test sets and everything that was said."""

    def __init__(self, folder: Path, base: str = "http://127.0.0.1:9", **daily: object) -> None:
        self.clock, self.said, self.warned = at(30, 9), [], []
        settings = {"folder": folder / "daily", "nse": base, "bse": base, **NONE, **daily}
        config = configuration.defaults(folder)
        self.config = config.model_copy(update={"daily": config.daily.model_copy(update=settings)})
        self.place = folder / "daily.sqlite"
        self.morning = Morning(
            self.config, self.place, load_calendar(), self.said.append, self.warned.append, lambda: self.clock,
            lambda _seconds: False,
        )  # fmt: skip

    def put(self, name: str, text: str, when: float) -> None:
        self.config.daily.folder.mkdir(exist_ok=True)
        (self.config.daily.folder / name).write_text(text)
        os.utime(self.config.daily.folder / name, (when, when))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_pass_is_made_at_the_start_and_at_nine_of_every_trading_day(desk):
    """From Friday afternoon over a Sunday on which the exchange trades, to Tuesday."""
    passes: list[datetime] = []
    days: list[date] = []
    mornings = Mornings(desk.morning, on_day=days.append)
    for minute in range(0, 5 * 24 * 60, 10):
        desk.clock = at(30, 14) + 60.0 * minute
        mornings.look()
        if mornings.health().since == desk.clock:
            passes.append(datetime.fromtimestamp(desk.clock, IST))
    assert [f"{moment:%a %d %H:%M}" for moment in passes] == [
        "Fri 30 14:00", "Sun 01 09:00", "Mon 02 09:00", "Tue 03 09:00", "Wed 04 09:00",
    ]  # fmt: skip
    assert days == [moment.date() for moment in passes]
    assert mornings.health().value == "off, folder read Thu 05-Feb 09:00"


def test_before_nine_the_pass_of_nine_is_still_made(desk):
    mornings = Mornings(desk.morning)
    assert mornings.next_pass(at(30, 7)) == at(30, 9)
    assert mornings.next_pass(at(30, 9)) == at(32, 9)  # Saturday is none, Sunday 1 February trades


def test_a_day_that_the_calendar_does_not_cover_is_no_trading_day(desk):
    late = datetime(2031, 5, 5, 9, 0, tzinfo=IST).timestamp()
    desk.clock = late
    mornings = Mornings(desk.morning)
    mornings.look()
    assert mornings.next_pass(late) is None
    assert mornings.health().value == "off"


def test_while_files_are_missing_it_tries_again_until_noon(tmp_path, exchange):
    desk = Desk(tmp_path, exchange.base, fetch=True, participants="/nsccl/oi_DDMMYYYY.csv")
    mornings, asked = Mornings(desk.morning), []
    for minute in range(0, 26 * 60, 5):
        desk.clock = at(30, 8, 55) + 60.0 * minute
        count = len(exchange.asked)
        mornings.look()
        if len(exchange.asked) > count:
            asked.append(f"{datetime.fromtimestamp(desk.clock, IST):%H:%M}")
    # At the start and then at every look that a file's half hour has passed.
    assert asked == ["08:55", "09:30", "10:00", "10:30", "11:00", "11:30", "12:00"]
    health = mornings.health()
    assert (health.value, health.state) == ("0 of 2, next Sun 01-Feb 09:00", "WARN")
    assert health.what_to_do.startswith("oi_29012026.csv: is not published (404)")


def test_what_was_fetched_is_brought_in_and_read_by_the_day(tmp_path, exchange):
    desk = Desk(tmp_path, exchange.base, fetch=True, participants="/nsccl/oi_DDMMYYYY.csv", bans="/bans_DDMMYYYY.csv",
                indices="/ind_DDMMYYYY.csv")  # fmt: skip
    serve(exchange, participants(exchange), whole(PARTICIPANTS))
    exchange.answers["/bans_30012026.csv"] = whole(BAN)
    exchange.answers["/ind_29012026.csv"] = whole("<html>refused</html>")
    exchange.answers["/bans_29012026.csv"] = status(500)
    mornings = Mornings(desk.morning)
    mornings.look()
    assert mornings.health().value == "2 of 6, next Fri 30-Jan 09:30"
    assert "it is a web page instead of data" in mornings.health().what_to_do
    with DailyReader(desk.place) as reader:
        assert reader.banned(FRIDAY) == {"SAIL", "M&M"}
        assert reader.positions(date(2026, 1, 29)).net("FII", "option_index_put") == 10.0
    assert all(agent.startswith("OptionScanner/") for _, agent in exchange.asked)


def test_only_what_is_new_in_the_folder_is_read(tmp_path):
    """By the clock of the machine: what came after the last time, also with an old time of change."""
    desk = Desk(tmp_path)
    hatch = time_machine.escape_hatch  # files know nothing of a travelled date
    desk.morning = replace(desk.morning, now=hatch.time.time if hatch.is_travelling() else time.time)
    assert not desk.morning.bring_in()  # there is no folder
    desk.put("a.csv", BAN, at(1, 9))
    assert desk.morning.bring_in()
    assert not desk.morning.bring_in()
    assert desk.said[0].startswith("files: 1 found = 1 read")
    desk.said.clear()
    desk.put("b.csv", INDEX, at(1, 9))
    assert desk.morning.bring_in()
    assert " = 1 read + " in desk.said[0]
    with DailyReader(desk.place) as reader:
        assert reader.dates("index_close") == (date(2026, 1, 29),)


def test_a_folder_or_file_that_cannot_be_used_is_one_sentence(tmp_path):
    desk = Desk(tmp_path, fetch=True, bans="/bans_DDMMYYYY.csv")
    (tmp_path / "daily").write_text("no folder")
    assert desk.morning.run(FRIDAY, fetch=True) == ()
    assert len(desk.warned) == 1 and str(tmp_path / "daily") in desk.warned[0]
    other = Desk(tmp_path / "other")
    (tmp_path / "other").mkdir()
    other.put("a.csv", BAN, at(1, 9))
    other.place.write_bytes(b"no database at all, but longer than its header" * 9)
    other.morning.run(None, fetch=False)
    assert len(other.warned) == 1 and "daily.sqlite" in other.warned[0]


def test_a_thread_makes_the_pass_and_ends_with_the_program(desk):
    desk.put("a.csv", BAN, at(1, 9))
    done = Event()
    with Mornings(desk.morning, on_day=lambda _day: done.set()):
        assert done.wait(60)
    assert desk.place.exists()


def test_fetch_now_by_the_command_line(tmp_path, exchange: Exchange, capsys, monkeypatch):
    file = tmp_path / "mine.yaml"
    lines = [f"  {name}: none" for name in NONE if name != "bans"]
    file.write_text("\n".join([
        "daily:", f"  folder: {tmp_path.as_posix()}/daily", f"  nse: {exchange.base}", "  bans: /bans_DDMMYYYY.csv",
        *lines,
        "history:", f"  folder: {tmp_path.as_posix()}/history",
    ]))  # fmt: skip
    monkeypatch.setattr(app_errands, "_wall", type("Wall", (), {"now": staticmethod(lambda: at(30, 8))}))
    run = app_errands.errand(cli.parse(["--fetch-daily", "--config", str(file)]))
    assert run() == 1
    exchange.answers["/bans_30012026.csv"] = whole(BAN)
    (tmp_path / "daily" / ".attempts.json").unlink()
    assert run() == 0
    assert "daily files for 30-Jan-2026: 1 of 2 are in" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.parse(["--fetch-daily", "--once"])
