"""The desk: changes accepted or refused beside their cells, commands obeyed once, all there again after a start."""

from collections.abc import Mapping
from dataclasses import replace
from threading import Event

import pytest

from optionscanner import config as configuration
from optionscanner.cycle import Cycle, Sinks
from optionscanner.desk import Desk
from optionscanner.errors import HistoryBusy, WorkbookError
from optionscanner.health import Health
from optionscanner.history.store import SqliteHistory
from optionscanner.model.control import CONTROL_ACKNOWLEDGED, Request
from optionscanner.model.frame import ControlReading, Frame, WriteResult
from optionscanner.model.sessions import Mode
from optionscanner.model.settings import EngineSettings
from optionscanner.workbook.layout_control import CONTROL
from optionscanner.workbook.render import Renderer, ShowSettings
from tests import builders
from tests.builders import ist

CONFIG = configuration.defaults().model_dump(by_alias=True)
EMPTY = {cell.name: (None,) * cell.height if cell.height > 1 else cell.default for cell in CONTROL.inputs}
LAYOUT = builders.small_layout()
PLACES = {cell.source: i for i, cell in enumerate(CONTROL.cells[1].cells)}


class ScriptedHost:
    """A workbook of cells: what the user types is read at the next look, what is written is kept."""

    def __init__(self, **cells: object) -> None:
        self.cells: dict = {**EMPTY, **cells}
        self.frames: list[Frame] = []
        self.put: list[dict] = []
        self.paused, self.share = False, 0.1
        self.at = 0.0
        self.filtered: frozenset[str] = frozenset()

    def type(self, **cells: object) -> None:
        self.cells.update(cells)
        self.at += 1.0

    def control(self) -> ControlReading:
        return ControlReading(dict(self.cells), self.at)

    def set_inputs(self, values: Mapping) -> None:
        self.put.append(dict(values))
        self.type(**values)

    def write(self, frame: Frame) -> WriteResult:
        self.frames.append(frame)
        return WriteResult("written", "", 1.0, 1, 1)

    def said(self, what: str) -> object:
        """A cell of ours on CONTROL as last written, e.g. `answer:CONTROL_UNITS`."""
        return self.frames[-1].blocks["control"].rows[PLACES[f"control.{what}"]][0]

    @property
    def acknowledged(self) -> object:
        return self.frames[-1].blocks[CONTROL_ACKNOWLEDGED].rows[0][0]


class Place:
    """A session at work: its history, its workbook, and one cycle behind it."""

    def __init__(self, folder, host: ScriptedHost, *, saved_at: float | None = None, cycles: int = 1, **given) -> None:
        self.host, self.clock = host, given.pop("clock", 1_000.0)
        day = builders.day_of(LAYOUT)
        self.history = given.pop("history", None) or SqliteHistory(folder / "h.db", Mode.REPLAY)
        if isinstance(self.history, SqliteHistory):
            self.history.begin(builders.run_session(), day, resume_within=None, now=ist(9, 15))
        self.renderer, self.stop = Renderer(ShowSettings()), Event()
        self.cycle = Cycle(
            builders.run_session(), EngineSettings(), Sinks(None, host, self.renderer), Health(EngineSettings()),
            strict=True,
        )  # fmt: skip
        self.desk = Desk(
            self.cycle, self.renderer, host, self.history, self.stop, lambda: self.clock, LAYOUT.names, CONFIG,
            saved_at=saved_at, **given,
        )  # fmt: skip
        self.picture = builders.MarketPicture(day)
        for i in range(cycles):
            self.run(ist(9, 20 + 5 * i))

    def run(self, at: float) -> None:
        self.picture.observe(builders.observation(LAYOUT, at))
        self.desk.attend()
        self.cycle.run(self.picture.frozen(at))

    def type(self, **cells: object) -> None:
        """Type into cells, and wait long enough for a command without a number to count."""
        self.host.type(**cells)
        self.desk.attend()
        self.clock += 0.5
        self.desk.attend()

    def stored(self) -> list[tuple[object, bool, str]]:
        with self.history.between_cycles() as connection:
            rows = connection.execute("SELECT body, accepted, reply FROM command ORDER BY id").fetchall()
        return [(body, bool(accepted), reply) for body, accepted, reply in rows]


