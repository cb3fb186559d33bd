"""The settings of CONTROL: how a cell is read, what is refused in which words, and that limits agree with config."""

import pytest

from optionscanner import config as configuration
from optionscanner.config_complaints import every_key
from optionscanner.model.control import (
    CHAIN_NAMES,
    CONTROL_REQUEST,
    GROUPS,
    HALF_NAMES,
    INDEX_NAMES,
    PROTOCOL,
    WATCHLIST_ROWS,
    Command,
    Form,
    Refusal,
    parsed,
    symbol,
    typed,
)
from optionscanner.model.control_settings import SETTINGS
from optionscanner.workbook.layout_control import CONTROL
from optionscanner.workbook.layout_index import INDICES, PICKED

BY_NAME = {setting.name: setting for setting in SETTINGS}


@pytest.mark.parametrize(
    ("name", "cell", "value"),
    [
        ("CONTROL_UNITS", " lakh ", "LAKH"),
        ("CONTROL_UNITS", "", None),
        ("CONTROL_UNITS", None, None),
        ("CONTROL_STRIKES", 7.0, 7.0),
        ("CONTROL_STRIKES", "7", 7.0),
        ("CONTROL_STRIKES", 1, 1.0),
        ("CONTROL_STRIKES", 10, 10.0),
        ("CONTROL_MUTE_UNTIL", 0.5, 43_200.0),
        ("CONTROL_MUTE_UNTIL", 46_052.604166666664, 52_200.0),  # with its date: 14:30
        ("CONTROL_MUTE_UNTIL", "14:30", 52_200.0),
        ("CONTROL_MUTE_UNTIL", "9:05:30", 32_730.0),
        ("CONTROL_REQUEST", 57.0, 57.0),
        ("CONTROL_WATCHLIST_ONLY", "yes", "YES"),
    ],
)
def test_a_cell_that_is_taken(name, cell, value):
    assert parsed(BY_NAME[name], cell) == value


@pytest.mark.parametrize(
    ("name", "cell", "sentence"),
    [
        ("CONTROL_UNITS", "LAKHS",
         "Units: LAKH, CONTRACTS or UNITS was expected, got 'LAKHS'; choose from the list"),
        ("CONTROL_STRIKES", 11.0,
         "Strikes each side of ATM: a whole number from 1 to 10 was expected, got 11; correct the cell, or empty it"),
        ("CONTROL_STRIKES", 2.5,
         "Strikes each side of ATM: a whole number from 1 to 10 was expected, got 2.5; correct the cell, or empty it"),
        ("CONTROL_SHARE", 0.0,
         "Writer's share: a number from 1 to 100 was expected, got 0; correct the cell, or empty it"),
        ("CONTROL_SHARE", "1,5",
         "Writer's share: a number from 1 to 100 was expected, got '1,5'; correct the cell, or empty it"),
        ("CONTROL_SHARE", float("nan"),
         "Writer's share: a number from 1 to 100 was expected, got nan; correct the cell, or empty it"),
        ("CONTROL_MUTE_UNTIL", "24:00",
         "Mute until: a time of day such as 14:30 was expected, got '24:00'; correct the cell, or empty it"),
        ("CONTROL_REQUEST", -1.0,
         "Request no.: a whole number from 0 was expected, got -1; correct the cell, or empty it"),
        ("CONTROL_OI_LIMITS", "5 8 10 15",
         "OI limits 3 5 10 15 30 min: 5 numbers with spaces, from 0 to 1,000 such as 5 8 10 15 25 was expected, "
         "got '5 8 10 15'; correct the cell, or empty it"),
        ("CONTROL_OI_LIMITS", 5.0,
         "OI limits 3 5 10 15 30 min: 5 numbers with spaces, from 0 to 1,000 such as 5 8 10 15 25 was expected, "
         "got 5; correct the cell, or empty it"),
        ("CONTROL_CONFIRM", "ja", "Confirm STOP: YES was expected, got 'ja'; choose from the list"),
    ],
)  # fmt: skip
def test_a_cell_that_is_refused(name, cell, sentence):
    assert parsed(BY_NAME[name], cell) == Refusal(sentence)


