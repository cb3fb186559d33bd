"""Fetches daily files from the exchanges' published addresses into a folder: few requests, and none twice in a while.

Main entries: `wanted_files`, `Fetcher.fetch`. A file is kept only when it reads as what it should be and is of its
date, whole; then it lies in the folder under its published name, like a download of the user's. What was tried and
answered stands in the folder too (`ATTEMPTS`), so that a program that starts often asks no more often for it.
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from email.message import Message
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import urlsplit

from optionscanner.adapters.nse.content import unpacked
from optionscanner.adapters.nse.folder import read_part
from optionscanner.adapters.nse.reading import Reading
from optionscanner.adapters.nse.rows import MONTHS
from optionscanner.errors import RecordingError, reason_of

ATTEMPTS = ".attempts.json"
MOST_REQUESTS = 8
"""In one call: what a morning needs."""
PAUSE_S = 1.0
"""Between two requests."""
QUIET_S = 10.0
"""Longest silence of the other side within an answer."""
WHOLE_S = 60.0
"""Longest that one answer may take altogether."""
LARGEST_BYTES = 64 << 20
"""The largest daily file has some 3 MB packed."""
NOT_YET_S, REFUSED_S, FAILED_S, LONGEST_S = 1_800.0, 6 * 3_600.0, 900.0, 24 * 3_600.0
"""Until the next try of a file that is not published yet, of a host that refuses programs, and of anything that went
wrong; the last doubles with each failure in a row, up to the longest."""
_CHUNK = 1 << 16
_MOST_REFUSED = 0.01
"""Share of rows that a good file may have refused."""

FETCHED, THERE, LATER, NOT_YET, REFUSED, FAILED = "fetched", "there", "later", "not published", "refused", "failed"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file and where it is published."""

    title: str
    table: str
    """Table of daily values that its content must be of."""
    day: date | None
    """Date that its rows must have; None where the file has no date."""
    address: str

    @property
    def name(self) -> str:
        """Name under which it is kept: the published one."""
        return PurePosixPath(urlsplit(self.address).path).name

    @property
    def host(self) -> str:
        """Who is asked."""
        return urlsplit(self.address).netloc


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one file."""

    wanted: Wanted
    state: str
    """FETCHED, THERE, LATER, NOT_YET, REFUSED or FAILED."""
    sentence: str


def address_of(base: str, pattern: str, day: date) -> str:
    """The address on a day; `pattern` holds YYYYMMDD, DDMMYYYY or DD-Mon-YYYY where the date goes."""
    month = MONTHS[day.month - 1].capitalize()
    named = pattern.replace("DD-Mon-YYYY", f"{day:%d}-{month}-{day:%Y}")
    return base.rstrip("/") + named.replace("YYYYMMDD", f"{day:%Y%m%d}").replace("DDMMYYYY", f"{day:%d%m%Y}")


def wanted_files(
    bases: Mapping[str, str], patterns: Mapping[str, str], *, today: date, previous: date, before: date
) -> tuple[Wanted, ...]:
    """What a trading day takes, the most useful first; `previous` and `before` are the two sessions before `today`.

    `bases`: nse and bse -> address of the host; `patterns`: kind -> path, empty for a kind that is not fetched.
    """
    plan = (
        ("participants", "participant-wise positions", "participant", previous),
        ("bans", "ban list", "ban_list", today),
        ("indices", "index closes", "index_close", previous),
        ("bhavcopy", "F&O bhavcopy of NSE", "eod_contract", previous),
        ("shares", "cash bhavcopy", "cash_close", previous),
        ("fii", "FII statistics", "fii_statistics", previous),
        ("bhavcopy_bse", "F&O bhavcopy of BSE", "eod_contract", previous),
        ("lots", "market lots", "market_lot", None),
        # Of the session before that: what today's are compared with.
        ("participants", "participant-wise positions", "participant", before),
        ("bans", "ban list", "ban_list", previous),
        ("indices", "index closes", "index_close", before),
    )
    return tuple(
        Wanted(title, table, day, address_of(bases["bse" if kind == "bhavcopy_bse" else "nse"], patterns[kind],
                                             day or today))
        for kind, title, table, day in plan
        if patterns[kind]
    )  # fmt: skip


class _Refused(Exception):
    """The host does not answer programs; seconds until the next try."""

    def __init__(self, sentence: str, seconds: float) -> None:
        super().__init__(sentence)
        self.seconds = seconds


class _NotYet(Exception):
    """There is no such file, yet."""


class _Broken(Exception):
    """The answer is of no use."""


class Fetcher:
    """Fetches into one folder.

    `agent` names the program to the exchange; `now` gives seconds since 1970 UTC; `wait` waits so many seconds and
    returns True where the program is asked to stop meanwhile.
    """

    def __init__(
        self, folder: Path, *, agent: str, now: Callable[[], float], wait: Callable[[float], bool]
    ) -> None:
        self.folder, self.agent, self._now, self._wait = folder, agent, now, wait
        self._open = urllib.request.build_opener(_SameHost()).open

    def fetch(self, wanted: Sequence[Wanted]) -> tuple[Fetched, ...]:
        """Try what is not there and whose time has come, at most `MOST_REQUESTS`; never raises for what is answered.

        Raises OSError where the folder cannot be used.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        attempts = self._attempts()
        done: list[Fetched] = []
        asked = 0
        for one in wanted:
            due = max(attempts.get(one.name, {}).get("next", 0.0), attempts.get(one.host, {}).get("next", 0.0))
            if self._is_there(one):
                done.append(Fetched(one, THERE, f"{one.name}: is there"))
            elif self._now() < due or asked == MOST_REQUESTS:
                done.append(Fetched(one, LATER, f"{one.name}: is tried later"))
            elif asked and self._wait(PAUSE_S):
                break
            else:
                asked += 1
                done.append(self._one(one, attempts))
                self._keep_attempts(attempts)
        return tuple(done)

    def _is_there(self, one: Wanted) -> bool:
        """Whether the folder has it; a file without a date of its own is fetched anew each month."""
        path = self.folder / one.name
        if not path.exists():
            return False
        return one.day is not None or self._now() - path.stat().st_mtime < 28 * 24 * 3_600.0

    def _one(self, one: Wanted, attempts: dict[str, dict[str, float]]) -> Fetched:
        before = attempts.get(one.name, {})
        times = before.get("times", 0.0) + 1.0
        try:
            content = self._answer(one)
            _check(one, content)
        except _NotYet:
            attempts[one.name] = {"next": self._now() + NOT_YET_S, "times": 0.0}
            return Fetched(one, NOT_YET, f"{one.name}: is not published (404); a holiday, or not yet")
        except _Refused as error:
            attempts[one.host] = {"next": self._now() + error.seconds, "times": times}
            return Fetched(one, REFUSED, f"{one.name}: {error}; download it by hand into {self.folder}")
        except (_Broken, RecordingError) as error:
            seconds = min(FAILED_S * 2.0 ** (times - 1.0), LONGEST_S)
            attempts[one.name] = {"next": self._now() + seconds, "times": times}
            return Fetched(one, FAILED, f"{one.name}: {error}")
        except OSError as error:
            # No network, no such host, a time-out, a certificate: the host's other files would fare no better.
            reason = getattr(error, "reason", error)
            words = reason_of(reason) if isinstance(reason, OSError) else str(reason)
            attempts[one.host] = {"next": self._now() + FAILED_S, "times": times}
            return Fetched(one, FAILED, f"{one.name}: {one.host} cannot be reached ({words})")
        except http.client.HTTPException as error:
            attempts[one.host] = {"next": self._now() + FAILED_S, "times": times}
            return Fetched(one, FAILED, f"{one.name}: {one.host} answered what is no HTTP ({type(error).__name__})")
        part = self.folder / f".{one.name}.part"
        part.write_bytes(content)
        part.replace(self.folder / one.name)
        attempts.pop(one.name, None)
        attempts.pop(one.host, None)
        return Fetched(one, FETCHED, f"{one.name}: fetched, {len(content):,} bytes")

    def _answer(self, one: Wanted) -> bytes:
        """The body of the answer, whole."""
        headers = {"User-Agent": self.agent, "Accept": "*/*", "Accept-Encoding": "identity"}
        request = urllib.request.Request(one.address, headers=headers)
        try:
            with self._open(request, timeout=QUIET_S) as answer:
                return _body(answer)
        except urllib.error.HTTPError as error:
            with error:
                if error.code in (404, 410):
                    raise _NotYet from error
                if error.code in (401, 403, 429, 503):
                    seconds = max(REFUSED_S if error.code != 503 else NOT_YET_S, _retry_after(error.headers))
                    raise _Refused(f"{one.host} refuses it ({error.code})", seconds) from error
                raise _Broken(f"{one.host} answered {error.code}") from error

    def _attempts(self) -> dict[str, dict[str, float]]:
        """File or host -> when it may be tried next, and how often it failed in a row."""
        try:
            kept = json.loads((self.folder / ATTEMPTS).read_text(encoding="utf-8"))
            return {str(name): {key: float(each[key]) for key in ("next", "times")} for name, each in kept.items()}
        except (OSError, ValueError, AttributeError, TypeError, KeyError):
            return {}  # nothing was tried, or the note of it is damaged

    def _keep_attempts(self, attempts: Mapping[str, Mapping[str, float]]) -> None:
        part = self.folder / f"{ATTEMPTS}.part"
        part.write_text(json.dumps(attempts), encoding="utf-8")
        part.replace(self.folder / ATTEMPTS)


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows an answer that points elsewhere only on the same host and in the same way of speaking."""

    def redirect_request(  # noqa: PLR0917 - the library calls it so
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """The request to follow with."""
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if (old.scheme, old.netloc) != (new.scheme, new.netloc):
            raise _Broken(f"{old.netloc} points to another host ({new.netloc})")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _body(answer: http.client.HTTPResponse) -> bytes:
    """What was sent; raises _Broken where it is too much, too slow or not all."""
    told = answer.headers.get("Content-Length", "")
    length = int(told) if told.isdecimal() else None
    if length is not None and length > LARGEST_BYTES:
        raise _Broken(f"it would have {length:,} bytes, so it is no daily file")
    until = time.monotonic() + WHOLE_S
    pieces: list[bytes] = []
    got = 0
    try:
        while piece := answer.read1(_CHUNK):
            pieces.append(piece)
            got += len(piece)
            if got > LARGEST_BYTES:
                raise _Broken(f"it has more than {LARGEST_BYTES >> 20} MB, so it is no daily file")
            if time.monotonic() > until:
                raise _Broken(f"it was not whole after {WHOLE_S:.0f} s, {got:,} bytes came")
    except http.client.IncompleteRead as error:
        raise _Broken(f"the answer broke off after {got:,} bytes") from error
    if length is not None and got != length:
        raise _Broken(f"the answer broke off: {got:,} of {length:,} bytes came")
    return b"".join(pieces)


def _retry_after(headers: Message) -> float:
    """Seconds that the other side asks to wait; 0 where it does not say."""
    told = str(headers.get("Retry-After", ""))
    return min(float(told), LONGEST_S) if told.isdecimal() else 0.0


def _check(one: Wanted, content: bytes) -> None:
    """Raises _Broken or RecordingError where the content is not the whole file that was wanted."""
    readings: list[Reading] = []
    error: RecordingError | None = None
    for part in unpacked(one.name, content):
        try:
            if isinstance(part, tuple):
                raise part[1]
            readings.append(read_part(part))
        except RecordingError as refusal:
            error = error or refusal
    good = [reading for reading in readings if reading.table.name == one.table]
    if not good:
        raise error or _Broken(f"it is no {one.title}")
    if one.day is not None and not any(one.day.isoformat() in reading.dates for reading in good):
        found = ", ".join(sorted({day for reading in good for day in reading.dates}))
        raise _Broken(f"it is of {found}, not of {one.day.isoformat()}")
    for reading in good:
        refused = sum(reading.refused.values())
        cut = any("cells than the header" in why for why in reading.refused)
        if cut or refused > _MOST_REFUSED * reading.rows_read:
            why = next(iter(reading.refused))
            raise _Broken(f"{refused:,} of its {reading.rows_read:,} rows cannot be: {why}; it may be cut off")
