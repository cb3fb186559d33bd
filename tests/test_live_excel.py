"""The Excel side as far as it can be tested without Excel: codes of refusals, finding the workbook, calm."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import xlwings

from optionscanner.errors import WorkbookBusy, WorkbookError
from optionscanner.workbook.live import wire
from optionscanner.workbook.live.excel import ExcelFront, same_workbook
from optionscanner.workbook.live.excel_errors import meaning
from optionscanner.workbook.live.front import FrontBusy, FrontLost, Opened
from optionscanner.workbook.live.patience import Patience
from tests.live_stub import StubBook, StubFront
from tests.test_live_writer import Engine, alerts


class ComError(Exception):
    """As pywintypes raises them: (code, text, (…, inner code), argument)."""

    @property
    def hresult(self):
        return self.args[0]


def com(code: int, inner: int | None = None) -> ComError:
    details = None if inner is None else (0, "Microsoft Excel", "text", "", 0, signed(inner))
    return ComError(signed(code), "text", details, None)


def signed(code: int) -> int:
    return code - 2**32 if code >= 2**31 else code


class AppleError(Exception):
    def __init__(self, number):
        super().__init__("text")
        self.errornumber = number


class ExcelBusyError(Exception):
    """Of the same name as xlwings' own, which can only be imported on Windows."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (com(0x80010001), FrontBusy),
        (com(0x8001010A), FrontBusy),
        (com(0x80020009, 0x800AC472), FrontBusy),
        (ExcelBusyError(), FrontBusy),
        (AppleError(-1712), FrontBusy),
        (com(0x80010108), FrontLost),
        (com(0x800706BA), FrontLost),
        (com(0x800401FD), FrontLost),
        (AppleError(-609), FrontLost),
        # A sheet name of 32 letters: the same outer code, and nobody's fault but ours.
        (com(0x80020009, 0x800A03EC), type(None)),
        (com(0x80020009), type(None)),
        (ValueError("x"), type(None)),
    ],
)
def test_codes_mean_busy_or_gone_or_neither(error, kind):
    assert type(meaning(error)) is kind


def test_automation_that_macos_forbids_is_explained():
    assert "Automation" in str(meaning(AppleError(-1743)))


def test_waits_grow_to_a_second_and_have_no_end():
    patience = Patience()
    waits = [patience.refused(100.0 + i) for i in range(12)]
    assert waits == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.0, 1.0])
    assert not patience.worth_telling(104.9)
    assert patience.worth_telling(105.0)
    patience.served()
    assert not patience.worth_telling(200.0)
    assert patience.refused(200.0) == 0.1


@pytest.mark.parametrize("code", [com(0x80010001), com(0x8001010A), com(0x80020009, 0x800AC472)])
def test_a_refused_frame_is_no_error_and_the_newest_one_arrives(tmp_path, monkeypatch, code):
    """One refusal is one try: no call is repeated before the wait is over."""
    book = StubBook()
    monkeypatch.setattr(StubFront, "failure", ExcelFront.failure)
    tries = []

    def asked(self):
        if self.refuse:
            self.refuse -= 1
            tries.append(code)
            raise code

    monkeypatch.setattr("tests.live_stub.StubProgram.asked", asked)
    engine = Engine(book, tmp_path / "Book.xlsx", poll_every=60.0)
    engine.show(alerts("one"))
    engine.done()
    book.program.refuse = 3
    engine.show(alerts("two"))
    assert engine.done().result.status == "written"
    assert len(tries) == 3
    assert book.column("alerts_feed", "Alert")[0] == "two"
    assert not any(isinstance(m, wire.Told) and m.status in ("failed", "restarting") for m in engine.heard)
    engine.end()


def test_nothing_of_the_paid_part_of_xlwings_is_used():
    assert xlwings.__pro__ is False


# Finding the workbook


@pytest.mark.parametrize(
    ("told", "same"),
    [
        ("https://d.docs.live.net/abc123/Documents/Trading/Options%20Dashboard.xlsx", True),
        ("https://firm.sharepoint.com/personal/me/Documents/Trading/Options%20Dashboard.xlsx", True),
        ("https://firm.sharepoint.com/personal/me/Documents/Other/Options%20Dashboard.xlsx", False),
        ("https://firm.sharepoint.com/personal/me/Documents/Trading/Other.xlsx", False),
        ("/elsewhere/Documents/Trading/Options Dashboard.xlsx", False),
    ],
)
def test_a_workbook_in_the_cloud_is_known_by_the_end_of_its_address(told, same):
    assert same_workbook(told, Path("/disk/OneDrive/Documents/Trading/Options Dashboard.xlsx")) is same


def test_a_link_to_the_workbook_is_the_workbook(tmp_path):
    real, link = tmp_path / "a" / "Book.xlsx", tmp_path / "b" / "Book.xlsx"
    for place in (real, link):
        place.parent.mkdir()
    real.write_bytes(b"")
    link.symlink_to(real)
    assert same_workbook(str(link), real)
    assert not same_workbook(str(tmp_path / "Book.xlsx"), real)


class Books(list):
    def __init__(self, app, *books):
        super().__init__(books)
        self.app, self.opened = app, []

    def open(self, path, **options):
        self.opened.append((path, options))
        book = excel_book(path, app=self.app)
        self.append(book)
        return book


def excel_book(path, *, app=None, read_only=False):
    api = SimpleNamespace(FullName=str(path), ReadOnly=read_only, saved=0)
    api.Save = lambda: setattr(api, "saved", api.saved + 1)
    api.Close = lambda keep: None
    api.SaveCopyAs = lambda to: Path(to).write_text("copy")

    def close():
        app.books.clear()

    return SimpleNamespace(api=api, name=Path(path).name, app=app, close=close, fullname=str(path))


