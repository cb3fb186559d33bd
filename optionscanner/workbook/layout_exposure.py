"""EXPOSURE: dealer exposure of the market, one strike worked out by cell formulas, participants, a chart. Data only.

The worked example is of the name and expiry that DRILLDOWN shows. Its strike and type are picked beside it; what it
takes from the ladder on the right it looks up by header, so the program has no part in the check.
"""

from __future__ import annotations

from dataclasses import dataclass

from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import (
    Cells,
    Column,
    Formula,
    Input,
    Role,
    Sheet,
    Table,
    Text,
    Value,
    band,
    side_by_side,
)

EXPOSURE_ROWS = 300
"""Rows kept ready: the market, indices with their expiries, some 210 stocks."""
LADDER_SIDE = 30
"""Strikes on each side of the money in the ladder that the chart draws."""
PICK_STRIKE, PICK_TYPE = "EXPOSURE_STRIKE", "EXPOSURE_TYPE"
"""Defined names of the two cells that pick the worked leg."""

_HEADER_ROW = 6
_LOW = 13.5
"""Points of the rows below the headers: 18 pixels."""
_CRORE = "₹ crore"

_MARKET = (
    Column("Underlying", 13, "exposure.name", Kind.TEXT, note="a name, or MARKET, INDICES, STOCKS: the sum of these"),
    Column("Expiry", 9, "exposure.expiry", Kind.DATE, note="expiry of the row; all 3 = the next three summed"),
    Column("GEX", 9, "exposure.gex", Kind.CRORE, "₹ cr / 1 %"),
    Column("GEX pct", 7, "exposure_rank.gex_percentile", Kind.SCORE, "0-100"),
    Column("Days", 5, "exposure_rank.sessions", Kind.COUNT, "of 60"),
    Column("GEX/T %", 7, "exposure_rank.gex_turnover_pct", Kind.PERCENT, "turnover"),
    Column("Share %", 7, "exposure.gex_share_pct", Kind.PERCENT, "of gamma"),
    Column("Regime", 9, "exposure.regime", Kind.WORD),
    Column("Flip", 9, "exposure.gamma_flip", Kind.PRICE, "₹ or points"),
    Column("Flip %", 6, "exposure.gamma_flip_distance_pct", Kind.PERCENT, "of spot"),
    Column("Call γ wall", 8, "exposure.call_gamma_wall", Kind.STRIKE, "₹", Role.CALL),
    Column("Put γ wall", 8, "exposure.put_gamma_wall", Kind.STRIKE, "₹", Role.PUT),
    Column("Call OI wall", 8, "open_interest.call_wall", Kind.STRIKE, "₹", Role.CALL),
    Column("Put OI wall", 8, "open_interest.put_wall", Kind.STRIKE, "₹", Role.PUT),
    Column("DEX", 8, "exposure.dex", Kind.CRORE, "₹ cr"),
    Column("VEX", 8, "exposure.vex", Kind.CRORE, "₹ cr / point"),
    Column("CEX", 8, "exposure.cex", Kind.CRORE, "₹ cr / day"),
    Column("OI time", 8, "exposure.open_interest_time", Kind.TIME, "IST"),
    Column("Status", 9, "exposure.status", Kind.TEXT),
)

_OI_CLOSE = "at the previous session's close"
_PARTICIPANTS = (
    Column("Participant", 16, "participant.name", Kind.TEXT, "index options",
           note="category of the exchange's participant-wise file"),
    *(
        # The worked example above has its numbers in the third column.
        Column(f"{side} {what}", 11 if (side, what) == ("Call", "short") else 10,
               f"participant.{side.lower()}_{what}", Kind.COUNT, "contracts", role,
               note=f"index {side.lower()}s, {what}: contracts {_OI_CLOSE}")
        for side, role in (("Call", Role.CALL), ("Put", Role.PUT))
        for what in ("long", "short", "net")
    ),
    Column("Future net", 9, "participant.future_net", Kind.COUNT, "contracts",
           note=f"index futures, long less short: contracts {_OI_CLOSE}"),
)  # fmt: skip

