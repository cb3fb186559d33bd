"""Colours: text that can be read, roles that people who see no red or no green can tell apart."""

import itertools

import numpy as np
import pytest

from optionscanner.workbook import looks

# Luminance and contrast: Web Content Accessibility Guidelines 2.1, "relative luminance" and "contrast ratio";
# success criterion 1.4.3 asks 4.5 : 1 of text.
READABLE = 4.5
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])

# What people without one kind of cones see, on linear RGB: Machado, Oliveira, Fernandes, "A Physiologically-based Model
# for Simulation of Color Vision Deficiency", IEEE TVCG 15 (2009), tables for severity 1.0.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": np.array([
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998],
    ]),
    "deuteranopia": np.array([
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881],
    ]),
}  # fmt: skip

# CIE 1976 colour difference in L*a*b* (D65); about 2.3 is just noticeable side by side.
CLEAR = 10.0
TO_XYZ = np.array([
    [0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041],
])  # fmt: skip
WHITE_POINT = np.array([0.95047, 1.0, 1.08883])

WHITE = "#FFFFFF"
PAPER = (WHITE, looks.BAND, looks.IN_THE_MONEY)
"""What numbers and words stand on where no meaning tints them."""

TEXTS = [
    *((ink, ground) for ink in (looks.INK, looks.BULL, looks.BEAR) for ground in PAPER),
    *((looks.INK, ground) for ground in (looks.HEADER, looks.CAUTION, looks.LATE, looks.PAIN)),
    *((looks.CALL, ground) for ground in (WHITE, looks.CALL_TINT)),
    *((looks.PUT, ground) for ground in (WHITE, looks.PUT_TINT)),
    *((looks.MUTED, ground) for ground in (WHITE, looks.HEADER)),
    (looks.BULL, looks.BULL_TINT), (looks.BEAR, looks.BEAR_TINT),
    (looks.INK, looks.BULL_MIDDLE), (looks.INK, looks.BEAR_MIDDLE),
    (WHITE, looks.BULL), (WHITE, looks.BEAR),
    (looks.IDLE_INK, looks.IDLE), (looks.IDLE_INK, looks.STALE),
    *((WHITE, fill) for fill in looks.MODES.values()),
    *((look["font_color"], look.get("bg_color", WHITE)) for look in looks.STYLES.values() if "font_color" in look),
]  # fmt: skip

APART = [
    (looks.CALL, looks.PUT), (looks.CALL_TINT, looks.PUT_TINT), (looks.CALL_BAR, looks.PUT_BAR),
    (looks.BULL, looks.BEAR), (looks.BULL_TINT, looks.BEAR_TINT),
    (looks.BULL, looks.BULL_MIDDLE), (looks.BULL_MIDDLE, looks.BULL_TINT),
    (looks.BEAR, looks.BEAR_MIDDLE), (looks.BEAR_MIDDLE, looks.BEAR_TINT), (looks.BULL_MIDDLE, looks.BEAR_MIDDLE),
    (looks.BULL_TINT, looks.CAUTION), (looks.BEAR_TINT, looks.CAUTION), (looks.CAUTION, looks.IDLE),
    (looks.LATE, looks.STALE), (looks.LATE, looks.CAUTION), (looks.LATE, WHITE), (looks.STALE, WHITE),
    (looks.PAIN, looks.CALL_TINT), (looks.PAIN, looks.PUT_TINT),
    *itertools.combinations(looks.MODES.values(), 2),
]  # fmt: skip


def linear(colour: str) -> np.ndarray:
    """Linear RGB, 0-1, of an sRGB colour."""
    coded = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255.0
    return np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    dark, light = sorted(float(LUMINANCE @ linear(colour)) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    ratio = TO_XYZ @ rgb / WHITE_POINT
    x, y, z = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def difference(one: str, other: str, sight: str) -> float:
    seen = (lab(np.clip(SIGHT[sight] @ linear(colour), 0.0, 1.0)) for colour in (one, other))
    return float(np.linalg.norm(next(seen) - next(seen)))


def test_the_measures_themselves():
    """Black on white is 21 : 1 and 100 apart; #777777 on white is the well-known near miss of 4.48 : 1."""
    assert contrast("#000000", WHITE) == pytest.approx(21.0)
    assert contrast("#777777", WHITE) == pytest.approx(4.48, abs=0.005)
    assert difference("#000000", WHITE, "normal") == pytest.approx(100.0, abs=0.01)


def test_pure_red_and_green_are_alike_to_those_who_see_no_green_but_for_their_lightness():
    """Else the simulation would find nothing."""
    seen = [lab(np.clip(SIGHT["deuteranopia"] @ linear(colour), 0, 1)) for colour in ("#C00000", "#007000")]
    assert abs(seen[0][1] - seen[1][1]) < 15 < abs(lab(linear("#C00000"))[1] - lab(linear("#007000"))[1])


@pytest.mark.parametrize(("ink", "ground"), sorted(set(TEXTS)))
def test_text_can_be_read(ink, ground):
    assert contrast(ink, ground) >= READABLE


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize(("one", "other"), APART)
def test_roles_that_stand_side_by_side_can_be_told_apart(one, other, sight):
    assert difference(one, other, sight) >= CLEAR
