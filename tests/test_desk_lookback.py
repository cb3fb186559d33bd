"""DRILLDOWN's moment on the desk: asked once, answered beside the cell, given up when refused; cells that are twins."""

from __future__ import annotations

from dataclasses import replace

import pytest

from optionscanner.desk_lookback import Twins
from optionscanner.model.control import CONTROL_AS_OF, DRILL_AS_OF, DRILL_SYMBOL
from optionscanner.model.frame import ControlReading
from optionscanner.model.past import Answer, Question
from optionscanner.workbook.layout_control import CONTROL, answers_of
from optionscanner.workbook.layout_drilldown import DRILLDOWN
from tests.builders import WEEKLY, ist
from tests.test_desk import Place, ScriptedHost

CELLS = {cell.name: cell.default for cell in DRILLDOWN.inputs}
BESIDE = next(cells for cells in CONTROL.cells if cells.name == answers_of(CONTROL_AS_OF))


class Machine:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.reports: list[object] = []
        self.ready: Answer | None = None

    def ask(self, question: Question, now: object) -> None:
        self.asked.append(question)
        self.reports.append(now)

    def answer(self) -> Answer | None:
        found, self.ready = self.ready, None
        return found

    def finds(self, at: float) -> None:
        """A picture of `at`: that of now under another time."""
        self.ready = Answer(self.asked[-1], replace(self.reports[-1], as_of=at))

    def refuses(self, sentence: str) -> None:
        self.ready = Answer(self.asked[-1], None, sentence)


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def host() -> ScriptedHost:
    return ScriptedHost(**CELLS)


@pytest.fixture
def place(tmp_path, host, machine):
    made = Place(tmp_path, host, lookback=machine, cycles=4)
    yield made
    made.history.close()


def said(host: ScriptedHost) -> tuple[object, object]:
    """What is in force beside the cell, and the answer."""
    cells = {c.source.partition(":")[0]: row[0] for c, row in
             zip(BESIDE.cells, host.frames[-1].blocks[BESIDE.name].rows, strict=True)}  # fmt: skip
    return cells["control.in_force"], cells["control.answer"]


def banner(host: ScriptedHost) -> object:
    return host.frames[-1].blocks["drill_moment"].rows[0][0]


def test_a_moment_is_asked_once_and_its_picture_shown_until_now_is_chosen(place, host, machine):
    place.type(**{CONTROL_AS_OF: "09:25"})
    place.desk.attend()
    assert machine.asked == [Question("NIFTY", WEEKLY, ist(9, 25))]
    assert (banner(host), said(host)) == ("NOW 09:35:00: NIFTY 03-Feb-26", ((9 * 60 + 25) / 1_440, "accepted"))
    machine.finds(ist(9, 24, 30))
    place.desk.attend()
    assert banner(host) == "AS OF 09:24:30, from the history, not now (09:35:00): NIFTY 03-Feb-26"
    assert said(host)[1] == "accepted: the picture of 09:24:30"
    place.run(ist(9, 40))
    assert banner(host) == "AS OF 09:24:30, from the history, not now (09:40:00): NIFTY 03-Feb-26"
    assert len(machine.asked) == 1
    place.type(**{CONTROL_AS_OF: "now"})
    assert (banner(host), said(host)) == ("NOW 09:40:00: NIFTY 03-Feb-26", ("NOW", "accepted"))


def test_a_refused_moment_is_answered_in_one_sentence_and_given_up(place, host, machine):
    place.type(**{CONTROL_AS_OF: "08:00"})
    machine.refuses("no picture of 08:00:00 is stored; the nearest are of 09:20:00")
    place.desk.attend()
    sentence = "refused: DRILLDOWN as of: no picture of 08:00:00 is stored; the nearest are of 09:20:00"
    assert said(host) == ("NOW", sentence)
    assert banner(host) == f"NOW 09:35:00: NIFTY 03-Feb-26; {sentence}"
    place.desk.attend()
    assert len(machine.asked) == 1
    assert place.stored()[-1][1:] == (False, sentence)


def test_a_word_that_is_no_time_is_refused_without_asking(place, host, machine):
    place.type(**{CONTROL_AS_OF: "noon"})
    assert said(host)[1] == (
        "refused: DRILLDOWN as of: now, or a time of day such as 14:30 was expected, got 'noon'; "
        "correct the cell, or empty it"
    )
    assert machine.asked == []


def test_another_symbol_is_asked_for_anew_and_an_old_answer_is_not_shown(place, host, machine):
    place.type(**{CONTROL_AS_OF: "09:25"})
    machine.finds(ist(9, 25))
    place.type(CONTROL_SYMBOL="SENSEX")
    place.desk.attend()
    assert [q.underlying for q in machine.asked] == ["NIFTY", "SENSEX"]
    assert banner(host) == "NOW 09:35:00: SENSEX 03-Feb-26"


def test_a_moment_is_not_kept_for_the_next_start(place, host, machine, tmp_path):
    place.type(**{CONTROL_AS_OF: "09:25"})
    fresh = Place(tmp_path, ScriptedHost(**CELLS), lookback=machine, cycles=2, history=place.history)
    assert said(fresh.host)[0] == "NOW"


def test_what_is_typed_on_the_sheet_is_put_into_control_and_back(place, host):
    place.type(**{DRILL_SYMBOL: "SENSEX"})
    assert host.cells["CONTROL_SYMBOL"] == "SENSEX"
    assert place.renderer.settings.symbol == "SENSEX"
    place.type(CONTROL_SYMBOL="RELIANCE")
    assert (host.cells[DRILL_SYMBOL], place.renderer.settings.symbol) == ("RELIANCE", "RELIANCE")


def looked(twins: Twins, **cells: object) -> tuple[object, object]:
    """What CONTROL is taken to hold of the moment, and what is put where."""
    reading, put = twins.agreed(ControlReading({CONTROL_AS_OF: None, DRILL_AS_OF: None, **cells}, 0.0))
    return reading.values[CONTROL_AS_OF], dict(put)


def test_a_twin_holds_although_a_host_puts_it_later():
    """A spreadsheet that is busy takes a cell some looks later; until then the old one stands in CONTROL."""
    twins = Twins()
    assert looked(twins) == (None, {})
    assert looked(twins, DRILL_AS_OF=0.4) == (0.4, {CONTROL_AS_OF: 0.4})
    assert looked(twins, DRILL_AS_OF=0.4) == (0.4, {})
    assert looked(twins, DRILL_AS_OF=0.4, CONTROL_AS_OF=0.4) == (0.4, {})
    assert looked(twins, DRILL_AS_OF=0.4, CONTROL_AS_OF=0.5) == (0.5, {DRILL_AS_OF: 0.5})


@pytest.mark.parametrize(
    ("cells", "taken", "put"),
    [
        ({DRILL_AS_OF: 0.4}, 0.4, {CONTROL_AS_OF: 0.4}),
        ({CONTROL_AS_OF: 0.5}, 0.5, {DRILL_AS_OF: 0.5}),
        ({DRILL_AS_OF: 0.4, CONTROL_AS_OF: 0.5}, 0.5, {DRILL_AS_OF: 0.5}),
    ],
)
def test_at_the_first_look_control_wins_where_it_holds_something(cells, taken, put):
    assert looked(Twins(), **cells) == (taken, put)


def test_a_workbook_without_the_twin_is_left_as_it_is():
    reading, put = Twins().agreed(ControlReading({CONTROL_AS_OF: 0.5}, 0.0))
    assert (reading.values, put) == ({CONTROL_AS_OF: 0.5}, {})
