"""The settings of the CONTROL sheet, one by one: what each is called, what may be typed, what it does. Data only."""

from __future__ import annotations

from optionscanner.model.anchors import WINDOWS
from optionscanner.model.control import (
    ANY_DIRECTION,
    CHANGE,
    CONTROL_AS_OF,
    CONTROL_COMMAND,
    CONTROL_CONFIRM,
    CONTROL_OI_3M,
    CONTROL_OI_LEFT,
    CONTROL_OI_LIMITS,
    CONTROL_OI_RIGHT,
    CONTROL_OI_SHOW,
    CONTROL_REFRESH,
    CONTROL_REQUEST,
    CONTROL_SHARE,
    CONTROL_SYMBOL,
    DRILL_AS_OF,
    DRILL_EXPIRY,
    DRILL_SYMBOL,
    FILTER,
    HALF_NAMES,
    INDEX_NAMES,
    LIMITS,
    NO,
    NOW,
    PERCENT,
    PICK,
    RUN,
    SHOW,
    YES,
    Command,
    Expiry,
    Form,
    Setting,
    expiry_name,
)

_YES_NO = (YES, NO)

SETTINGS: tuple[Setting, ...] = (
    Setting(
        CONTROL_COMMAND, "Command", RUN, Form.WORD, choices=tuple(Command),
        hint="Choose one. It is obeyed at once, answered here, and the cell is emptied.",
    ),
    Setting(
        CONTROL_CONFIRM, "Confirm STOP", RUN, Form.WORD, choices=(YES,), hint="YES, before STOP is chosen.",
    ),
    Setting(
        CONTROL_REQUEST, "Request no.", RUN, Form.WHOLE, least=0, otherwise=0.0,
        hint="For macros: write a command, then add 1 here.",
    ),
    Setting(
        CONTROL_REFRESH, "Front refresh", RUN, Form.NUMBER, "s", least=0, most=300, otherwise=0.0,
        hint="Least seconds between two pictures on the sheets; 0 shows each cycle. Analytics and history go on.",
    ),
    Setting(
        "CONTROL_RESORT", "Re-sort", RUN, Form.NUMBER, "s", least=0, most=3600, key="workbook.resort_s",
        hint="Least seconds between two sorts of a ranked table.",
    ),
    Setting(
        "CONTROL_MUTE_UNTIL", "Mute until", RUN, Form.TIME, "session",
        hint="Each day until then, by the session's clock, alerts are stored and not told or listed; then they are.",
    ),
    Setting(
        CONTROL_SHARE, "Writer's share", RUN, Form.NUMBER, "%", least=1, most=100,
        key="workbook.share_pct",
        hint="Most of the spreadsheet's time that writing may take, per cent. Without a spreadsheet it means nothing.",
    ),
    Setting(
        "CONTROL_UNITS", "Units", SHOW, Form.WORD, choices=("LAKH", "CONTRACTS", "UNITS"), key="workbook.units",
        hint="What sheets show open interest and volume in. Names for formulas stay in units.",
    ),
    Setting(
        "CONTROL_STRIKES", "Strikes each side of ATM", SHOW, Form.WHOLE, "strikes", least=1, most=10,
        key="workbook.strikes", hint="On the sheets of indices and of the picked symbol.",
    ),
    Setting(
        CONTROL_OI_SHOW, "OI_TRACKER shows", SHOW, Form.WORD, choices=(PERCENT, CHANGE), key="workbook.oi_show",
        hint="Open interest against earlier in per cent, or its change in the units above.",
    ),
    Setting(
        CONTROL_OI_3M, "OI_TRACKER 3 minutes", SHOW, Form.WORD, choices=_YES_NO, key="workbook.oi_3m",
        hint="Whether the window of 3 minutes is shown: it holds one publication of the exchange or none.",
    ),
    Setting(
        "CONTROL_SUMMARY_STOCKS", "Stocks on ALERT_SUMMARY", SHOW, Form.WHOLE, "stocks", least=0, most=25,
        key="workbook.summary_stocks", hint="Below the five indices.",
    ),
    Setting(
        "CONTROL_WATCHLIST_FIRST", "Watchlist first", SHOW, Form.WORD, choices=_YES_NO, otherwise=YES,
        hint="Whether names of the watchlist stand before the other stocks on ALERT_SUMMARY.",
    ),
    Setting(
        CONTROL_SYMBOL, "Symbol of DRILLDOWN", PICK, Form.SYMBOL,
        hint="A stock or an index of the source, whose chain DRILLDOWN shows. Empty: the watchlist's first.",
    ),
    Setting(
        expiry_name("DRILLDOWN"), "DRILLDOWN expiry", PICK, Form.WORD, choices=tuple(Expiry),
        otherwise=Expiry.THIS.value, hint="Expiry that the sheet shows.",
    ),
    Setting(
        CONTROL_AS_OF, "DRILLDOWN as of", PICK, Form.MOMENT, otherwise=NOW,
        hint="now, or a time of today: DRILLDOWN shows the picture of that moment, from the history, until it is "
        "set to now again.",
    ),
    Setting(
        CONTROL_OI_LEFT, "OI_TRACKER left", PICK, Form.SYMBOL, key="workbook.oi_left",
        hint="A stock or an index of the source, of any exchange.",
    ),
    Setting(
        CONTROL_OI_RIGHT, "OI_TRACKER right", PICK, Form.SYMBOL, key="workbook.oi_right",
        hint="A stock or an index of the source, of any exchange.",
    ),
    *(
        Setting(
            expiry_name(half), f"OI_TRACKER {side} expiry", PICK, Form.WORD, choices=tuple(Expiry),
            otherwise=Expiry.THIS.value, hint="Expiry that this side shows.",
        )
        for half, side in zip(HALF_NAMES, ("left", "right"), strict=True)
    ),
    *(
        Setting(
            expiry_name(index), f"{index} expiry", PICK, Form.WORD, choices=tuple(Expiry), otherwise=Expiry.THIS.value,
            hint="Expiry that the sheet shows. TRS, alerts and names for formulas stay with the nearest.",
        )
        for index in INDEX_NAMES
    ),
    Setting(
        "CONTROL_MIN_TRS", "Minimum TRS", FILTER, Form.NUMBER, "0-100", least=0, most=100, otherwise=0.0,
        hint="STOCKS_GROUPED leaves out stocks below it; 0 keeps all.",
    ),
    Setting(
        "CONTROL_DIRECTION", "Direction", FILTER, Form.WORD, choices=(ANY_DIRECTION, "BULLISH", "BEARISH"),
        otherwise=ANY_DIRECTION, hint="STOCKS_GROUPED lists only stocks of this direction.",
    ),
    Setting(
        "CONTROL_WATCHLIST_ONLY", "Watchlist only", FILTER, Form.WORD, choices=_YES_NO, otherwise=NO,
        hint="STOCKS_GROUPED lists only names of the watchlist.",
    ),
    Setting(
        "CONTROL_INDEX_RATIO", "Vol/OI of index options", LIMITS, Form.NUMBER, "ratio", least=0, most=1000,
        key="activity.index_ratio", hint="Volume over open interest from which a leg is an event.",
    ),
    Setting(
        "CONTROL_STOCK_RATIO", "Vol/OI of stock options", LIMITS, Form.NUMBER, "ratio", least=0, most=1000,
        key="activity.stock_ratio", hint="Volume over open interest from which a leg is an event.",
    ),
    Setting(
        "CONTROL_MIN_CONTRACTS", "Least volume", LIMITS, Form.NUMBER, "contracts", least=0, most=10_000_000,
        key="activity.min_contracts", hint="Volume of the day below which no leg is an event.",
    ),
    Setting(
        "CONTROL_PERCENTILE", "Least percentile", LIMITS, Form.NUMBER, "0-100", least=0, most=100,
        key="activity.percentile", hint="Within the chain at this moment; 0 switches the test off.",
    ),
    Setting(
        CONTROL_OI_LIMITS, "OI limits 3 5 10 15 30 min", LIMITS, Form.NUMBERS, "%", least=0, most=1000,
        key=" ".join(f"windows.limit_{minutes}_pct" for minutes in WINDOWS),
        hint="Change of a leg's open interest beyond which OI_TRACKER marks it; 0 marks none.",
    ),
    Setting(
        "CONTROL_COOL_DOWN", "Alert cool-down", LIMITS, Form.NUMBER, "s", least=0, most=86_400,
        key="alerts.cool_down_s", hint="Least seconds between two alerts of one kind and name.",
    ),
)  # fmt: skip
"""Every setting in the order of the sheet; the watchlist stands beside them."""

TWINS = {DRILL_SYMBOL: CONTROL_SYMBOL, DRILL_EXPIRY: expiry_name("DRILLDOWN"), DRILL_AS_OF: CONTROL_AS_OF}
"""Cell of another sheet -> the cell of CONTROL that it stands for: what is typed into one is put into the other."""
