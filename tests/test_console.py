"""The terminal: nothing raises, whatever it can show; one line of progress that fits."""

import io
import os
import subprocess
import sys
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optionscanner import console
from optionscanner.console import Progress

AT = datetime(2026, 1, 30, 10, 26, 39, tzinfo=ZoneInfo("Asia/Kolkata"))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Closed(io.StringIO):
    """A pipe that nobody reads any more."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def output(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")


def shown(out: io.TextIOWrapper) -> str:
    return out.buffer.getvalue().decode(out.encoding)


def progress(out, *, seconds=(0.0,), width: int = 200, plain_every: float = 30.0) -> Progress:
    return Progress(out, now=iter(seconds).__next__, width=lambda: width, plain_every=plain_every)


def show(bar: Progress, cycle: int, **values) -> None:
    usual = {"updated": 209, "milliseconds": {"store": 7.4, "cycle": 41.2, "flow": 12.0}, "failures": 0}
    bar.show(clock=AT + timedelta(seconds=cycle), cycle=cycle, **{**usual, **values})


# Sentences


def test_say_and_warn_go_to_their_own_outputs(capsys):
    console.say("NIFTY 25,000")
    console.warn("no log")
    assert capsys.readouterr() == ("NIFTY 25,000\n", "no log\n")


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "₹ 1 → ▲ ≥ नमस्ते"),
        ("cp1252", "Rs  1 -> ^ >= ??????"),
        ("cp437", "Rs  1 -> ^ >= ??????"),
        ("ascii", "Rs  1 -> ^ >= ??????"),
    ],
)
def test_what_a_console_cannot_show_is_replaced(monkeypatch, encoding, text):
    out = output(encoding)
    monkeypatch.setattr(sys, "stdout", out)
    console.say("₹ 1 → ▲ ≥ नमस्ते")
    assert shown(out) == text + "\n"


@given(
    st.text(st.characters()), st.sampled_from(["utf-8", "cp1252", "cp437", "ascii", "cp932", "latin-1", "utf-16-le"])
)
def test_no_text_and_no_encoding_raises(text, encoding):
    """Lone surrogates, as in file names that are no UTF-8, included."""
    out, real = output(encoding), sys.stdout
    sys.stdout = out
    try:
        console.say(text)
    finally:
        sys.stdout = real
    assert shown(out).endswith("\n")


@pytest.mark.parametrize("out", [None, Closed()])
def test_a_program_without_a_reader_goes_on(monkeypatch, out):
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", out)
    console.say("a")
    console.warn("b")
    with Progress() as bar:
        show(bar, 1)


def test_a_closed_output_is_silence(monkeypatch):
    out = io.StringIO()
    out.close()
    monkeypatch.setattr(sys, "stdout", out)
    console.say("a")
    with Progress(out) as bar:
        show(bar, 1)


@pytest.mark.skipif(os.name == "nt", reason="closes a POSIX pipe")
def test_a_real_pipe_that_closes_leaves_no_trace():
    """As with `| head -1`: the program ends with 0 and the interpreter does not complain at its end."""
    code = "from optionscanner import console\nfor i in range(20000): console.say('line %d' % i)\n"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "line 0\n"
        child.stdout.close()
        errors = child.stderr.read()
    assert (child.returncode, errors) == (0, "")


# Progress


def test_the_line_has_everything():
    line = console.line(
        clock=AT, cycle=1234, updated=209, milliseconds={"store": 7.4, "cycle": 41.2, "flow": 12.0}, failures=2
    )
    assert line == "10:26:39 | cycle 1,234 | 209 updated | 2 FAILED | 41 ms | flow 12 store 7"


def test_what_is_not_there_is_left_out():
    assert console.line(clock=AT, cycle=1, updated=0, milliseconds={}, failures=0) == "10:26:39 | cycle 1 | 0 updated"


def test_a_terminal_s_line_is_rewritten_in_place():
    out = Terminal()
    with progress(out, seconds=[0.0, 1.0, 2.0]) as bar:
        show(bar, 1000)
        show(bar, 1001, milliseconds={})
        show(bar, 1002, milliseconds={})
    first, second, third = out.getvalue().removeprefix("\r").split("\r")
    assert first == "10:43:19 | cycle 1,000 | 209 updated | 41 ms | flow 12 store 7"
    assert second == "10:43:20 | cycle 1,001 | 209 updated".ljust(len(first))
    assert third == "10:43:21 | cycle 1,002 | 209 updated" + "\n"
    assert "\x1b" not in out.getvalue()


def test_a_terminal_is_not_written_to_more_often_than_it_can_be_read():
    out = Terminal()
    with progress(out, seconds=[0.0, 0.01, 0.02, 0.2]) as bar:
        for cycle in (1, 2, 3, 4):
            show(bar, cycle)
    assert [line.split("|")[1] for line in out.getvalue().split("\r")[1:]] == [" cycle 1 ", " cycle 4 "]


@pytest.mark.parametrize("width", [1, 2, 20, 40, 80])
def test_a_line_never_reaches_the_last_column(width):
    out = Terminal()
    with progress(out, seconds=[0.0, 1.0], width=width) as bar:
        show(bar, 1)
        show(bar, 2)
    lines = out.getvalue().rstrip("\n").split("\r")[1:]
    assert {len(line) for line in lines} == {max(width - 1, 1)} or width == 80


def test_a_terminal_that_shrinks_is_not_overrun():
    out, width = Terminal(), iter([200, 30])
    with Progress(out, now=iter([0.0, 1.0]).__next__, width=width.__next__) as bar:
        show(bar, 1)
        show(bar, 2)
    assert len(out.getvalue().rstrip("\n").split("\r")[-1]) == 29


def test_a_file_gets_a_plain_line_every_half_minute_and_the_last():
    out = io.StringIO()
    with progress(out, seconds=[0.0, 10.0, 29.0, 31.0, 40.0]) as bar:
        for cycle in (1, 2, 3, 4, 5):
            show(bar, cycle)
    lines = out.getvalue().splitlines()
    assert [line.split(" | ")[1] for line in lines] == ["cycle 1", "cycle 4", "cycle 5"]
    assert "\r" not in out.getvalue()


def test_nothing_is_printed_when_nothing_happened():
    out = Terminal()
    with progress(out):
        pass
    assert out.getvalue() == ""


def test_the_line_is_left_when_the_session_fails():
    out = Terminal()
    with pytest.raises(ZeroDivisionError), progress(out) as bar:
        show(bar, 1)
        raise ZeroDivisionError
    assert out.getvalue().endswith("\n")


def test_the_terminal_s_own_width_is_used(monkeypatch):
    monkeypatch.setenv("COLUMNS", "24")
    out = Terminal()
    with Progress(out, now=iter([0.0]).__next__) as bar:
        show(bar, 1)
    assert out.getvalue() == "\r10:26:40 | cycle 1 | 20\n"
