"""The instrument master of a day: downloaded once, verified, kept as Parquet, and an older copy where that fails.

Main entries: `load_master`, `copy_before`, `health`. One copy a day, of the newest days, lies in a folder; it appears
there whole or not at all. A copy serves from one publication of the file to the next.
"""

from __future__ import annotations

import hashlib
import json
import os
import time as real_time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import requests

from optionscanner.adapters.angel.master import CASH, INDIA_VIX, Kind, Master, read_master
from optionscanner.errors import SourceError, Unreachable, reason_of
from optionscanner.model.calendar import IST
from optionscanner.model.reports import HealthItem

ADDRESS = "https://margincalculator.angelone.in/OpenAPI_File/files/OpenAPIScripMaster.json"
PUBLISHED = time(8, 35)
"""The broker makes the file anew at about 08:30 (IST)."""
KEPT = 7
"""Copies that are kept."""
CONNECT_S, QUIET_S, WHOLE_S = 10.0, 15.0, 120.0
"""Until the host must have answered, the longest silence within the answer, and the longest it may take altogether."""
LARGEST_BYTES = 128 << 20
"""The file has some 33 MB; earlier years had 40."""
_PART = 1 << 18
_MOST_REFUSED = 0.05
"""Share of the rows that were looked at; more are a damaged file."""
_LEAST_LEFT = 0.6
"""Of the instruments of the copy before. A third of the stocks' contracts may expire on one day."""
COMPARABLE_S = 5 * 86_400.0
"""Age up to which a copy says what the file should hold: what was lost for longer is gone."""
_START, _END = "instruments-", ".parquet"
_FORM = b"1"
"""Of the copies; another one is not read."""
_DIGEST = b"digest"
_COLUMNS = {
    "key": pa.uint64(), "segment": pa.int8(), "kind": pa.int8(), "is_index": pa.bool_(), "name": pa.int32(),
    "expiry": pa.int32(), "strike": pa.int64(), "lot": pa.int32(), "tick": pa.float64(), "freeze": pa.float64(),
    "symbol": pa.string(),
}  # fmt: skip
_WIDE = {"segment": np.int64, "kind": np.int64, "name": np.int64, "expiry": np.int64, "lot": np.int64}

Tell = Callable[[str], None]


def load_master(folder: Path, url: str, *, today: date, now: Callable[[], float], tell: Tell) -> Master:
    """The instruments for the trading day `today`; `now` gives seconds since 1970 UTC.

    Takes as long as the download where the newest copy is older than the file's last publication. What goes wrong is
    told, each trouble in one sentence. Raises SourceError where neither the file nor a copy can be used.
    """
    kept = _newest(folder, today, tell)
    if kept is not None and is_current(kept, now()):
        return kept
    try:
        fetched = read_master(_downloaded(url), fetched_at=now())
        comparable = kept is not None and abs(now() - kept.fetched_at) < COMPARABLE_S
        verify(fetched, today, before=kept if comparable else None)
    except SourceError as error:
        if kept is None or not any(_indices(kept, today).values()):
            raise
        tell(f"{error}; the copy of {_at(kept.fetched_at)} is used, which is {_age(now() - kept.fetched_at)} old")
        return kept
    if fetched.refused:
        why = ", ".join(f"{count:,} {reason}" for reason, count in fetched.refused.most_common(4))
        tell(f"instrument master: {fetched.refused.total():,} of {fetched.rows:,} rows are left out: {why}")
    try:
        _keep(fetched, folder, today)
    except OSError as error:
        tell(f"instrument master: no copy could be kept in {folder} ({reason_of(error)}); today's is used all the same")
    return fetched


def copy_before(folder: Path, today: date, *, tell: Tell) -> Master | None:
    """The newest copy of an earlier day than `today`, to tell what changed since; None where there is none."""
    return _newest(folder, today - timedelta(days=1), tell)


