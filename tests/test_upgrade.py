"""Upgrades: what is new comes, what is the user's stays, whoever saved the file; and what was removed on request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from unittest import mock

import openpyxl
import pytest
from lxml import etree
from openpyxl.chart import LineChart, Reference
from openpyxl.utils import column_index_from_string
from openpyxl.workbook.defined_name import DefinedName

from optionscanner.errors import WorkbookBusy, WorkbookError
from optionscanner.workbook.file_host import FileHost
from optionscanner.workbook.grid import Sheet
from optionscanner.workbook.layout import SAMPLES, SHEETS, TEMPLATE_VERSION
from optionscanner.workbook.layout_index import PICKED, index_sheet
from optionscanner.workbook.layout_versions import EARLIER
from optionscanner.workbook.template import build_template
from optionscanner.workbook.upgrade import Upgraded, restored, upgraded
from optionscanner.workbook.upgrade_file import restore_file, upgrade_file
from optionscanner.workbook.upgrade_formulas import moved, with_sheets
from tests import workbook_tools as tools

pytestmark = pytest.mark.filterwarnings("ignore:.*extension is not supported:UserWarning")

BEFORE = EARLIER["1"]
TITLES = [sheet.name for sheet in (*SHEETS, *SAMPLES)]
NEW_TITLES = [title for title in TITLES if title not in BEFORE.sheets]
STYLES = "xl/styles.xml"


def old_layout() -> Iterator[Sheet]:
    """Today's layout with what version 1 had of it."""
    for sheet in SHEETS:
        if sheet.name in BEFORE.sheets:
            named = tuple(replace(n, cells=tuple(c for c in n.cells if c.name in BEFORE.names)) for n in sheet.named)
            yield replace(
                sheet,
                tables=tuple(t for t in sheet.tables if t.name in BEFORE.names),
                cells=tuple(c for c in sheet.cells if c.name in BEFORE.names),
                named=named, inputs=(), owned=(), sparks=(), formulas=(),
                texts=tuple(t for t in sheet.texts if not named or t.row < named[0].row),
            )  # fmt: skip


@pytest.fixture(scope="module")
def template() -> bytes:
    return build_template()


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> bytes:
    """A workbook of version 1 as the program made it."""
    path = tmp_path_factory.mktemp("old") / "Old.xlsx"
    path.write_bytes(build_template(tuple(old_layout())))
    tools.rewrite(path, {"docProps/custom.xml": (rf"<vt:lpwstr>{TEMPLATE_VERSION}<", "<vt:lpwstr>1<")})
    return path.read_bytes()


@pytest.fixture(scope="module")
def second(tmp_path_factory) -> bytes:
    """A workbook of version 2 as the program made it."""
    before, sheets = EARLIER["2"], []
    for today in SHEETS:
        # DRILLDOWN was an index sheet then.
        sheet = index_sheet(PICKED) if today.name == PICKED else today
        if sheet.name in before.sheets:
            named = tuple(replace(n, cells=tuple(c for c in n.cells if c.name in before.names)) for n in sheet.named)
            lists = [n.row for n in named] or [2**20]
            inputs = tuple(i for i in sheet.inputs if i.name in before.names)
            new_rows = {i.row for i in sheet.inputs if i not in inputs}
            sheets.append(replace(
                sheet,
                named=named,
                inputs=inputs,
                cells=tuple(c for c in sheet.cells if c.name in before.names),
                owned=tuple(replace(o, row=named[0].row + len(named[0].cells)) for o in sheet.owned),
                formulas=tuple(f for f in sheet.formulas if f.row < lists[0]),
                texts=tuple(t for t in sheet.texts if t.row < lists[0] and t.row not in new_rows),
            ))  # fmt: skip
    path = tmp_path_factory.mktemp("second") / "Second.xlsx"
    with mock.patch("optionscanner.workbook.rules.write_drilldown_rules"):  # those of today's DRILLDOWN
        path.write_bytes(build_template((*sheets, *SAMPLES)))
    tools.rewrite(path, {"docProps/custom.xml": (rf"<vt:lpwstr>{TEMPLATE_VERSION}<", "<vt:lpwstr>2<")})
    assert set(openpyxl.load_workbook(path).defined_names) == before.names
    return path.read_bytes()