@pytest.fixture
def host() -> ScriptedHost:
    return ScriptedHost()


@pytest.fixture
def place(tmp_path, host):
    made = Place(tmp_path, host)
    yield made
    made.history.close()


def test_nothing_is_written_or_stored_while_nobody_changes_anything(place, host):
    before = len(host.frames)
    for _ in range(3):
        place.desk.attend()
    assert (len(host.frames), place.stored(), host.put) == (before, [], [])
    assert host.said("in_force:CONTROL_UNITS") == "LAKH"
    assert host.said("since:CONTROL_UNITS") is None
    assert host.said("bands") == "80 / 60 / 40"


def test_an_accepted_change_is_in_force_shown_and_stored(place, host):
    host.type(CONTROL_UNITS="contracts")
    place.desk.attend()
    assert host.said("in_force:CONTROL_UNITS") == "CONTRACTS"
    assert host.said("answer:CONTROL_UNITS") == "accepted"
    # 1,000 s after 1970 UTC on the Indian wall clock: 05:46:40.
    assert host.said("since:CONTROL_UNITS") % 1 == pytest.approx((5 * 3600 + 46 * 60 + 40) / 86_400)
    assert "contracts" in host.frames[-1].blocks["alert_summary_units"].rows[0]
    assert place.stored() == [('{"set": "CONTROL_UNITS", "value": "CONTRACTS"}', True, "accepted")]


def test_a_refused_change_leaves_what_is_in_force_and_says_why(place, host):
    place.type(CONTROL_STRIKES=99.0)
    assert host.said("in_force:CONTROL_STRIKES") == 10.0
    said = host.said("answer:CONTROL_STRIKES")
    assert said.startswith("refused: Strikes each side of ATM: a whole number from 1 to 10 was expected, got 99")
    assert place.renderer.settings.strikes == 10
    place.type(CONTROL_STRIKES=None)
    assert host.said("answer:CONTROL_STRIKES") == "accepted"


def test_an_emptied_cell_means_config_again(place, host):
    place.type(CONTROL_STRIKES=3.0)
    assert place.renderer.settings.strikes == 3
    place.type(CONTROL_STRIKES=None)
    assert place.renderer.settings.strikes == 10
    assert host.said("answer:CONTROL_STRIKES") == "accepted: the value of config.yaml"


def test_every_setting_reaches_what_obeys_it(place, host):
    place.type(
        CONTROL_RESORT=5.0, CONTROL_SUMMARY_STOCKS=2.0, CONTROL_WATCHLIST_FIRST="NO", CONTROL_WATCHLIST_ONLY="YES",
        CONTROL_MIN_TRS=60.0, CONTROL_DIRECTION="BEARISH", CONTROL_NIFTY_EXPIRY="NEXT", CONTROL_MUTE_UNTIL=0.75,
        CONTROL_SHARE=25.0, CONTROL_REFRESH=15.0, CONTROL_INDEX_RATIO=2.0, CONTROL_STOCK_RATIO=3.0,
        CONTROL_MIN_CONTRACTS=10.0, CONTROL_PERCENTILE=50.0, CONTROL_COOL_DOWN=60.0,
        CONTROL_OI_LEFT="reliance", CONTROL_OI_LIMITS="1 2 3 4 5.5", CONTROL_OI_SHOW="CHANGE",
        CONTROL_OI_3M="YES", CONTROL_OI_RIGHT_EXPIRY="MONTH",
    )  # fmt: skip
    show, engine = place.renderer.settings, place.cycle.settings
    assert (show.resort, show.summary_stocks, show.watchlist_first, show.watchlist_only) == (5.0, 2, False, True)
    assert (show.min_trs, show.direction, show.muted_until) == (60.0, "BEARISH", 64_800.0)
    assert dict(show.expiries) == {
        "DRILLDOWN": "THIS", "NIFTY": "NEXT", "BANKNIFTY": "THIS", "FINNIFTY": "THIS", "MIDCPNIFTY": "THIS",
        "SENSEX": "THIS", "OI_LEFT": "THIS", "OI_RIGHT": "MONTH",
    }  # fmt: skip
    assert (host.share, place.cycle.show_every) == (0.25, 15.0)
    assert (show.changes, show.narrow_window) == (True, True)
    assert (show.tracked, show.window_limits) == (("RELIANCE", "SENSEX"), (1.0, 2.0, 3.0, 4.0, 5.5))
    assert engine.windows.limits == show.window_limits
    assert engine == replace(
        EngineSettings(),
        activity=replace(
            EngineSettings().activity, index_ratio=2.0, stock_ratio=3.0, min_contracts=10.0, percentile=50.0
        ),
        windows=engine.windows,
        alerts=replace(EngineSettings().alerts, cool_down=60.0),
    )