def verify(master: Master, today: date, *, before: Master | None) -> None:
    """Raises SourceError for a file that is damaged, not whole or out of date, where `before` is the copy before it."""
    seen = len(master) + master.refused.total()
    if master.refused.total() > _MOST_REFUSED * seen:
        why = ", ".join(f"{count:,} {reason}" for reason, count in master.refused.most_common(3))
        raise SourceError(
            f"instrument master: the file is damaged, {master.refused.total():,} of {seen:,} rows cannot be ({why}); "
            "tried again at the next start"
        )
    listed = _indices(master, today)
    if not listed:
        raise SourceError(
            f"instrument master: expected indices with options that live on {today:%d-%b-%Y}, got none in "
            f"{master.rows:,} rows; the file is out of date or not whole"
        )
    lost = sorted(name for name, has_row in listed.items() if not has_row)
    if before is None:
        if len(lost) == len(listed):
            names = ", ".join(lost)
            raise SourceError(f"instrument master: none of {names} has a row of its own; the file is not whole")
        empty = _without_contracts(master, today)
        if empty:
            raise SourceError(
                f"instrument master: the file has indices of {empty}, and no live options of it; it is not whole"
            )
        return
    known = _indices(before, today)
    lost = [name for name in lost if known.get(name)]
    if lost:
        raise SourceError(
            f"instrument master: {', '.join(lost)} lost the row of the index, which the copy before has; "
            "the file is not whole"
        )
    for title, left, had in (
        ("instruments", len(master), len(before)),
        ("contracts", int(master.is_contract.sum()), int(before.is_contract.sum())),
    ):
        if left < _LEAST_LEFT * had:
            raise SourceError(
                f"instrument master: the file has {left:,} {title}, the copy before had {had:,}; it is not whole"
            )


def _indices(master: Master, today: date) -> dict[str, bool]:
    """Names of indices with live options -> whether the index has a row of its own."""
    options = (master.kind < Kind.FUTURE) & master.is_index & (master.expiry >= today.toordinal())
    with_row = set(master.name[master.kind == Kind.INDEX].tolist())
    return {master.names[code]: code in with_row for code in np.unique(master.name[options]).tolist()}


def _without_contracts(master: Master, today: date) -> str:
    """An exchange that has indices, and no live options on any; "" where there is none."""
    vix = master.codes([INDIA_VIX])
    is_index = (master.kind == Kind.INDEX) & (master.name != vix[0])
    live = master.segment[(master.kind < Kind.FUTURE) & (master.expiry >= today.toordinal())]
    with_indices = set(master.segment[is_index].tolist())
    return next((cash.name for contracts, cash in CASH.items() if cash in with_indices and contracts not in live), "")


def _downloaded(url: str) -> bytes:
    """The file, whole. Raises Unreachable or SourceError."""
    until, content = real_time.monotonic() + WHOLE_S, bytearray()
    host = url.split("/")[2] if url.count("/") >= 2 else url
    try:
        with requests.get(url, timeout=(CONNECT_S, QUIET_S), stream=True) as answer:
            if url.startswith("https:") and not answer.url.startswith("https:"):
                raise SourceError(f"instrument master: {host} points to an address without encryption; it is not taken")
            if answer.status_code != requests.codes.ok:
                raise SourceError(
                    f"instrument master: expected the file from {host}, got answer {answer.status_code}; "
                    "tried again at the next start"
                )
            for part in answer.iter_content(_PART):
                content += part
                if len(content) > LARGEST_BYTES:
                    raise SourceError(
                        f"instrument master: {host} sent more than {LARGEST_BYTES >> 20} MB, so it is not the file"
                    )
                if real_time.monotonic() > until:
                    raise Unreachable(f"instrument master: {host} took longer than {WHOLE_S:g} s; tried again later")
    except requests.Timeout:
        raise Unreachable(f"instrument master: {host} did not answer within {QUIET_S:g} s; tried again later") from None
    except (requests.RequestException, OSError, ValueError) as error:
        raise Unreachable(
            f"instrument master: it could not be fetched from {host} ({_kind(error)}); tried again later"
        ) from None
    return bytes(content)


def _kind(error: Exception) -> str:
    """What failed, in few words."""
    text = str(error).lower()
    if "resolve" in text or "name or service" in text or "getaddrinfo" in text:
        return "its name could not be looked up: is the network up?"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate was not accepted"
    if "refused" in text:
        return "connection refused"
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema | ValueError):
        return "the address cannot be used"
    return "the connection broke off"