@pytest.fixture(scope="module")
def worked_in(plain, tmp_path_factory) -> bytes:
    """The same after a user's work, saved by another program: a sheet, a chart, a name, formulas on our sheets."""
    path = tmp_path_factory.mktemp("user") / "Mine.xlsx"
    path.write_bytes(plain)
    book = openpyxl.load_workbook(path)
    mine = book.create_sheet("My desk", 2)
    mine["A1"], mine["B1"] = "=NIFTY_SPOT*2", 17.5
    mine["A1"].number_format = "0.000"
    chart = LineChart()
    chart.add_data(Reference(mine, range_string="'My desk'!$B$1:$B$5"))
    mine.add_chart(chart, "D2")
    book.defined_names["MY_LEVEL"] = DefinedName("MY_LEVEL", attr_text="'My desk'!$B$1")
    book["NIFTY"]["BB3"] = "=A3&B3"
    book.active = 3
    book.save(path)
    book.close()
    return path.read_bytes()


@pytest.fixture(scope="module")
def done(worked_in, template) -> Upgraded:
    return upgraded(worked_in, template)


@pytest.fixture(scope="module")
def ours(template, tmp_path_factory) -> openpyxl.Workbook:
    """The template."""
    return opened(template, tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def theirs(done, tmp_path_factory) -> openpyxl.Workbook:
    """The user's workbook, upgraded."""
    return opened(done.data, tmp_path_factory.mktemp("theirs"))


def parts(data: bytes, folder: Path) -> dict[str, bytes]:
    path = folder / "parts.xlsx"
    path.write_bytes(data)
    tools.assert_well_formed(path)
    return tools.parts(path)


def opened(data: bytes, folder: Path) -> openpyxl.Workbook:
    path = folder / "opened.xlsx"
    path.write_bytes(data)
    return openpyxl.load_workbook(path)


def assert_takes_a_picture(path: Path) -> None:
    """Every block of today's layout is found, takes values and shows them."""
    frame = tools.made_up_frame(11)
    host = FileHost(path)
    written = host.write(frame)
    host.close()
    assert (written.status, written.missing, written.sentence) == ("written", (), "")
    tools.assert_shows(path, frame)


@pytest.mark.slow
def test_everything_new_is_there_and_takes_values(done, theirs, tmp_path):
    path = tmp_path / "New.xlsx"
    path.write_bytes(done.data)
    tools.assert_well_formed(path)
    assert list(done.sheets) == NEW_TITLES
    assert done.left == ()
    assert [title for title in theirs.sheetnames if title != "My desk"] == TITLES
    assert theirs.sheetnames.index("My desk") == 2
    assert theirs.active.title == "BANKNIFTY"
    assert_takes_a_picture(path)


def test_what_is_the_users_keeps_its_bytes(worked_in, done, theirs, tmp_path):
    before, after = (parts(data, tmp_path) for data in (worked_in, done.data))
    shared = {"xl/workbook.xml", "xl/_rels/workbook.xml.rels", "[Content_Types].xml", "docProps/custom.xml", STYLES}
    # The index sheets and the list of names got something.
    ours = {f"xl/worksheets/sheet{n}.xml" for n in (2, 4, 5, 6, 7, 10)}
    changed = {name for name in before if before[name] != after.get(name)}
    assert changed <= shared | ours
    assert "xl/charts/chart1.xml" in before.keys() - changed
    assert "xl/worksheets/sheet3.xml" in before.keys() - changed
    assert theirs["My desk"]["A1"].value == "=NIFTY_SPOT*2"
    assert theirs["My desk"]["A1"].number_format == "0.000"
    assert theirs["NIFTY"]["BB3"].value == "=A3&B3"
    assert theirs.defined_names["MY_LEVEL"].attr_text == "'My desk'!$B$1"


def test_print_areas_stay_with_their_sheets(ours, theirs):
    """Names of one sheet count its place among the tabs, and new tabs stand between."""
    expected = {sheet.title: (sheet.print_area, sheet.print_title_rows) for sheet in ours}
    found = {sheet.title: (sheet.print_area, sheet.print_title_rows) for sheet in theirs}
    assert found.pop("My desk") == ("", None)
    assert found == expected


# The order that the file format prescribes (ECMA-376 part 1, 18.3.1.99), of what our sheets and openpyxl's hold.
PRESCRIBED = (
    "sheetPr dimension sheetViews sheetFormatPr cols sheetData sheetProtection autoFilter mergeCells "
    "conditionalFormatting dataValidations hyperlinks printOptions pageMargins pageSetup headerFooter rowBreaks "
    "drawing legacyDrawing tableParts extLst"
).split()


def test_every_sheet_keeps_the_order_that_spreadsheets_insist_on(done, tmp_path):
    """Excel calls a file damaged whose rows, cells or parts of a sheet stand in another order, or twice."""
    for name, data in parts(done.data, tmp_path).items():
        if name.startswith("xl/worksheets/sheet"):
            root = etree.fromstring(data)
            order = [PRESCRIBED.index(etree.QName(child).localname) for child in root]
            assert order == sorted(order), name
            rows = [int(row.get("r")) for row in root.iter("{*}row")]
            assert rows == sorted(set(rows)), name
            for row in root.iter("{*}row"):
                columns = [column_index_from_string(re.match("[A-Z]+", c.get("r")).group()) for c in row]
                assert columns == sorted(set(columns)), (name, row.get("r"))
            spans = [(int(c.get("min")), int(c.get("max"))) for c in root.iter("{*}col")]
            assert all(one[1] < other[0] for one, other in pairwise(spans)), name


def look(cell) -> tuple[object, ...]:
    return (cell.value, cell.number_format, copy(cell.font), copy(cell.fill), copy(cell.border), copy(cell.alignment))


@pytest.mark.slow
@pytest.mark.parametrize("title", NEW_TITLES)
def test_a_new_sheet_looks_as_in_the_template(ours, theirs, title):
    ours, theirs = ours[title], theirs[title]
    assert {c.coordinate: look(c) for row in theirs.iter_rows() for c in row} == {
        c.coordinate: look(c) for row in ours.iter_rows() for c in row
    }
    rules = [
        [(str(w.sqref), r.type, r.formula, r.dxf and (r.dxf.font, r.dxf.fill, r.dxf.numFmt and r.dxf.numFmt.formatCode))
         for w, listed in sheet.conditional_formatting._cf_rules.items() for r in listed]
        for sheet in (ours, theirs)
    ]  # fmt: skip
    assert rules[0] == rules[1]
    notes = [{c.coordinate: c.comment.text for row in s.iter_rows() for c in row if c.comment} for s in (ours, theirs)]
    assert notes[0] == notes[1]
    widths = [{k: d.width for k, d in s.column_dimensions.items()} for s in (ours, theirs)]
    assert widths[0] == widths[1]


@pytest.mark.slow
def test_looks_that_are_there_are_used_and_nothing_multiplies(plain, template, tmp_path):
    """Formats, fonts, fills of a file are distinct before and after, and a second time nothing is added."""
    once = upgraded(plain, template)
    styles = etree.fromstring(parts(once.data, tmp_path)[STYLES])
    for section in ("numFmts", "fonts", "fills", "borders", "cellXfs"):
        held = [etree.tostring(e, method="c14n") for e in styles.find(f"{{*}}{section}")]
        assert len(held) == len(set(held)) == int(styles.find(f"{{*}}{section}").get("count")), section
    assert upgraded(once.data, template) is None
    path = tmp_path / "Again.xlsx"
    path.write_bytes(once.data)
    tools.rewrite(path, {"docProps/custom.xml": (r"<vt:lpwstr>[^<]*<", "<vt:lpwstr><")})
    again = upgraded(path.read_bytes(), template)
    assert (again.sheets, again.names) == ((), ())
    assert parts(again.data, tmp_path)[STYLES] == parts(once.data, tmp_path)[STYLES]


@pytest.mark.slow
def test_a_renamed_sheet_that_moved_down_is_followed(plain, template, tmp_path):
    """Its name and the rows that its blocks stand in are the user's; the new block goes beside them."""
    path = tmp_path / "Moved.xlsx"
    path.write_bytes(plain)

    def three_lower(match: re.Match[str]) -> str:
        return re.sub(r"(\$[A-Z]+\$)(\d+)", lambda m: f"{m.group(1)}{int(m.group(2)) + 3}", match.group())

    text = tools.parts(path)["xl/workbook.xml"].decode()
    text = text.replace('sheet name="NIFTY"', 'sheet name="Nifty 50"').replace("'NIFTY'!", "'Nifty 50'!")
    text = re.sub(r"'Nifty 50'!\$[A-Z]+\$\d+(:\$[A-Z]+\$\d+)?", three_lower, text)
    rows = tools.parts(path)["xl/worksheets/sheet2.xml"].decode()
    rows = re.sub(r'(<row r="|<c r="[A-Z]+)(\d+)', lambda m: f"{m.group(1)}{int(m.group(2)) + 3}", rows)
    tools.rewrite(path, {
        "xl/workbook.xml": (r"(?s)^.*$", lambda _: text), "xl/worksheets/sheet2.xml": (r"(?s)^.*$", lambda _: rows),
    })  # fmt: skip
    done = upgraded(path.read_bytes(), template)
    new = [n for n in done.names if n.startswith("NIFTY_")]
    ours, theirs = (opened(data, tmp_path).defined_names for data in (template, done.data))
    assert new
    assert "NIFTY" not in done.sheets
    for name in new:
        if "NAMES" not in ours[name].attr_text:
            shifted = re.sub(r"(\$[A-Z]+\$)(\d+)", lambda m: f"{m.group(1)}{int(m.group(2)) + 3}", ours[name].attr_text)
            assert theirs[name].attr_text.replace("'", "") == shifted.replace("'NIFTY'", "Nifty 50")
    path.write_bytes(done.data)
    assert_takes_a_picture(path)


@pytest.mark.slow
def test_a_workbook_of_version_2_gets_what_it_lacks(second, template, tmp_path):
    """Dealer exposure, open interest over time, volatility: sheets with chart and lists, numbers, lines on CONTROL."""
    numbers = (
        "GEX_CR GEX_PERCENTILE GAMMA_REGIME GAMMA_FLIP CALL_GAMMA_WALL PUT_GAMMA_WALL DEX_CR VEX_CR CEX_CR "
        "MAX_PAIN_PCT CALL_OI_ADDED "
        "PUT_OI_ADDED FUTURE_OI_PCT BUILD_UP GAMMA_FLIP_PCT exposure futures volatility ATM_IV_CHANGE IV_30 IV_RANK "
        "IV_PERCENTILE IV_SESSIONS RISK_REVERSAL BUTTERFLY STRADDLE_VWAP SETTLEMENT"
    ).split()
    indices = "NIFTY BANKNIFTY FINNIFTY MIDCPNIFTY SENSEX".split()
    path = tmp_path / "Second.xlsx"
    path.write_bytes(second)
    done = upgraded(second, template)
    assert done.sheets == ("OI_TRACKER", "DRILLDOWN", "EXPOSURE", "HEATMAP", "OI_HEATMAP", "DAY_PLAN")
    assert done.left == (
        "DRILLDOWN was made anew as sheet DRILLDOWN_4; your sheet DRILLDOWN is not filled any more: delete it when "
        "nothing of yours is on it",
    )
    assert set(done.names) == {f"{index}_{number}" for index in indices for number in numbers} | {
        f"CONTROL_OI_{of}" for of in ("LEFT", "LEFT_ANSWER", "RIGHT", "RIGHT_ANSWER", "LIMITS", "LIMITS_ANSWER")
    } | {
        f"CONTROL_OI_{of}{answer}" for of in ("SHOW", "3M", "LEFT_EXPIRY", "RIGHT_EXPIRY") for answer in ("", "_ANSWER")
    } | {"OI_SHOW", "CONTROL_AS_OF", "CONTROL_AS_OF_ANSWER"}
    path.write_bytes(done.data)
    assert_takes_a_picture(path)
    after = opened(done.data, tmp_path)
    assert (after["DRILLDOWN"]["A1"].value, after["DRILLDOWN_4"]["A5"].value) == (
        "not filled any more: see DRILLDOWN_4", "Price",
    )  # fmt: skip
    drill = [after.defined_names[name].destinations for name in ("drill_chain", "DRILL_AS_OF")]
    assert {title for places in drill for title, _ in places} == {"DRILLDOWN_4"}
    ours, theirs = opened(template, tmp_path)["EXPOSURE"], opened(done.data, tmp_path)["EXPOSURE"]
    drawn = [
        [series.val.numRef.f for chart in sheet._charts for part in chart._charts for series in part.series]
        for sheet in (ours, theirs)
    ]
    assert drawn[0] == drawn[1]
    assert len(set(drawn[1])) == 3
    offered = [
        {(str(r.sqref), r.type, r.formula1) for r in sheet.data_validations.dataValidation} for sheet in (ours, theirs)
    ]
    assert offered[0] == offered[1]
    assert {'"CE,PE"'} < {formula for _, kind, formula in offered[1] if kind == "list"}
    rows = [[c.value for c in row] for row in opened(done.data, tmp_path)["NAMES"].iter_rows(min_row=6)]
    assert [row[4] for row in rows if row[0] == "NIFTY_GAMMA_FLIP"] == ["=NIFTY_GAMMA_FLIP"]


def test_a_new_setting_stands_with_its_answer_below_those_that_were_there(second, template, tmp_path):
    book = opened(upgraded(second, template).data, tmp_path)
    last = max(
        int(book.defined_names[name].attr_text.rpartition("$")[2])
        for name in EARLIER["2"].names
        if name.startswith("CONTROL_") and not name.startswith("CONTROL_WATCHLIST") and name != "CONTROL_band"
    )
    offered = {str(r.sqref): r.formula1 for r in book["CONTROL"].data_validations.dataValidation}
    rows = set()
    for of, label in (("LEFT", "OI_TRACKER left"), ("RIGHT", "OI_TRACKER right")):
        ((_, cell),) = book.defined_names[f"CONTROL_OI_{of}"].destinations
        row = int(cell.rpartition("$")[2])
        rows.add(row)
        assert (cell, book["CONTROL"].cell(row, 1).value) == (f"$B${row}", label)
        answers = [place for _, place in book.defined_names[f"CONTROL_OI_{of}_ANSWER"].destinations]
        assert answers == [f"$E${row}", f"$F${row}", f"$G${row}"]
        assert offered[f"B{row}"] == offered["B" + book.defined_names["CONTROL_SYMBOL"].attr_text.rpartition("$")[2]]
    assert len(rows) == 2
    assert min(rows) > last


def new_place(data: bytes, folder: Path, name: str) -> tuple[str, str]:
    """Sheet and last cell of a block."""
    title, area = next(iter(opened(data, folder).defined_names[name].destinations))
    return title, area.replace("$", "").rpartition(":")[2]


def without(plain: bytes, folder: Path, title: str, name: str) -> tuple[Path, str]:
    """Version 1 with a user's value on the last cell that the new block `name` would take."""
    path = folder / "Mine.xlsx"
    path.write_bytes(plain)
    book = openpyxl.load_workbook(path)
    _, corner = new_place(build_template(), folder, name)
    book[title][corner] = "mine"
    book.save(path)
    book.close()
    return path, corner


@pytest.mark.slow
def test_a_block_without_room_is_reported_and_nothing_is_written_over(plain, template, tmp_path):
    path, corner = without(plain, tmp_path, "NIFTY", "NIFTY_trail")
    done = upgraded(path.read_bytes(), template)
    assert [sentence for sentence in done.left if corner in sentence and "NIFTY_trail" in sentence]
    book = opened(done.data, tmp_path)
    assert book["NIFTY"][corner].value == "mine"
    assert "NIFTY_trail" not in book.defined_names
    assert "BANKNIFTY_trail" in book.defined_names
    # Once there is room it comes on request.
    book["NIFTY"][corner] = None
    book.save(path)
    put = restored(path.read_bytes(), template, ["nifty_trail", "NIFTY_trail_units"])
    assert set(put.names) == {"NIFTY_trail", "NIFTY_trail_units"}


def removed(plain: bytes, path: Path, *titles: str) -> None:
    """Sheets deleted as a spreadsheet does it: their names remain and point nowhere."""
    path.write_bytes(plain)
    book = openpyxl.load_workbook(path)
    for title in titles:
        del book[title]
        for name in book.defined_names.values():
            name.attr_text = re.sub(rf"'?{title}'?![$A-Z\d:]+", "#REF!", name.attr_text)
    book.save(path)
    book.close()


@pytest.mark.slow
def test_what_the_user_removed_comes_back_only_on_request(plain, template, tmp_path):
    path = tmp_path / "Less.xlsx"
    removed(plain, path, "FINNIFTY", "SENSEX")
    done = upgraded(path.read_bytes(), template)
    assert not {"FINNIFTY", "SENSEX"} & set(opened(done.data, tmp_path).sheetnames)
    one = restored(done.data, template, ["FINNIFTY"])
    assert one.sheets == ("FINNIFTY",)
    both = restored(one.data, template, ["all"])
    assert both.sheets == ("SENSEX",)
    assert opened(both.data, tmp_path).sheetnames == TITLES
    path.write_bytes(both.data)
    assert_takes_a_picture(path)
    assert restored(both.data, template, ["all"]).changed is False


@pytest.mark.slow
def test_a_sheet_that_was_renamed_out_of_the_way_is_made_anew(template, tmp_path):
    """The way to new columns in an old table: names point to the fresh sheet, the old one keeps its cells."""
    path = tmp_path / "Kept.xlsx"
    path.write_bytes(template)
    book = openpyxl.load_workbook(path)
    book["EOD_REPORT"].title = "Old report"
    for name in book.defined_names.values():
        name.attr_text = name.attr_text.replace("EOD_REPORT'!", "Old report'!").replace("EOD_REPORT!", "'Old report'!")
    book.save(path)
    done = restored(path.read_bytes(), template, ["EOD_REPORT"])
    again = opened(done.data, tmp_path)
    assert {"EOD_REPORT", "Old report"} <= set(again.sheetnames)
    assert again.defined_names["eod_indices"].attr_text.startswith("'EOD_REPORT'!")
    path.write_bytes(done.data)
    assert_takes_a_picture(path)


def test_a_request_for_something_unknown_is_one_sentence(template):
    with pytest.raises(WorkbookError, match="tomorrow is no sheet or block of ours; its sheets are ALERT_SUMMARY, NI"):
        restored(template, template, ["tomorrow"])


@pytest.mark.slow
@pytest.mark.parametrize("version", ["99", "next"])
def test_a_workbook_of_a_newer_program_is_left_alone(template, plain, tmp_path, version):
    path = tmp_path / "Newer.xlsx"
    path.write_bytes(plain)
    tools.rewrite(path, {"docProps/custom.xml": (r"<vt:lpwstr>1<", f"<vt:lpwstr>{version}<")})
    before = path.read_bytes()
    done = upgraded(before, template)
    assert (done.data, done.changed) == (before, False)
    assert f"it is of template {version}, which this program does not know" in upgrade_file(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_of_the_users_that_became_ours_is_not_written_over(plain, template, tmp_path):
    path = tmp_path / "Clash.xlsx"
    path.write_bytes(plain)
    taken = "<definedNames><definedName name=\"EOD_Indices\">'NAMES'!$Z$9</definedName>"
    tools.rewrite(path, {"xl/workbook.xml": ("<definedNames>", taken)})
    with pytest.raises(WorkbookError, match="your defined name eod_indices is one that this program now uses"):
        upgraded(path.read_bytes(), template)


@pytest.mark.slow
def test_a_table_with_fewer_columns_is_told_and_left(plain, template, tmp_path):
    path = tmp_path / "Narrow.xlsx"
    path.write_bytes(plain)
    book = openpyxl.load_workbook(path)
    book["STOCKS_GROUPED"]["B5"] = "Name of mine"
    book.save(path)
    left = upgraded(path.read_bytes(), template).left
    assert [sentence for sentence in left if sentence.startswith("stocks has no column Symbol: columns are never put")]


def test_somebody_elses_workbook_is_none_of_our_business(template, tmp_path):
    book = openpyxl.Workbook()
    book.save(tmp_path / "Foreign.xlsx")
    assert upgraded((tmp_path / "Foreign.xlsx").read_bytes(), template) is None
    with pytest.raises(WorkbookError, match=r"not an \.xlsx file"):
        upgraded(b"", template)


def test_formulas_of_the_template_on_another_place():
    formula = """IF($A$14>B14,LOG10(C2),NIFTY_ATM)&"A1"&D$3"""
    assert moved(formula, absolute=(3, 1), relative=(5, 2)) == ("""IF($B$17>D19,LOG10(E7),NIFTY_ATM)&"A1"&F$6""")
    elsewhere = """IF(A1>0,'Jo''s desk'!$B$6:$B$245,NIFTY!C1)"""
    assert moved(elsewhere, absolute=(3, 1), relative=(5, 2)) == """IF(C6>0,'Jo''s desk'!$B$6:$B$245,NIFTY!C1)"""
    text = """'NIFTY'!$A$1:$B$2+NIFTY!C1&"NIFTY!"&BANKNIFTY!A1&NIFTY_SPOT"""
    assert with_sheets(text, {"NIFTY": "Jo's"}) == ("""'Jo''s'!$A$1:$B$2+'Jo''s'!C1&"NIFTY!"&BANKNIFTY!A1&NIFTY_SPOT""")


# Files


@pytest.mark.slow
def test_the_file_is_replaced_and_the_old_one_kept(plain, template, tmp_path):
    path = tmp_path / "Book.xlsx"
    path.write_bytes(plain)
    kept = tmp_path / f"Book.before-template-{TEMPLATE_VERSION}.xlsx"
    kept.write_text("somebody's")
    told = upgrade_file(path, lambda: template)
    assert told.startswith(
        f"Book.xlsx: brought to template {TEMPLATE_VERSION} with the new sheets {', '.join(NEW_TITLES[:5])} and "
        f"{len(NEW_TITLES) - 5} more"
    )
    second = tmp_path / f"Book.before-template-{TEMPLATE_VERSION}-2.xlsx"
    assert told.endswith(f"the file as it was is kept as {second.name}")
    assert second.read_bytes() == plain
    assert kept.read_text() == "somebody's"
    assert upgrade_file(path, lambda: template) == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([path.name, kept.name, second.name])
    assert restore_file(path, ["all"], lambda: template) == "Book.xlsx: nothing of what was asked for is missing"


@pytest.mark.slow
def test_the_file_host_brings_its_workbook_up_to_date_and_says_so_once(worked_in, template, tmp_path):
    path = tmp_path / "Book.xlsx"
    path.write_bytes(worked_in)
    host = FileHost(path, template=lambda: template)
    host.control()  # reads the file before the first picture
    first, second = (host.write(tools.made_up_frame(seed)) for seed in (1, 2))
    host.close()
    assert first.status == second.status == "written"
    assert f"Book.xlsx: brought to template {TEMPLATE_VERSION}" in first.sentence
    assert second.sentence == ""
    tools.assert_shows(path, tools.made_up_frame(2))


@pytest.mark.slow
def test_nothing_is_done_to_an_open_or_protected_file(plain, template, tmp_path):
    path = tmp_path / "Book.xlsx"
    path.write_bytes(plain)
    (tmp_path / ".~lock.Book.xlsx#").write_text("me")
    with pytest.raises(WorkbookBusy, match=r"Book.xlsx is open in a spreadsheet program \(lock file"):
        upgrade_file(path, lambda: template)
    (tmp_path / ".~lock.Book.xlsx#").unlink()
    path.chmod(0o444)
    with pytest.raises(WorkbookBusy, match=r"Book.xlsx is read-only"):
        upgrade_file(path, lambda: template)
    assert path.read_bytes() == plain
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_not_there_or_current_is_left(template, tmp_path):
    assert upgrade_file(tmp_path / "None.xlsx") == ""
    path = tmp_path / "Book.xlsx"
    path.write_bytes(template)
    assert upgrade_file(path) == ""
    assert path.read_bytes() == template
    with pytest.raises(WorkbookError, match="there is no such workbook"):
        restore_file(tmp_path / "None.xlsx", ["all"])


def test_every_earlier_version_is_known():
    assert set(EARLIER) == {str(n) for n in range(1, int(TEMPLATE_VERSION))}


@pytest.mark.office
@pytest.mark.slow
def test_libreoffice_opens_the_upgraded_file_and_what_it_saved_is_upgraded_too(worked_in, template, tmp_path):
    """Upgraded then saved by LibreOffice, and saved by LibreOffice then upgraded: both show every value."""
    path = tmp_path / "Book.xlsx"
    path.write_bytes(upgraded(worked_in, template).data)
    assert_takes_a_picture(path)
    saved = tools.convert(path, "xlsx", tmp_path / "after")
    tools.assert_shows(saved, tools.made_up_frame(11))
    assert set(openpyxl.load_workbook(saved).sheetnames) == {"My desk", *TITLES}
    old = tmp_path / "Old.xlsx"
    old.write_bytes(worked_in)
    theirs = tools.convert(old, "xlsx", tmp_path / "before")
    assert "brought to template" in upgrade_file(theirs)
    assert openpyxl.load_workbook(theirs)["My desk"]["A1"].value == "=NIFTY_SPOT*2"
    assert_takes_a_picture(theirs)