def test_a_watchlist_takes_known_names_and_answers_each(place, host):
    place.type(CONTROL_WATCHLIST=("reliance", None, "RELIANC", "RELIANCE", 5.0, *(35 * (None,))))
    assert place.renderer.settings.watchlist == ("RELIANCE",)
    answers = [row[0] for row in host.frames[-1].blocks["control_watched"].rows]
    assert answers == [
        "accepted", None, "refused: not in the source, RELIANCE?", "refused: stands above already",
        "refused: not in the source",
    ]  # fmt: skip


def test_a_symbol_must_be_one_of_the_source(place, host):
    place.type(CONTROL_SYMBOL="reliance")
    assert host.said("in_force:CONTROL_SYMBOL") == "RELIANCE"
    place.type(CONTROL_SYMBOL="RELINFRA")
    assert host.said("answer:CONTROL_SYMBOL").startswith("refused: Symbol of DRILLDOWN: a name that the source has")
    assert place.renderer.settings.symbol == "RELIANCE"


def test_a_command_with_a_new_number_is_obeyed_once_and_acknowledged(place, host):
    before = place.cycle.number
    place.type(CONTROL_COMMAND="RECALC", CONTROL_REQUEST=5.0)
    place.desk.attend()
    place.desk.attend()
    assert host.acknowledged == 5.0
    assert host.said("answer:CONTROL_COMMAND") == "RECALC: the newest picture is computed again"
    assert host.put == [{"CONTROL_COMMAND": None}]
    assert len(place.stored()) == 1
    assert place.cycle.number == before  # a picture of before, not a cycle of its own


def test_equal_commands_with_growing_numbers_are_each_obeyed(place, host):
    for number in (1.0, 2.0, 3.0):
        place.type(CONTROL_COMMAND="RECALC", CONTROL_REQUEST=number)
    assert [body for body, _, _ in place.stored()] == [
        f'{{"do": "RECALC", "request": {number}}}' for number in (1.0, 2.0, 3.0)
    ]


def test_a_command_chosen_from_the_list_counts_without_a_number(place, host):
    for _ in range(2):
        place.type(CONTROL_COMMAND="recalc")
        place.desk.attend()
    assert len(place.stored()) == 2
    assert host.cells["CONTROL_COMMAND"] is None


def test_a_host_that_reads_an_obeyed_command_again_does_not_repeat_it(place, host):
    """It was read just before it was emptied, and arrives after the host already said it is empty."""
    place.type(CONTROL_COMMAND="RECALC")
    for stale in ("RECALC", "RECALC"):
        host.at -= 1.0  # the host's own idea of the emptied cell is as old as the reading before
        place.desk.attend()
        host.cells["CONTROL_COMMAND"] = stale
        host.at += 1.5
        place.desk.attend()
    assert len(place.stored()) == 1
    place.type(CONTROL_COMMAND=None)
    place.type(CONTROL_COMMAND="RECALC")
    assert len(place.stored()) == 2


def test_a_number_that_follows_its_command_at_once_makes_no_second_command(place, host):
    """A macro writes two cells, and may be seen between them."""
    host.type(CONTROL_COMMAND="ARCHIVE")
    place.desk.attend()
    place.clock += 0.1
    host.type(CONTROL_REQUEST=1.0)
    for _ in range(5):
        place.clock += 0.1
        place.desk.attend()
    assert [body for body, _, _ in place.stored()] == ['{"do": "ARCHIVE", "request": 1.0}']


