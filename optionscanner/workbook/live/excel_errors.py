"""What an exception out of Excel means: it refuses for the moment, or it (or the workbook) is gone. Pure.

Over COM a refusal comes as one of three codes, and pywin32 turns some into AttributeError, which xlwings reports as
ExcelBusyError. Over AppleScript it comes as an error number.
"""

from __future__ import annotations

from typing import Any

from optionscanner.workbook.live.front import FrontBusy, FrontLost

RPC_E_CALL_REJECTED = -2147418111
"""0x80010001: a cell is being edited, a dialog is open."""
RPC_E_SERVERCALL_RETRYLATER = -2147417846
"""0x8001010A."""
DISP_E_EXCEPTION = -2147352567
"""0x80020009: the reason is in the inner code."""
VBA_E_IGNORE = -2146777998
"""0x800AC472, inside DISP_E_EXCEPTION: Excel ignores the call for now."""
RPC_E_DISCONNECTED = -2147417848
"""0x80010108: the workbook was closed."""
RPC_S_SERVER_UNAVAILABLE = -2147023174
"""0x800706BA: the program ended."""
RPC_S_CALL_FAILED = -2147023170
"""0x800706BE: it ended during the call."""
CO_E_OBJNOTCONNECTED = -2147220995
"""0x800401FD: the object is not connected to its program any more."""

_BUSY = frozenset({RPC_E_CALL_REJECTED, RPC_E_SERVERCALL_RETRYLATER})
_GONE = frozenset({RPC_E_DISCONNECTED, RPC_S_SERVER_UNAVAILABLE, RPC_S_CALL_FAILED, CO_E_OBJNOTCONNECTED})
_OBJECT_REQUIRED = -2146827864
"""0x800A01A8, inside DISP_E_EXCEPTION: the workbook behind the object was closed."""

_MAC_BUSY = frozenset({-1712, -10001, -10004})
"""Time-out of an event; cannot be done while the user edits."""
_MAC_GONE = frozenset({-600, -609, -1728})
"""The application is not running; the connection is invalid; no such object."""
_MAC_REFUSED = -1743
"""The user has not allowed this program to control Excel."""


def meaning(error: BaseException) -> FrontBusy | FrontLost | None:
    """FrontBusy, FrontLost, or None where the exception is something else."""
    if type(error).__name__ == "ExcelBusyError":
        return _busy()
    number = getattr(error, "errornumber", None)
    if isinstance(number, int):
        return _busy() if number in _MAC_BUSY else _lost() if number in _MAC_GONE else _not_allowed(number)
    code = getattr(error, "hresult", None)
    if not isinstance(code, int):
        return None
    inner = _inner(error)
    if code in _BUSY or (code == DISP_E_EXCEPTION and inner == VBA_E_IGNORE):
        return _busy()
    if code in _GONE or (code == DISP_E_EXCEPTION and inner == _OBJECT_REQUIRED):
        return _lost()
    return None


def _inner(error: BaseException) -> Any:
    """Code inside a COM error: its third argument ends with it, where there is one."""
    details = error.args[2] if len(error.args) > 2 else None
    return details[5] if isinstance(details, tuple) and len(details) > 5 else None


def _busy() -> FrontBusy:
    return FrontBusy("Excel is busy: a cell is being edited, or a dialog is open")


def _lost() -> FrontLost:
    return FrontLost("Excel or the workbook was closed or ended during a call")


def _not_allowed(number: int) -> FrontBusy | None:
    if number != _MAC_REFUSED:
        return None
    return FrontBusy(
        "macOS does not let this program control Excel: allow it in System Settings, Privacy & Security, Automation"
    )