def _newest(folder: Path, today: date, tell: Tell) -> Master | None:
    """The newest readable copy of `today` or a day before; what cannot be read is told and passed over."""
    for day, path in sorted(_copies(folder).items(), reverse=True):
        if day <= today:
            try:
                return _read(path)
            except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
                tell(f"{path}: expected a copy of the instrument master, got a damaged file "
                     f"({type(error).__name__}); it is passed over")  # fmt: skip
    return None


def _copies(folder: Path) -> dict[date, Path]:
    found = {}
    for path in folder.glob(f"{_START}*{_END}"):
        with suppress(ValueError):
            found[date.fromisoformat(path.name[len(_START) : -len(_END)])] = path
    return found


def _keep(master: Master, folder: Path, today: date) -> None:
    """As a file that appears whole; removes copies beyond those that are kept, and what was left unfinished."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{_START}{today.isoformat()}{_END}"
    part = folder / f".{path.name}.{os.getpid()}.part"
    about = {
        b"form": _FORM, b"names": json.dumps(master.names).encode(), b"rows": str(master.rows).encode(),
        b"fetched_at": repr(master.fetched_at).encode(), b"refused": json.dumps(master.refused).encode(),
    }  # fmt: skip
    about[_DIGEST] = _digest(about)
    table = pa.table(
        {name: pa.array(getattr(master, name), type=kind) for name, kind in _COLUMNS.items()}
    ).replace_schema_metadata(about)
    try:
        with part.open("wb") as file:
            pq.write_table(table, file, compression="zstd", write_page_checksum=True)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    for _, old in sorted(_copies(folder).items(), reverse=True)[KEPT:]:
        old.unlink(missing_ok=True)
    for left in folder.glob(f".{_START}*.part"):
        # Of another day: the process that wrote it was killed.
        if not left.name.startswith(f".{path.name}"):
            left.unlink(missing_ok=True)


def _digest(about: Mapping[bytes, bytes]) -> bytes:
    """Of what stands beside the columns, which have checksums of their own."""
    return hashlib.sha256(repr(sorted(about.items())).encode()).hexdigest().encode()


def _read(path: Path) -> Master:
    table = pq.read_table(path, page_checksum_verification=True)
    about = table.schema.metadata or {}
    kinds = dict(zip(table.schema.names, table.schema.types, strict=True))
    if about.get(b"form") != _FORM or kinds != _COLUMNS or about.pop(_DIGEST, b"") != _digest(about):
        raise ValueError("another form")
    columns = {name: table[name].to_numpy() for name in _COLUMNS}
    columns |= {name: columns[name].astype(wide) for name, wide in _WIDE.items()}
    return Master(
        **columns,
        names=tuple(json.loads(about[b"names"])),
        rows=int(about[b"rows"]),
        fetched_at=float(about[b"fetched_at"]),
        refused=Counter(json.loads(about[b"refused"])),
    )


def health(master: Master, now: float) -> HealthItem:
    """The line of SYSTEM_HEALTH; `now` [s since 1970 UTC]."""
    age = _age(now - master.fetched_at)
    left_out = f", {master.refused.total():,} left out" if master.refused else ""
    current = is_current(master, now)
    return HealthItem(
        "Instrument master", f"{len(master):,} instruments{left_out}, {age} old", "fetched since 08:35",
        "OK" if current else "WARN", master.fetched_at,
        "" if current else "the newest file could not be had, see the events; lots and new expiries may be missing",
    )  # fmt: skip


def is_current(master: Master, now: float) -> bool:
    """Whether no newer file was published since it was fetched; `now` [s since 1970 UTC]."""
    return published(now) <= master.fetched_at <= now + 1.0


def published(now: float) -> float:
    """When the file that is current at `now` was made, as it is made daily."""
    at = datetime.fromtimestamp(now, IST)
    made = datetime.combine(at.date(), PUBLISHED, IST)
    return (made if made <= at else made - timedelta(days=1)).timestamp()


def _at(instant: float) -> str:
    return f"{datetime.fromtimestamp(instant, IST):%d-%b-%Y %H:%M}"


def _age(seconds: float) -> str:
    hours = seconds / 3600.0
    return f"{hours:.0f} hours" if abs(hours) < 48 else f"{hours / 24.0:.1f} days"
