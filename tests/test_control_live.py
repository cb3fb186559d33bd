"""CONTROL in an open LibreOffice: what is typed is obeyed, answered, and there again after a restart."""

import logging
import time
from contextlib import AbstractContextManager

import pytest

from optionscanner.workbook.layout_control import CONTROL
from tests.live_session import Place, Session, session, wait_for

pytestmark = [pytest.mark.office, pytest.mark.slow]

log = logging.getLogger(__name__)

ROW = {cell.name: cell.row for cell in CONTROL.inputs}
ANSWER = next(cell.column for cell in CONTROL.cells[1].cells if cell.source.startswith("control.answer"))


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path / "live")


def answer(running: Session, name: str) -> str:
    assert running.eye is not None
    return str(running.eye.values(running.book, f"$CONTROL.G{ROW[name]}")[0][0])


def answered(running: Session, name: str, words: str) -> None:
    """Wait until the answer beside a setting begins with these words."""
    wait_for(lambda: answer(running, name).startswith(words), f"{words!r} beside {name}", running.describe)


def acknowledged(running: Session) -> float:
    assert running.eye is not None
    value = running.eye.values(running.book, "CONTROL_ACKNOWLEDGED")[0][0]
    return value if isinstance(value, float) else -1.0


def commanded(running: Session, number: float, **cells: object) -> float:
    """Write a command with its number, as a macro does; seconds until it was acknowledged."""
    assert running.eye is not None
    began = time.monotonic()
    running.eye.put(running.book, **cells, CONTROL_REQUEST=number)
    wait_for(lambda: acknowledged(running) == number, f"request {number}", running.describe)
    return time.monotonic() - began


def test_the_answers_column_is_where_this_file_looks():
    assert ANSWER == 7


def shows(running: Session, place: str, expected: object) -> None:
    """Wait until a cell shows a value."""
    eye = running.eye
    assert eye is not None
    wait_for(lambda: eye.values(running.book, place)[0][0] == expected, f"{expected!r} in {place}", running.describe)


def at_work(place: Place) -> AbstractContextManager[Session]:
    return session(place, "--speed", "60", "--seed", "7")


def test_a_user_of_control_from_the_first_setting_to_stop(place):
    obeyed = "SELECT count(*) FROM command WHERE accepted = 1 AND body LIKE '%\"do\"%'"
    with at_work(place) as running:
        eye = running.look()
        eye.put(running.book, CONTROL_UNITS="CONTRACTS", CONTROL_STRIKES=99.0, CONTROL_WATCHLIST="tcs")
        shows(running, "UNITS", "CONTRACTS")
        answered(running, "CONTROL_UNITS", "accepted")
        # The cells were filled one after the other, so that the program may have read between them.
        answered(running, "CONTROL_STRIKES", "refused: Strikes each side of ATM: a whole number")
        shown = lambda: eye.values(running.book, "control_watched")[1][0]  # noqa: E731
        wait_for(lambda: shown() == "accepted", "the watched name", running.describe)
        assert eye.values(running.book, "CONTROL_STRIKES")[0][0] == 99.0

        took = [commanded(running, 1.0, CONTROL_COMMAND="RECALC")]
        answered(running, "CONTROL_COMMAND", "RECALC: the newest picture is computed again")
        shows(running, "CONTROL_COMMAND", "")

        took.append(commanded(running, 2.0, CONTROL_COMMAND="PAUSE"))
        stood = running.shown()
        running.wait_cycles(3)
        assert running.shown() == stood
        eye.put(running.book, CONTROL_UNITS="UNITS")
        shows(running, f"$CONTROL.E{ROW['CONTROL_UNITS']}", "UNITS")
        took.append(commanded(running, 3.0, CONTROL_COMMAND="RESUME"))
        running.wait_current()

        eye.put(running.book, CONTROL_CONFIRM="YES", CONTROL_COMMAND="STOP", CONTROL_REQUEST=4.0)
        assert running.wait(60) == 0
        assert running.left() == []
    log.info("seconds from the cells to the acknowledgement: %s", took)
    assert place.ask(obeyed) == 4
    with at_work(place) as running:
        eye = running.look()
        shows(running, "UNITS", "UNITS")
        assert eye.values(running.book, "CONTROL_UNITS")[0][0] == "UNITS"
        assert eye.values(running.book, "CONTROL_COMMAND")[0][0] == ""
        assert acknowledged(running) == 4.0
        assert place.ask(obeyed) == 4


def test_buttons_of_a_workbook_with_macros_are_obeyed(tmp_path):
    place = Place(tmp_path / "macros", book="book.xlsm")
    with at_work(place) as running:
        eye = running.look()
        for number, macro in enumerate(("Engine.Recalculate", "Engine.Pause", "Engine.GoOn"), 1):
            began = time.monotonic()
            eye.press(running.book, macro)
            wait_for(lambda done=float(number): acknowledged(running) == done, macro, running.describe)
            log.info("%s acknowledged after %.2f s", macro, time.monotonic() - began)
        shows(running, "CONTROL_COMMAND", "")
        assert running.stop() == 0
    words = "SELECT count(*) FROM command WHERE accepted = 1 AND body LIKE '%{}%'"
    assert [place.ask(words.format(word)) for word in ("RECALC", "PAUSE", "RESUME")] == [1, 1, 1]


def test_the_day_is_stepped_back_on_drilldown_while_the_session_goes_on(place):
    """Typed on the sheet itself; what stands there then is what the history holds of that moment."""
    spot = (
        "SELECT round(100 * p.spot) FROM price p JOIN cycle k USING (session, at) WHERE underlying = 'TCS' AND "
        "time(p.at / 1000, 'unixepoch', '+330 minutes') = '09:17:00' ORDER BY p.expiry LIMIT 1"
    )
    with at_work(place) as running:
        eye = running.look()
        moment = lambda: str(eye.values(running.book, "drill_moment")[0][0])  # noqa: E731
        running.wait_cycles(8)
        eye.put(running.book, DRILL_SYMBOL="TCS", DRILL_AS_OF="09:17:10")
        wait_for(lambda: moment().startswith("AS OF 09:17:00"), "the moment", running.describe)
        shows(running, "CONTROL_SYMBOL", "TCS")
        answer_of = next(c for c in CONTROL.cells if c.name == "CONTROL_AS_OF_ANSWER").cells[-1]
        beside = f"$CONTROL.G{answer_of.row}"
        shows(running, beside, "accepted: the picture of 09:17:00")
        assert round(100 * eye.values(running.book, "$DRILLDOWN.B6")[0][0]) == place.ask(spot)
        running.wait_cycles(2)
        assert moment().startswith("AS OF 09:17:00")
        eye.put(running.book, CONTROL_AS_OF="08:00")
        answered_at = lambda: str(eye.values(running.book, beside)[0][0])  # noqa: E731
        wait_for(lambda: answered_at().startswith("refused: DRILLDOWN as of: no picture of 08:00:00 is stored"),
                 "the refusal", running.describe)  # fmt: skip
        wait_for(lambda: moment().startswith("NOW "), "now", running.describe)
        shows(running, "DRILL_AS_OF", "08:00")
