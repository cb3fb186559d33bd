"""EXAMPLES: formulas of the kind a user writes, hooked onto names and onto tables by header. Data only.

The template writes the sheet once. It holds no block: the program never writes there, and the user may change it,
copy from it or delete it.
"""

from __future__ import annotations

from optionscanner.workbook.formats import Kind
from optionscanner.workbook.grid import Formula, Sheet, Text

_QUESTION, _ANSWER, _WRITTEN = 1, 2, 3
_WIDTHS = (76.0, 20.0, 160.0)
_HEADER = 4

_BY_NAME = (
    ("Where do these numbers come from: LIVE, REPLAY or SIMULATED?", "=RUN_MODE", Kind.TEXT),
    ("As of when are they, on the session's clock?", "=AS_OF", Kind.DATE_TIME),
    ("How far is NIFTY above (+) or below (-) its maximum pain? [points]", "=NIFTY_SPOT-NIFTY_MAX_PAIN", Kind.CHANGE),
    ("How much of the expected move to expiry has NIFTY used today? [%]",
     "=IF(N(NIFTY_EXPECTED_MOVE)=0,\"\",100*ABS(NIFTY_CHANGE)/NIFTY_EXPECTED_MOVE)", Kind.SHARE),
    ("Where would a straddle bought now break even, above? [points]", "=NIFTY_ATM+NIFTY_STRADDLE", Kind.PRICE),
    ("... and below?", "=NIFTY_ATM-NIFTY_STRADDLE", Kind.PRICE),
    ("By how much does put open interest exceed that of calls in BANKNIFTY? [lakh]",
     "=(BANKNIFTY_PUT_OI-BANKNIFTY_CALL_OI)/100000", Kind.CHANGE),
    ("Is NIFTY between its put wall and its call wall?",
     '=IF(COUNT(NIFTY_SPOT,NIFTY_PUT_WALL,NIFTY_CALL_WALL)<3,"",'
     'IF(AND(NIFTY_SPOT>=NIFTY_PUT_WALL,NIFTY_SPOT<=NIFTY_CALL_WALL),"inside","outside"))', Kind.TEXT),
    ("Which way is SENSEX ready, if at all?", '=IF(N(SENSEX_TRS)>=60,SENSEX_DIRECTION,"not ready")', Kind.TEXT),
    ("Do NIFTY and BANKNIFTY agree?",
     '=IF(OR(NIFTY_REGIME="",BANKNIFTY_REGIME=""),"",'
     'IF(NIFTY_REGIME=BANKNIFTY_REGIME,"both "&NIFTY_REGIME,"they differ"))',
     Kind.TEXT),
    ("How old is the open interest of NIFTY? [minutes]",
     '=IF(N(NIFTY_OI_TIME)=0,"",(AS_OF-NIFTY_OI_TIME)*1440)', Kind.SHARE),
)  # fmt: skip

_STOCK = "RELIANCE"

# The first row of a table's name is its header line, so a column is found by its header wherever it stands.
_BY_HEADER = (
    (f"What is the TRS of {_STOCK}? [0-100]",
     f'=IFERROR(INDEX(stocks,MATCH("{_STOCK}",INDEX(stocks,0,MATCH("Symbol",INDEX(stocks,1,0),0)),0),'
     'MATCH("TRS",INDEX(stocks,1,0),0)),"")', Kind.SCORE),
    ("Which stock stands first in the ranking?",
     '=IFERROR(INDEX(stocks,MATCH(1,INDEX(stocks,0,MATCH("Rank",INDEX(stocks,1,0),0)),0),'
     'MATCH("Symbol",INDEX(stocks,1,0),0)),"")',
     Kind.TEXT),
    ("How many stocks are BULLISH by their flow?",
     '=COUNTIF(INDEX(stocks,0,MATCH("Regime",INDEX(stocks,1,0),0)),"BULLISH")', Kind.COUNT),
    ("How many stocks are at least NORMAL (TRS from 60)?",
     '=COUNTIF(INDEX(stocks,0,MATCH("TRS",INDEX(stocks,1,0),0)),">=60")', Kind.COUNT),
    ("What do the flows (EWMA_ATM) of all BULLISH stocks sum up to? [as UNITS says]",
     '=SUMIFS(INDEX(stocks,0,MATCH("EWMA_ATM",INDEX(stocks,1,0),0)),INDEX(stocks,0,MATCH("Regime",INDEX(stocks,1,0),0)),'
     '"BULLISH")', Kind.CHANGE),
    ("How many events of the volume/OI scan are puts written that count?",
     '=COUNTIFS(INDEX(stocks_scan,0,MATCH("Type",INDEX(stocks_scan,1,0),0)),"PE",'
     'INDEX(stocks_scan,0,MATCH("Signal",INDEX(stocks_scan,1,0),0)),"WRITE valid")', Kind.COUNT),
    ("What is the open interest of the calls shown on the NIFTY sheet? [as UNITS says]",
     '=SUM(INDEX(NIFTY_chain,0,MATCH("OI",INDEX(NIFTY_chain,1,0),0)))', Kind.PRICE),
    ("What was the highest PCR of NIFTY today?",
     '=IF(COUNT(INDEX(NIFTY_trail,0,MATCH("PCR",INDEX(NIFTY_trail,1,0),0)))=0,"",'
     'MAX(INDEX(NIFTY_trail,0,MATCH("PCR",INDEX(NIFTY_trail,1,0),0))))', Kind.RATIO),
    ("How many of the indices are BULLISH by their flow?",
     '=COUNTIFS(INDEX(alert_summary,0,MATCH("Type",INDEX(alert_summary,1,0),0)),"Index",'
     'INDEX(alert_summary,0,MATCH("Regime",INDEX(alert_summary,1,0),0)),"BULLISH")', Kind.COUNT),
)  # fmt: skip


def _lines() -> tuple[tuple[int, str, str, Kind], ...]:
    """(row, question, formula, kind of its answer); a blank line and a title lie between the two groups."""
    first = [(_HEADER + 1 + i, *line) for i, line in enumerate(_BY_NAME)]
    start = first[-1][0] + 3
    return (*first, *((start + i, *line) for i, line in enumerate(_BY_HEADER)))


_LINES = _lines()
_SECOND = _LINES[len(_BY_NAME)][0] - 1

EXAMPLES = Sheet(
    name="EXAMPLES",
    title="Formulas to copy",
    widths=_WIDTHS,
    texts=(
        Text(1, 1, "Formulas to copy", "title"),
        Text(1, 2, "", "title"),
        Text(1, 3, "This sheet is yours: change it, copy from it, delete it. The program never writes here.", "band"),
        Text(2, 1, "The answers follow the other sheets. Blank means that there is no value yet; why is said there.",
             "label"),
        *(Text(row, column, head, "header")
          for row, heads in (
              (_HEADER, ("By name: see the sheet NAMES", "Answer", "Formula")),
              (_SECOND, ("By table and header: wherever the column stands, in whatever order the rows are", "Answer",
                         "Formula")),
          )
          for column, head in enumerate(heads, 1)),
        *(Text(row, _QUESTION, question, "text") for row, question, _, _ in _LINES),
        *(Text(row, _WRITTEN, formula, "text-after") for row, _, formula, _ in _LINES),
    ),
    formulas=tuple(Formula(row, _ANSWER, formula, kind) for row, _, formula, kind in _LINES),
    freeze=(_HEADER, 1),
)  # fmt: skip