def test_a_number_without_a_command_is_acknowledged(place, host):
    """A macro that waits for it must not wait for ever."""
    place.type(CONTROL_REQUEST=9.0)
    assert host.acknowledged == 9.0
    assert place.stored() == []


def test_an_unknown_command_is_refused_and_emptied(place, host):
    place.type(CONTROL_COMMAND="SELL ALL", CONTROL_REQUEST=1.0)
    assert host.said("answer:CONTROL_COMMAND").startswith("refused: Command: RECALC, PAUSE,")
    assert (host.cells["CONTROL_COMMAND"], host.acknowledged) == (None, 1.0)


def test_stop_needs_yes(place, host):
    place.type(CONTROL_COMMAND="STOP", CONTROL_REQUEST=1.0)
    assert not place.stop.is_set()
    assert host.said("answer:CONTROL_COMMAND").startswith("refused: STOP: YES was expected in Confirm STOP")
    place.type(CONTROL_CONFIRM="YES", CONTROL_COMMAND="STOP", CONTROL_REQUEST=2.0)
    assert place.stop.is_set()
    assert (host.cells["CONTROL_COMMAND"], host.cells["CONTROL_CONFIRM"], host.acknowledged) == (None, None, 2.0)


def test_pause_and_resume_reach_the_host_and_the_band(place, host):
    place.type(CONTROL_COMMAND="PAUSE")
    assert host.paused
    place.run(ist(9, 25))
    assert ("paused by you",) in host.frames[-1].blocks["NIFTY_band"].rows
    place.type(CONTROL_UNITS="UNITS")
    assert host.paused and host.said("in_force:CONTROL_UNITS") == "UNITS"
    place.type(CONTROL_COMMAND="RESUME")
    assert not host.paused
    assert ("file only",) in host.frames[-1].blocks["NIFTY_band"].rows


def test_errands_are_answered_in_their_own_words(tmp_path, host):
    def locked() -> str:
        raise WorkbookError("b.xlsx: no room on the disk")

    place = Place(tmp_path, host, archive=lambda: "kept as a.xlsx", restore=locked)
    place.type(CONTROL_COMMAND="ARCHIVE")
    assert host.said("answer:CONTROL_COMMAND") == "ARCHIVE: kept as a.xlsx"
    place.type(CONTROL_COMMAND="RESTORE")
    assert host.said("answer:CONTROL_COMMAND") == "refused: RESTORE: b.xlsx: no room on the disk"
    place.history.close()


def test_before_the_first_picture_nothing_can_be_computed_again(tmp_path, host):
    place = Place(tmp_path, host, cycles=0)
    place.desk.attend()
    place.type(CONTROL_COMMAND="RECALC")
    place.run(ist(9, 20))
    assert host.said("answer:CONTROL_COMMAND").startswith("refused: RECALC: no picture was computed yet")
    place.history.close()


def test_a_changed_limit_computes_the_newest_picture_again_and_leaves_the_state(place, host):
    state, number = place.cycle.state, place.cycle.number
    events = len(host.frames[-1].blocks["stocks_scan"].rows)
    place.type(CONTROL_STOCK_RATIO=0.0, CONTROL_INDEX_RATIO=0.0, CONTROL_PERCENTILE=0.0, CONTROL_MIN_CONTRACTS=0.0)
    assert len(host.frames[-1].blocks["stocks_scan"].rows) > events
    assert place.cycle.state is state
    assert place.cycle.number == number


def test_recalculating_without_a_change_gives_the_same_picture(tmp_path, host):
    place = Place(tmp_path, host, cycles=3)
    before = host.frames[-1]
    place.type(CONTROL_COMMAND="RECALC")
    after = host.frames[-1]
    # The band tells of the command, and CONTROL answers it.
    ours = {name for name in before.blocks if name.endswith("_band") or name.startswith(("control", "CONTROL"))}
    ours |= {"events", "health"}
    assert {n: b for n, b in after.blocks.items() if n not in ours} == {
        n: b for n, b in before.blocks.items() if n not in ours
    }
    place.history.close()


# Restarts


def restarted(tmp_path, before: Place, host: ScriptedHost, **given) -> Place:
    before.history.close()
    return Place(tmp_path, host, **given)


