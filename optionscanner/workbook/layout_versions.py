"""What earlier versions of the template had: so that a user's workbook of that version can be told what is new.

A sheet or name that is missing in a workbook is new where the workbook's version did not have it, and was removed by
the user where it did. Lists are literal: they must not follow later changes of the layout. Data only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FIRST_VERSION = "1"
"""Of a workbook that does not say its version."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """Sheets and defined names of one version of the template."""

    sheets: frozenset[str]
    names: frozenset[str]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _each(prefixes: str, suffixes: str) -> frozenset[str]:
    return frozenset(f"{prefix}_{suffix}" for prefix in prefixes.split() for suffix in suffixes.split())


_INDICES = "NIFTY BANKNIFTY FINNIFTY MIDCPNIFTY SENSEX"

_VERSION_1 = Earlier(
    sheets=_words(f"{_INDICES} ALERT_SUMMARY STOCKS_GROUPED SYSTEM_HEALTH NAMES"),
    names=_words(
        "alert_summary alert_summary_units alerts_feed alerts_feed_units ALERT_SUMMARY_band "
        "stocks stocks_units stocks_scan stocks_scan_units stocks_more stocks_more_units STOCKS_GROUPED_band "
        "health health_units completeness completeness_units worst_names worst_names_units events events_units "
        "SYSTEM_HEALTH_band NAMES_band AS_OF RUN_MODE UNITS INDIA_VIX REFRESH_INDEX REFRESH_STOCK LATE_REFRESHES "
        "STALE_REFRESHES STALE_AT_LEAST CYCLE"
    )
    | _each(
        _INDICES,
        "band head chain chain_units chain_window chain_total scan scan_units ignored ignored_units scan_full "
        "scan_full_units SPOT CHANGE CHANGE_PCT FUTURE FORWARD EXPIRY DAYS_LEFT ATM STRADDLE EXPECTED_MOVE ATM_IV PCR "
        "PCR_WINDOW PCR_VOLUME CALL_OI PUT_OI MAX_PAIN CALL_WALL PUT_WALL EWMA_NET EWMA_ATM EWMA_DELTA FLOW_PCT "
        "REGIME TRS ACTION DIRECTION PRICE_TIME OI_TIME",
    ),
)

_VERSION_2 = Earlier(
    sheets=_VERSION_1.sheets | _words("DRILLDOWN EOD_REPORT CONTROL EXAMPLES"),
    names=_VERSION_1.names
    | _words(
        "EOD_REPORT_band eod_head eod_indices eod_indices_units eod_levels eod_levels_units eod_signals "
        "eod_signals_units eod_up eod_up_units eod_down eod_down_units eod_bullish eod_bullish_units eod_bearish "
        "eod_bearish_units eod_alerts eod_alerts_units eod_alert_kinds eod_alert_kinds_units "
        "CONTROL_band control control_watched control_watched_units HEARTBEAT"
    )
    | _each(
        "CONTROL",
        "ACKNOWLEDGED COMMAND CONFIRM REQUEST UNITS REFRESH RESORT SYMBOL STRIKES SUMMARY_STOCKS WATCHLIST "
        "WATCHLIST_FIRST WATCHLIST_ONLY MIN_TRS DIRECTION MUTE_UNTIL COOL_DOWN INDEX_RATIO STOCK_RATIO "
        "MIN_CONTRACTS PERCENTILE SHARE",
    )
    | _each(f"CONTROL_{_INDICES} DRILLDOWN".replace(" ", " CONTROL_"), "EXPIRY")
    | _each(f"{_INDICES} DRILLDOWN", "trail trail_units")
    | _each(
        "DRILLDOWN",
        "band head chain chain_units chain_window chain_total scan scan_units ignored ignored_units scan_full "
        "scan_full_units",
    ),
)

_VERSION_3 = Earlier(
    sheets=_VERSION_2.sheets | _words("OI_TRACKER EXPOSURE"),
    names=_VERSION_2.names
    | _each(_INDICES, "GEX_CR GAMMA_REGIME GAMMA_FLIP CALL_GAMMA_WALL PUT_GAMMA_WALL DEX_CR VEX_CR CEX_CR")
    | _each("CONTROL", "OI_LEFT OI_LEFT_ANSWER OI_RIGHT OI_RIGHT_ANSWER OI_LIMITS OI_LIMITS_ANSWER")
    | _words(
        "EXPOSURE_band EXPOSURE_STRIKE EXPOSURE_TYPE exposure exposure_units exposure_head exposure_chart_title "
        "exposure_example exposure_participants exposure_participants_units exposure_strikes exposure_strikes_units "
        "OI_TRACKER_band"
    )
    | _each("oi_left oi_right", "chain chain_units head limits title total"),
)

RENEWED: Mapping[str, str] = {"DRILLDOWN": "DRILLDOWN_chain", "OI_TRACKER": "oi_left_chain"}
"""Sheet that was made anew under its old title -> a block that only its earlier form had."""

EARLIER: Mapping[str, Earlier] = {"1": _VERSION_1, "2": _VERSION_2, "3": _VERSION_3}
"""version -> what it had."""
