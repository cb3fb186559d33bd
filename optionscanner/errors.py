"""Every error that the program raises on purpose, named by who must act; and what the system said, in words.

A message names the thing, what was expected, what came, and the way out, in one sentence a trader can read.
"""

from __future__ import annotations


class OptionScannerError(Exception):
    """Base of all errors of the program; ``str()`` of it is one clear sentence."""


class ConfigError(OptionScannerError):
    """The user must change a setting, an option or the environment before the program can start."""


class SourceError(OptionScannerError):
    """A market source cannot deliver; wait, log in or skip, as the subclass says."""


class RateLimited(SourceError):
    """The source asked for fewer requests; wait."""


class LoginExpired(SourceError):
    """The source's session ended; log in again."""


class LoginRefused(SourceError):
    """The source does not accept the credentials, or blocks the client; the user must act, and no try is repeated."""


class Unreachable(SourceError):
    """The source could not be reached, or did not answer in time; try again later."""


class NoData(SourceError):
    """The source has nothing for what was asked; skip it."""


class RecordingError(SourceError):
    """A recorded day, or a raw file to be imported, cannot be used as it is."""


class UnknownDate(OptionScannerError):
    """The trading calendar does not cover a date, so whether and when the market trades is unknown."""


class ChainError(OptionScannerError):
    """An option chain or layout is inconsistent and was refused."""


class HistoryError(OptionScannerError):
    """The history database cannot be used as it is (corrupt, of another mode, or of a newer schema)."""


class HistoryBusy(HistoryError):
    """The history cannot be written at this moment (locked, disk full); try again."""


class WorkbookError(OptionScannerError):
    """The workbook cannot be used as it is; the user must act."""


class WorkbookBusy(WorkbookError):
    """The workbook cannot be written at this moment; skip one picture."""


class InUse(OptionScannerError):
    """Another process of this program works on a file; end that one, or choose another file."""


class OrderRejected(OptionScannerError):
    """A broker refused an order; tell the trader."""


def reason_of(error: OSError) -> str:
    """What the system said of a file or program, in small letters, to stand within a sentence."""
    return (error.strerror or str(error) or type(error).__name__).lower()