_LADDER = (
    Column("Strike", 9, "ladder.strike", Kind.STRIKE, "₹", Role.STRIKE, note="listed strikes around the money"),
    Column("Call OI", 12, "ladder.call_open_interest", Kind.COUNT, "units", Role.CALL, note="open interest now, units"),
    Column("Put OI", 12, "ladder.put_open_interest", Kind.COUNT, "units", Role.PUT, note="open interest now, units"),
    Column("IV", 9, "ladder.volatility", Kind.EXACT, "decimal", note="the strike's volatility, decimal a year"),
    Column("Gamma", 12, "ladder.gamma", Kind.EXACT, "1/₹",
           note="change of delta for ₹1 of the forward, call and put alike"),
    Column("Call GEX", 10, "ladder.call_gex", Kind.CRORE, "₹ cr / 1 %", Role.CALL,
           note="₹ crore per 1 %, signed by the convention"),
    Column("Put GEX", 10, "ladder.put_gex", Kind.CRORE, "₹ cr / 1 %", Role.PUT,
           note="₹ crore per 1 %, signed by the convention"),
    Column("Net GEX", 10, "ladder.net_gex", Kind.CRORE, "₹ cr / 1 %", note="both sides of the strike, ₹ crore per 1 %"),
    Column("Net DEX", 10, "ladder.net_dex", Kind.CRORE, "₹ cr", note="hedge that dealers hold, ₹ crore"),
    Column("Net VEX", 10, "ladder.net_vex", Kind.CRORE, "₹ cr / point",
           note="what dealers buy when volatility rises one point, ₹ crore"),
    Column("Net CEX", 10, "ladder.net_cex", Kind.CRORE, "₹ cr / day",
           note="what dealers buy as a calendar day passes, ₹ crore"),
)  # fmt: skip

_RIGHT = len(_MARKET) + 2
_LADDER_COLUMN = _RIGHT + len(_PARTICIPANTS) + 1
_ON_SCREEN = _LADDER_COLUMN - 2
_WIDTHS = side_by_side(_MARKET, _PARTICIPANTS, _LADDER)

# The worked example: label, picked, number, unit, source.
_LABEL, _PICKED, _NUMBER, _UNIT, _FROM = _RIGHT, _RIGHT + 1, _RIGHT + 2, _RIGHT + 3, _RIGHT + 5
_FIRST = _HEADER_ROW + 1


@dataclass(frozen=True, slots=True)
class _Factor:
    """One line of the worked example: a value of ours or a formula."""

    key: str
    label: str
    kind: Kind
    unit: str
    origin: str
    formula: str = ""
    """With the keys of other lines in braces; "" where the program writes the value."""


def _letters(column: int) -> str:
    """Letters of one of the first 702 columns."""
    first, last = divmod(column - 1, 26)
    return (chr(64 + first) if first else "") + chr(65 + last)


def _looked_up(header: str) -> str:
    """Formula for a column of the ladder at the strike in force, found by its header."""
    columns = "INDEX(exposure_strikes,1,0)"
    row = f'MATCH({{strike}},INDEX(exposure_strikes,0,MATCH("Strike",{columns},0)),0)'
    return f"=IFERROR(INDEX(exposure_strikes,{row},MATCH({header},{columns},0)),\"\")"


def _if_known(formula: str, *needed: str) -> str:
    """The formula where all these lines hold numbers, else blank."""
    keys = ",".join(f"{{{key}}}" for key in needed)
    return f'=IF(COUNT({keys})<{len(needed)},"",{formula})'


_SIDE_OI = '{type}&" OI"'
_SIDE_GEX = '{type}&" GEX"'
_D1 = "(LN({forward}/{strike})/({iv}*SQRT({time}))+{iv}*SQRT({time})/2)"

_FACTORS = (
    _Factor("name", "Name, expiry", Kind.TEXT, "", "what DRILLDOWN shows"),
    _Factor("spot", "Spot", Kind.PRICE, "₹", "source; not used below"),
    _Factor("forward", "Forward F", Kind.EXACT, "₹", "future, parity or carry"),
    _Factor("atm", "ATM strike", Kind.STRIKE, "₹", "listed strike nearest spot"),
    _Factor("strike", "Strike K: pick one", Kind.STRIKE, "₹", "in the table right; empty: ATM",
            f"=IF(N({PICK_STRIKE})=0,N({{atm}}),{PICK_STRIKE})"),
    _Factor("type", "Type: pick one", Kind.TEXT, "", "CE or PE; empty: CE",
            f'=IF(LEFT({PICK_TYPE},1)="P","Put","Call")'),
    _Factor("lot", "Lot size", Kind.COUNT, "units", "contract data"),
    _Factor("units", "Open interest", Kind.COUNT, "units", "source", _looked_up(_SIDE_OI)),
    _Factor("contracts", "Open interest", Kind.COUNT, "contracts", "units / lot size",
            _if_known("{units}/{lot}", "units", "lot")),
    _Factor("time", "Time T", Kind.EXACT, "years", "to 15:30 on expiry, ACT/365"),
    _Factor("rate", "Rate r", Kind.EXACT, "decimal", "rates of config.yaml"),
    _Factor("iv", "Volatility σ", Kind.EXACT, "decimal", "out-of-the-money side", _looked_up('"IV"')),
    _Factor("gamma", "Gamma", Kind.EXACT, "1/₹", "the program", _looked_up('"Gamma"')),
    _Factor("own_gamma", "Gamma by formula", Kind.EXACT, "1/₹", "e^(-rT) n(d1) / (F σ √T)",
            # In a spreadsheet -x^2 is (-x)^2, hence the brackets.
            _if_known(f"EXP(-{{rate}}*{{time}})*EXP(-({_D1}^2)/2)/SQRT(2*PI())/({{forward}}*{{iv}}*SQRT({{time}}))",
                      "rate", "time", "forward", "iv", "strike")),
    _Factor("call_sign", "Sign of a call", Kind.CHANGE, "", "the convention above"),
    _Factor("square", "F² · 0.01", Kind.EXACT, "₹²", "a move of 1 %",
            _if_known("{forward}*{forward}*0.01", "forward")),
    _Factor("rupees", "GEX by formula", Kind.GAMMA, "₹ crore / 1 %", "sign·gamma·units·F²·0.01 / 10⁷",
            _if_known('IF({type}="Call",1,-1)*{call_sign}*({gamma}*{units}*{square}/10000000)',
                      "call_sign", "gamma", "units", "square")),
    _Factor("engine", "GEX of the program", Kind.GAMMA, "₹ crore / 1 %", "the same leg in the table",
            _looked_up(_SIDE_GEX)),
    _Factor("difference", "Difference", Kind.SHARE, "₹ crore / 1 %", "must be 0.0",
            _if_known("{rupees}-{engine}", "rupees", "engine")),
)  # fmt: skip