class ExcelApp:
    def __init__(self, *paths, read_only=False, protected=()):
        self.quits = 0
        self.display_alerts = self.screen_updating = True
        self.pid = 2**22 + 12345  # beyond what a system gives out
        self.books = Books(self, *(excel_book(path, app=self, read_only=read_only) for path in paths))
        windows = [SimpleNamespace(SourcePath=str(Path(p).parent), SourceName=Path(p).name) for p in protected]
        self.api = SimpleNamespace(
            ProtectedViewWindows=windows, Ready=True, Interactive=True, CutCopyMode=0,
            Quit=lambda: setattr(self, "quits", self.quits + 1),
        )  # fmt: skip


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "Book.xlsx"
    made.write_bytes(b"")
    return made


def front(*apps, start=None):
    return ExcelFront(platform="win32", apps=lambda: apps, start=start or (lambda: pytest.fail("Excel was started")))


def test_an_open_workbook_is_taken_up_and_left_open(path):
    app = ExcelApp("/x/Other.xlsx", path)
    made = front(ExcelApp(), app)
    opened = made.open(path)
    assert (opened.book, opened.started) == (app.books[1], None)
    made.close(opened, leave_open=True)
    assert (app.quits, len(app.books)) == (0, 2)


def test_an_excel_of_the_users_opens_it_and_is_never_ended(path):
    app = ExcelApp("/x/Other.xlsx")
    made = front(app)
    opened = made.open(path)
    assert opened.started is None
    assert app.books.opened[0][0] == str(path)
    assert app.display_alerts is True
    made.close(opened, leave_open=False)
    assert app.quits == 0


def test_an_excel_that_we_started_ends_with_its_last_workbook(path):
    app = ExcelApp()
    made = front(start=lambda: app)
    opened = made.open(path)
    assert opened.started == app.pid
    made.close(opened, leave_open=False)
    assert (app.quits, opened.book.api.saved) == (1, 1)


@pytest.mark.parametrize(
    ("apps", "words"),
    [
        (lambda path: (ExcelApp(path), ExcelApp(path)), "two Excel windows"),
        (lambda path: (ExcelApp(path, read_only=True),), "only be opened for reading"),
        (lambda path: (ExcelApp(protected=[path]),), "Enable Editing"),
        (lambda path: (ExcelApp("/x/Book.xlsx"),), "two of one name"),
    ],
)
def test_a_workbook_that_cannot_be_had_now_is_told(path, apps, words):
    with pytest.raises(WorkbookBusy, match=words):
        front(*apps(path)).open(path)


def test_a_closed_workbook_is_closed_by_its_user_unless_excel_left_its_owner_file(path):
    class Closed:
        @property
        def api(self):
            raise com(0x800706BA)

    made = front(ExcelApp(path))
    made.open(path)
    gone = Opened(Closed(), None)
    assert made.is_open(gone) is False
    path.with_name("~$Book.xlsx").write_bytes(b"")
    with pytest.raises(FrontLost):
        made.is_open(gone)


def test_copying_and_an_excel_that_is_not_ready_are_left_alone(path):
    app = ExcelApp(path)
    made = front(app)
    opened = made.open(path)
    assert made.disturbed(opened) == ""
    app.api.CutCopyMode = 1
    assert made.disturbed(opened) == "copying"
    app.api.Ready = False
    assert made.disturbed(opened) == "busy"


def test_a_screen_that_could_not_be_lit_again_is_lit_before_the_next_frame(path, monkeypatch):
    app = ExcelApp(path)
    made = front(app)
    opened = made.open(path)

    class Refusing:
        display_alerts = True
        api = app.api

        @property
        def screen_updating(self):
            return False

        @screen_updating.setter
        def screen_updating(self, on):
            if on:
                raise com(0x80010001)

    opened.book.app = Refusing()
    with made.quiet(opened):
        pass
    opened.book.app = app
    app.screen_updating = False
    made.disturbed(opened)
    assert app.screen_updating is True


def test_an_error_inside_a_frame_is_not_hidden_by_lighting_the_screen(path):
    app = ExcelApp(path)
    made = front(app)
    opened = made.open(path)
    with pytest.raises(ZeroDivisionError), made.quiet(opened):
        raise ZeroDivisionError
    assert app.screen_updating is True


def test_a_copy_keeps_the_format(path, tmp_path):
    made = front(ExcelApp(path))
    opened = made.open(path)
    made.save_copy(opened, tmp_path / "copy.xlsx")
    assert (tmp_path / "copy.xlsx").read_text() == "copy"
    with pytest.raises(WorkbookError, match=r"\.xlsx"):
        made.save_copy(opened, tmp_path / "copy.xlsm")


def test_a_filter_that_hides_rows_of_the_block_holds_its_order(path):
    def sheet(*, mode, area):
        filters = SimpleNamespace(FilterMode=mode, Range=area)
        table = SimpleNamespace(ShowAutoFilter=True, AutoFilter=filters)
        return SimpleNamespace(api=SimpleNamespace(
            AutoFilterMode=False, AutoFilter=None, ListObjects=[table], Range=lambda address: address,
            Application=SimpleNamespace(Intersect=lambda a, b: a if a == b else None),
        ))  # fmt: skip

    made = front(ExcelApp(path))
    opened = made.open(path)
    opened.book.sheets = {
        "on": sheet(mode=True, area="A6:R35"), "off": sheet(mode=False, area="A6:R35"),
        "beside": sheet(mode=True, area="Z1:Z9"),
    }  # fmt: skip
    assert [made.order_held(opened, name, "A6:R35") for name in ("on", "off", "beside")] == [True, False, False]