def test_several_numbers_are_kept_in_one_form():
    limits = BY_NAME["CONTROL_OI_LIMITS"]
    assert parsed(limits, "  5 8.50   10 0 25 ") == "5 8.5 10 0 25"
    for wrong in ("5 8 10 15 -1", "5 8 10 15 1001", "5 8 10 15 25 30", "5 8 ten 15 25", "5,8,10,15,25"):
        assert isinstance(parsed(limits, wrong), Refusal)


def test_symbols_are_those_of_the_source():
    assert symbol(" m&m ", ["M&M", "INFY"]) == "M&M"
    assert symbol("M&MFIN", ["M&M"]) == ""
    assert symbol(7.0, ["7"]) == ""


def test_a_time_goes_back_into_its_cell_as_it_came():
    mute = BY_NAME["CONTROL_MUTE_UNTIL"]
    for minute in range(0, 1440, 7):
        assert parsed(mute, typed(mute, 60.0 * minute)) == 60.0 * minute


def test_limits_and_words_are_those_of_the_configuration():
    """What config.yaml refuses must not come in through a cell, and the other way round."""
    fields = {".".join(map(str, place)): field for place, field in every_key(configuration.Config)}
    seen = 0
    for setting in SETTINGS:
        if not setting.key:
            continue
        field = fields[setting.key.split()[0]]
        for own in (fields[key] for key in setting.key.split()):
            limits = {key: getattr(m, key) for m in own.metadata for key in ("ge", "le") if hasattr(m, key)}
            assert (setting.least, setting.most) == (limits.get("ge"), limits.get("le")), setting.name
        if setting.form is Form.WORD:
            words = ("YES", "NO") if field.annotation is bool else field.annotation.__args__
            assert setting.choices == words
        elif setting.form is Form.WHOLE:
            assert field.annotation is int
        seen += 1
    assert seen >= 9


def test_the_configured_value_of_an_empty_cell():
    config = configuration.defaults().model_dump(by_alias=True)
    expected = {"CONTROL_UNITS": "LAKH", "CONTROL_RESORT": 180.0, "CONTROL_COOL_DOWN": 1800.0, "CONTROL_SHARE": 10.0}
    assert {name: BY_NAME[name].configured(config) for name in expected} == expected
    for setting in SETTINGS:
        value = setting.configured(config)
        if setting.name not in PROTOCOL and value is not None:
            assert parsed(setting, value, symbols=["NIFTY", "SENSEX"]) == value


def test_every_setting_has_its_cell_in_its_group():
    cells = {cell.name: cell for cell in CONTROL.inputs}
    assert list(cells)[:-1] == [s.name for g in GROUPS for s in SETTINGS if s.group == g] == [s.name for s in SETTINGS]
    assert cells["CONTROL_WATCHLIST"].height == WATCHLIST_ROWS == 40
    assert cells["CONTROL_COMMAND"].choices == tuple(Command)
    assert all(cell.hint for cell in cells.values())
    assert cells[CONTROL_REQUEST].default == 0.0
    assert INDEX_NAMES == INDICES
    assert list(CHAIN_NAMES) == [PICKED, *INDICES, *HALF_NAMES]
    assert {name for name, cell in cells.items() if cell.offers} == {
        "CONTROL_SYMBOL", "CONTROL_OI_LEFT", "CONTROL_OI_RIGHT", "CONTROL_WATCHLIST",
    }  # fmt: skip


def test_what_is_typed_and_what_is_ours_stand_in_one_line():
    rows = {cell.name: cell.row for cell in CONTROL.inputs}
    said = set()
    for cell in (cell for cells in CONTROL.cells for cell in cells.cells):
        what, _, name = cell.source.partition(":")
        if name:
            assert cell.row == rows[name]
            said.add((what, name))
    assert {name for what, name in said if what == "control.answer"} == {setting.name for setting in SETTINGS}