def test_accepted_values_are_there_again_after_a_restart(tmp_path, host):
    place = Place(tmp_path, host)
    place.type(CONTROL_UNITS="UNITS", CONTROL_STOCK_RATIO=4.0, CONTROL_WATCHLIST=("RELIANCE", *(39 * (None,))))
    again = restarted(tmp_path, place, host, saved_at=2_000.0)
    assert again.renderer.settings.units == "UNITS"
    assert again.renderer.settings.watchlist == ("RELIANCE",)
    assert again.cycle.settings.activity.stock_ratio == 4.0
    assert len(again.stored()) == 3  # nothing was changed again
    again.history.close()


@pytest.mark.parametrize(("saved_at", "units", "put"), [(999.0, "UNITS", True), (1_002.0, "CONTRACTS", False)])
def test_of_workbook_and_history_the_newer_one_wins(tmp_path, host, saved_at, units, put):
    place = Place(tmp_path, host)
    place.type(CONTROL_UNITS="UNITS", CONTROL_STRIKES=5.0)  # at 1,000 s
    other = ScriptedHost(CONTROL_UNITS="CONTRACTS", CONTROL_STRIKES=5.0)
    again = restarted(tmp_path, place, other, saved_at=saved_at)
    assert again.renderer.settings.units == units
    assert other.put == ([{"CONTROL_UNITS": "UNITS"}] if put else [])
    assert other.cells["CONTROL_UNITS"] == units
    again.history.close()


def test_a_new_workbook_gets_the_values_that_were_accepted(tmp_path, host):
    place = Place(tmp_path, host)
    place.type(CONTROL_MUTE_UNTIL=0.5, CONTROL_WATCHLIST=("RELIANCE", *(39 * (None,))))
    other = ScriptedHost()
    again = restarted(tmp_path, place, other, saved_at=5_000.0)
    assert other.put == [{"CONTROL_MUTE_UNTIL": 0.5, "CONTROL_WATCHLIST": ("RELIANCE",)}]
    assert again.renderer.settings.muted_until == 43_200.0
    again.history.close()


def test_a_command_that_was_obeyed_before_the_restart_is_not_obeyed_again(tmp_path, host):
    place = Place(tmp_path, host)
    place.type(CONTROL_COMMAND="PAUSE", CONTROL_REQUEST=4.0)
    host.type(CONTROL_COMMAND="PAUSE")  # the cell was not emptied before the end
    host.paused = False
    again = restarted(tmp_path, place, host, saved_at=5_000.0)
    assert not host.paused
    assert host.cells["CONTROL_COMMAND"] is None
    assert host.said("answer:CONTROL_COMMAND").startswith("PAUSE was there before the start and was not obeyed")
    assert host.acknowledged == 4.0
    again.history.close()


def test_a_request_made_while_nothing_ran_is_obeyed_at_the_start_except_stop(tmp_path):
    waiting = ScriptedHost(CONTROL_COMMAND="PAUSE", CONTROL_REQUEST=7.0)
    place = Place(tmp_path, waiting)
    assert waiting.paused
    assert waiting.acknowledged == 7.0
    ended = ScriptedHost(CONTROL_COMMAND="STOP", CONTROL_CONFIRM="YES", CONTROL_REQUEST=8.0)
    again = restarted(tmp_path, place, ended)
    assert not again.stop.is_set()
    again.history.close()


class ForgetfulHistory:
    """Cannot store for a while."""

    def __init__(self) -> None:
        self.broken, self.kept = True, []

    def commands(self) -> tuple[Request, ...]:
        return ()

    def command(self, request: Request) -> None:
        if self.broken:
            raise HistoryBusy("history h.db: is locked")
        self.kept.append(request)


def test_what_cannot_be_stored_now_is_stored_later_and_holds_meanwhile(tmp_path, host):
    history = ForgetfulHistory()
    place = Place(tmp_path, host, history=history)
    place.type(CONTROL_UNITS="UNITS")
    place.type(CONTROL_STRIKES=2.0)
    assert place.renderer.settings.units == "UNITS"
    history.broken = False
    place.desk.attend()
    assert [request.body["set"] for request in history.kept] == ["CONTROL_UNITS", "CONTROL_STRIKES"]