_ROW_OF = {factor.key: _FIRST + i for i, factor in enumerate(_FACTORS)}
_PLACES = {key: f"${_letters(_NUMBER)}${row}" for key, row in _ROW_OF.items()}
_AFTER_EXAMPLE = _FIRST + len(_FACTORS)
CHART_ROW, CHART_COLUMN = _AFTER_EXAMPLE + 1, _RIGHT
CHART_PIXELS = (640, 234)
_PARTICIPANTS_ROW = CHART_ROW + 16

_EXPOSURE = Table("exposure", _HEADER_ROW, 1, _MARKET, EXPOSURE_ROWS)
_STRIKES = Table("exposure_strikes", _HEADER_ROW, _LADDER_COLUMN, _LADDER, 2 * LADDER_SIDE + 1)

EXPOSURE = Sheet(
    name="EXPOSURE",
    title="Dealer exposure",
    widths=_WIDTHS,
    tables=(
        _EXPOSURE,
        Table("exposure_participants", _PARTICIPANTS_ROW, _RIGHT, _PARTICIPANTS, 4),
        _STRIKES,
    ),
    cells=(
        band("EXPOSURE", _WIDTHS[:_ON_SCREEN]),
        Cells("exposure_head", (
            Value(4, 1, "example.convention", Kind.TEXT),
            Value(4, _RIGHT, "example.participants", Kind.TEXT),
        )),
        # Of its own: single cells of a block may be written with what lies between, and headers with notes lie there.
        Cells("exposure_chart_title", (Value(_AFTER_EXAMPLE, _RIGHT, "example.chart_title", Kind.TEXT),)),
        Cells("exposure_example", tuple(
            Value(_ROW_OF[factor.key], _NUMBER, f"example.{factor.key}", factor.kind)
            for factor in _FACTORS if not factor.formula
        )),
    ),
    inputs=(
        Input(PICK_STRIKE, _ROW_OF["strike"], _PICKED, Kind.STRIKE, offers=(_STRIKES.name, "ladder.strike"),
              hint="A strike of the ladder on the right. Empty: the one at the money."),
        Input(PICK_TYPE, _ROW_OF["type"], _PICKED, Kind.TEXT, choices=("CE", "PE"), hint="CE or PE. Empty: CE."),
    ),
    texts=(
        Text(5, _RIGHT, "One leg worked out: pick it in the two tinted cells", "caption"),
        *(Text(_HEADER_ROW, column, {_LABEL: "Factor", _NUMBER: "Number", _UNIT: "In", _FROM: "From"}.get(column, ""),
               "header")
          for column in range(_RIGHT, _LADDER_COLUMN - 1)),
        *(Text(_ROW_OF[f.key], _LABEL, f.label, "label") for f in _FACTORS),
        *(Text(_ROW_OF[f.key], _UNIT, f.unit, "label") for f in _FACTORS if f.unit),
        *(Text(_ROW_OF[f.key], _FROM, f.origin, "label") for f in _FACTORS),
        Text(_PARTICIPANTS_ROW - 2, _RIGHT, "What participants held, as disclosed by the exchange", "caption"),
    ),
    formulas=tuple(
        Formula(_ROW_OF[f.key], _NUMBER, f.formula.format(**_PLACES), f.kind) for f in _FACTORS if f.formula
    ),
    freeze=(_HEADER_ROW, 1),
    screen=(_AFTER_EXAMPLE, _ON_SCREEN),
    heights=dict.fromkeys(range(_FIRST, _FIRST + 60), _LOW),
)  # fmt: skip
