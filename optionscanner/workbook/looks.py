"""Colours and cell looks of the light template, by role. Data only.

A colour is never the only carrier of a meaning: a word, a sign or an arrow stands with it. Text stands at least 4.5 : 1
against its ground, and colours that mean opposite things differ for people who do not see red or green
(tests/test_looks.py).
"""

from __future__ import annotations

from typing import Any

from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import Role

FONT = "Calibri"
FONT_SIZE = 11

INK = "#1F2933"
MUTED = "#57636F"
LINE = "#E4E7EB"
STRONG_LINE = "#9AA5B1"
HEADER = "#E4E9F0"
BAND = "#F5F7FA"

CALL, CALL_TINT, CALL_BAR = "#B04E0A", "#FCEADD", "#F0B48A"
PUT, PUT_TINT, PUT_BAR = "#1F5FA8", "#DCE8F6", "#9DBEE6"
BULL, BULL_MIDDLE, BULL_TINT = "#177231", "#6CC0A4", "#C2EAE2"
BEAR, BEAR_MIDDLE, BEAR_TINT = "#B42318", "#F19A84", "#FDCFC0"
CAUTION = "#FFF1B8"
IDLE, IDLE_INK = "#ECEEF1", "#525D69"
IN_THE_MONEY = "#FFFBE6"
AT_THE_MONEY = "#BFEFF5"
PAIN = "#D3BEEF"
FLIP = "#F3E27A"
LATE = "#FFD98A"
STALE = "#DADFE4"
AS_OF = "#8A1C6B"
"""Ground of the words that say that the numbers are not of now."""
TRAIL = "#44546A"
CLOSED = "#B3BBC4"
NOTE = "#FFFDF0"

MODES = {
    "LIVE": BULL,
    "REPLAY": PUT,
    "SIMULATED": "#4B2A80",
    "CLOSED": MUTED,
    "ENGINE STOPPED": BEAR,
}
"""First word of the mode cell -> fill."""

Look = dict[str, Any]
"""Properties of a cell format, in XlsxWriter's words."""

BASE: Look = {"font_name": FONT, "font_size": FONT_SIZE, "font_color": INK, "valign": "vcenter"}

STYLES: dict[str, Look] = {
    "mode": {"bold": True, "font_color": "#FFFFFF", "bg_color": MUTED},
    "title": {"bold": True, "font_size": 13, "bg_color": BAND},
    "band": {"bg_color": BAND},
    "tick": {"bold": True, "bg_color": BAND},
    "note": {"font_color": "#52606D", "bg_color": BAND, "bottom": 1, "bottom_color": STRONG_LINE},
    "card": {"bold": True, "bg_color": HEADER, "font_color": INK, "indent": 1},
    "card-head": {"bg_color": HEADER, "font_color": MUTED, "align": "right", "font_size": 9},
    "label": {"font_color": "#52606D", "indent": 1},
    "caption": {"bold": True, "font_color": "#52606D"},
    "after": {"font_size": 9, "indent": 1},
    "chart-title": {"bold": True, "font_color": "#52606D", "font_size": 9, "valign": "bottom"},
    "text": {"bottom": 1, "bottom_color": LINE},
    "text-after": {"bottom": 1, "bottom_color": LINE, "indent": 1},
    "units": {"font_color": MUTED, "font_size": 9, "num_format": "@"},
    "legend": {"font_color": MUTED, "font_size": 9, "align": "right"},
    "legend-atm": {"bold": True, "font_size": 9, "align": "center", "top": 1, "bottom": 1},
    "legend-call": {"font_size": 9, "align": "center", "bg_color": CALL_TINT, "font_color": CALL},
    "legend-put": {"font_size": 9, "align": "center", "bg_color": PUT_TINT, "font_color": PUT},
    "legend-pain": {"font_size": 9, "align": "center", "bg_color": PAIN},
    "legend-flip": {"font_size": 9, "align": "center", "bg_color": FLIP},
    # Low in the cell, so that the mark of a note hides nothing of it.
    "header": {
        "bold": True, "bg_color": HEADER, "valign": "bottom", "bottom": 1, "bottom_color": STRONG_LINE,
    },
    "total": {"bold": True, "top": 1, "top_color": STRONG_LINE},
}
"""Looks of fixed words and of single cells."""

_HEADER_BY_ROLE: dict[Role, Look] = {
    Role.PLAIN: {},
    Role.CALL: {"bg_color": CALL_TINT, "font_color": CALL},
    Role.PUT: {"bg_color": PUT_TINT, "font_color": PUT},
    Role.STRIKE: {"bg_color": HEADER, "align": "center"},
}


def style(name: str) -> Look:
    """Look of a named style."""
    return {**BASE, **STYLES[name]}


def header(kind: Kind, role: Role, *, first: bool) -> Look:
    """Look of a header cell above a column; `first` of its table."""
    return {**BASE, **STYLES["header"], **_aligned(kind, first=first), **_HEADER_BY_ROLE[role], **_fitting(kind)}


def unit(kind: Kind, role: Role, *, first: bool) -> Look:
    """Look of the unit line above a header."""
    look = {**BASE, **STYLES["units"], **_aligned(kind, first=first), **_fitting(kind)}
    return look | {"align": "center"} if role is Role.STRIKE else look


def _fitting(kind: Kind) -> Look:
    """Words on the left may run on into the next cell; others have their own cell only."""
    return {} if kind.align == "left" else {"shrink": True}


def _aligned(kind: Kind, *, first: bool) -> Look:
    """Text keeps a distance from the number on its left."""
    return {"align": kind.align} | ({"indent": 1} if kind is Kind.TEXT and not first else {})


def body(kind: Kind, role: Role = Role.PLAIN, *, first: bool = True) -> Look:
    """Look of a value in a table."""
    look = {**value(kind), **_aligned(kind, first=first), "bottom": 1, "bottom_color": LINE}
    if role is Role.STRIKE:
        look |= {"align": "center", "bold": True, "left": 1, "right": 1, "left_color": LINE, "right_color": LINE}
    return look


def value(kind: Kind) -> Look:
    """Look of a value in a card."""
    look: Look = {**BASE, "num_format": kind.number_format, "align": kind.align}
    if kind.shrink:
        look["shrink"] = True
    return look
