"""Tables of the history, as text: the fixed ones, and those that follow from declarations in the model.

Main entries: `FIXED_TABLES` and `declared_tables`. Conventions, in every table: instants are INTEGER milliseconds since
1970 UTC; prices INTEGER paise, in columns that end in ``_paise``; quantities INTEGER units of the underlying; NULL is
absent, 0 a quoted zero. Prices are rounded to the paisa, the smallest step in which anything is quoted. REAL columns
keep every bit of a number but the sign of a zero. The many rows of `quote` hold small whole numbers, which take one to
four bytes: ages instead of instants, millionths instead of fractions.

The keys begin with (session, instant), so that a cycle is appended at one end of the file instead of touching a page
for each of 17,000 contracts. Only `observation` stands by chain: through it the changes of one chain are found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from optionscanner.model.columns import TableSpec
from optionscanner.model.state import FUTURE_STATE, LEG_STATE, SEGMENT_STATE

SQL_TYPES = {"real": "REAL", "integer": "INTEGER", "text": "TEXT", "time": "INTEGER"}

FIXED_TABLES = """
CREATE TABLE settings (  -- schema_version, mode
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE migration (
    number INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT;

CREATE TABLE session (  -- one trading day seen through one source under one set of engine parameters
    id INTEGER NOT NULL PRIMARY KEY,
    mode TEXT NOT NULL,
    source TEXT NOT NULL,
    seed INTEGER,
    trading_date TEXT NOT NULL,
    settings_version TEXT NOT NULL,
    code_version TEXT NOT NULL,  -- of the program that began it
    ended_at INTEGER  -- when the program ended it by itself; NULL while it runs, or was killed
) STRICT;

CREATE TABLE contract (  -- a change of the lot size makes a new row
    id INTEGER NOT NULL PRIMARY KEY,
    exchange TEXT NOT NULL,  -- NFO, BFO
    underlying TEXT NOT NULL,
    expiry TEXT NOT NULL,
    strike_paise INTEGER,  -- NULL for a future
    option_type TEXT NOT NULL,  -- CE, PE, FUT
    lot_size INTEGER NOT NULL,
    effective_from TEXT NOT NULL  -- trading date on which this lot size was first seen
) STRICT;
CREATE UNIQUE INDEX contract_terms ON contract (
    underlying, expiry, option_type, ifnull(strike_paise, 0), lot_size, exchange
);

CREATE TABLE contract_day (  -- what the source says of the previous session; no row where it says nothing
    session INTEGER NOT NULL,
    contract INTEGER NOT NULL,
    previous_open_interest INTEGER,
    previous_close_paise INTEGER,
    PRIMARY KEY (session, contract)
) STRICT, WITHOUT ROWID;

CREATE TABLE cycle (
    session INTEGER NOT NULL,
    cycle INTEGER NOT NULL,
    at INTEGER NOT NULL,
    chains_updated INTEGER NOT NULL,
    observations INTEGER NOT NULL,  -- polls, accepted and refused
    refused INTEGER NOT NULL,
    quotes INTEGER NOT NULL,
    alerts INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    vix REAL,
    timings TEXT NOT NULL,  -- JSON, step -> ms
    PRIMARY KEY (session, cycle)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX cycle_at ON cycle (session, at);

CREATE TABLE observation (  -- one row for each poll of a chain, accepted or refused
    session INTEGER NOT NULL,
    underlying TEXT NOT NULL,
    expiry TEXT NOT NULL,
    observed_at INTEGER NOT NULL,
    cycle INTEGER NOT NULL,
    poll INTEGER NOT NULL,  -- counts within the cycle; -1: no poll, the picture is repeated after cycles were lost
    stamped_at INTEGER,  -- when the market says the quotes were made
    refused INTEGER NOT NULL,  -- reason code, 0 = accepted
    refused_words TEXT,
    rows INTEGER NOT NULL,  -- strikes seen
    faulty_legs INTEGER NOT NULL,
    odd_lots REAL,  -- share of legs with open interest that is no multiple of the lot
    in_picture INTEGER NOT NULL,  -- 1: the quotes stored at observed_at are of this poll; 0: refused, or replaced
    spot_paise INTEGER,
    forward REAL,
    coverage REAL,
    PRIMARY KEY (session, underlying, expiry, observed_at, cycle, poll)
) STRICT, WITHOUT ROWID;

CREATE TABLE quote (  -- a leg, at an observation at which any quoted quantity of it differs from the one before
    session INTEGER NOT NULL,
    at INTEGER NOT NULL,  -- observed_at of its observation
    contract INTEGER NOT NULL,
    last_paise INTEGER,
    bid_paise INTEGER,
    ask_paise INTEGER,
    bid_quantity INTEGER,
    ask_quantity INTEGER,
    volume INTEGER,  -- cumulative for the day
    open_interest INTEGER,
    price_age_ms INTEGER,  -- how long before `at` the price last moved or traded
    open_interest_age_ms INTEGER,  -- how long before `at` open interest last changed
    volatility_ppm INTEGER,  -- implied volatility in millionths, 130000 = 13 %
    delta_ppm INTEGER,  -- delta in millionths
    fault INTEGER NOT NULL,  -- reason code for which a quoted quantity was blanked, 0 = none
    iv_reason INTEGER NOT NULL,  -- reason code for which there is no volatility or an unreliable one
    PRIMARY KEY (session, at, contract)
) STRICT, WITHOUT ROWID;

CREATE TABLE underlying_quote (  -- where it differs from the one before
    session INTEGER NOT NULL,
    at INTEGER NOT NULL,
    underlying TEXT NOT NULL,
    spot_paise INTEGER,
    open_paise INTEGER,
    high_paise INTEGER,
    low_paise INTEGER,
    previous_close_paise INTEGER,
    volume INTEGER,
    spot_at INTEGER,
    fault INTEGER NOT NULL,
    PRIMARY KEY (session, at, underlying)
) STRICT, WITHOUT ROWID;

CREATE TABLE future_quote (  -- where it differs from the one before
    session INTEGER NOT NULL,
    at INTEGER NOT NULL,
    underlying TEXT NOT NULL,
    expiry TEXT NOT NULL,
    last_paise INTEGER,
    bid_paise INTEGER,
    ask_paise INTEGER,
    bid_quantity INTEGER,
    ask_quantity INTEGER,
    volume INTEGER,
    open_interest INTEGER,
    price_at INTEGER,
    PRIMARY KEY (session, at, underlying, expiry)
) STRICT, WITHOUT ROWID;

CREATE TABLE failure (
    session INTEGER NOT NULL,
    cycle INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    component TEXT NOT NULL,  -- engine or sink
    underlying TEXT,
    sentence TEXT NOT NULL,
    PRIMARY KEY (session, cycle, number)
) STRICT, WITHOUT ROWID;
"""

ANCHORS = """
ALTER TABLE observation ADD COLUMN anchored_at INTEGER;  -- newest anchor of the chain at or before the observation

CREATE TABLE quote_anchor (  -- when each leg of a chain had last changed, at one in sixteen of its observations
    session INTEGER NOT NULL,
    at INTEGER NOT NULL,
    contract INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (session, at, contract)
) STRICT, WITHOUT ROWID;
"""
"""Bounds the search for the newest change of a leg, which may lie hours back: `changes.py`."""

KEEPING = """
CREATE TABLE archive (  -- a session whose quotes have moved out of this file: `archive.py`
    session INTEGER NOT NULL PRIMARY KEY,
    file TEXT NOT NULL,  -- name in the archive folder
    quotes INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    archived_at INTEGER NOT NULL  -- machine's clock
) STRICT;

CREATE TABLE workbook_archive (  -- values-only copies of the workbook at the end of a day
    file TEXT NOT NULL PRIMARY KEY,  -- name in the workbook's archive folder; a copy made again replaces the row
    session INTEGER NOT NULL,
    formulas INTEGER NOT NULL,  -- cells whose formula was replaced
    without_value INTEGER NOT NULL,  -- those of them that held no value and are empty now
    bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    made_at INTEGER NOT NULL  -- machine's clock
) STRICT, WITHOUT ROWID;
"""

COMMANDS = """
CREATE TABLE command (  -- what was asked of the program while it ran, and what it answered
    id INTEGER NOT NULL PRIMARY KEY,
    session INTEGER NOT NULL,
    at INTEGER NOT NULL,  -- machine's clock
    source TEXT NOT NULL,  -- control: the cells of the workbook
    body TEXT NOT NULL,  -- JSON: {"set": name, "value": cell}, or {"do": command, "request": number}
    accepted INTEGER,  -- 1, or 0 where it was refused; NULL until it is answered
    reply TEXT
) STRICT;
"""

QUOTE_COLUMNS = (
    "last_paise",
    "bid_paise",
    "ask_paise",
    "bid_quantity",
    "ask_quantity",
    "volume",
    "open_interest",
    "price_age_ms",
    "open_interest_age_ms",
    "volatility_ppm",
    "delta_ppm",
    "fault",
    "iv_reason",
)


@dataclass(frozen=True)
class DeclaredTable:
    """A table whose value columns follow from a declaration and may grow with it."""

    name: str
    keys: Mapping[str, str]
    """key column -> SQL type; a key that the declaration names too is stored once."""
    primary: tuple[str, ...]
    values: Mapping[str, str]
    """declared column -> SQL type."""
    without_rowid: bool = True

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column in order, keys first."""
        return (*self.keys, *(name for name in self.values if name not in self.keys))

    @property
    def create_sql(self) -> str:
        """The statement that makes the table."""
        lines = [f'"{name}" {kind} NOT NULL' for name, kind in self.keys.items()]
        lines += [f'"{name}" {kind}' for name, kind in self.values.items() if name not in self.keys]
        lines.append(f"PRIMARY KEY ({', '.join(self.primary)})")
        options = "STRICT, WITHOUT ROWID" if self.without_rowid else "STRICT"
        return f'CREATE TABLE "{self.name}" (\n    ' + ",\n    ".join(lines) + f"\n) {options}"


_SESSION = {"session": "INTEGER"}
_CHAIN = {"underlying": "TEXT", "expiry": "TEXT"}


def reading_table(spec: TableSpec) -> DeclaredTable:
    """The table of a reading; `at` is the instant of its cycle."""
    values = {column.name: SQL_TYPES[column.kind] for column in spec.columns}
    if spec.row in ("segment", "future"):
        return DeclaredTable(
            spec.name, {**_SESSION, "at": "INTEGER", **_CHAIN}, ("session", "at", "underlying", "expiry"), values
        )
    if spec.row in ("underlying", "market"):
        keys = {**_SESSION, "at": "INTEGER", "underlying": "TEXT"}
        return DeclaredTable(spec.name, keys, ("session", "at", "underlying"), values)
    keys = {**_SESSION, "cycle": "INTEGER", "number": "INTEGER", "at": "INTEGER"}
    return DeclaredTable(spec.name, keys, ("session", "cycle", "number"), values)


_STATE_KEYS = {**_SESSION, **_CHAIN, "version": "INTEGER", "cycle": "INTEGER"}
_STATE_PRIMARY = ("session", "underlying", "expiry")

STATE = DeclaredTable("state", _STATE_KEYS, _STATE_PRIMARY, dict.fromkeys(SEGMENT_STATE, "REAL"))
"""Flow state of a chain: one row, replaced in the transaction of a cycle that touched it."""

STATE_LEGS = DeclaredTable(
    "state_legs",
    _STATE_KEYS,
    _STATE_PRIMARY,
    dict.fromkeys(("strikes", *LEG_STATE), "BLOB"),
    # Rows of several kilobytes belong in the leaves of a table with row ids.
    without_rowid=False,
)
"""Flow state of a chain's legs: little-endian float64, n strikes [₹] and n x 2 values (call, put) of each name."""

STATE_ANCHORS = DeclaredTable(
    "state_anchors",
    {**_SESSION, **_CHAIN, "slot": "INTEGER", "version": "INTEGER"},
    ("session", "underlying", "expiry", "slot"),
    {"stamped_at": "REAL", "strikes": "BLOB", "open_interest": "BLOB", "last": "BLOB"},
    without_rowid=False,
)
"""Open interest of a chain's legs at its distinct observations of the last half hour: one row for each slot of the
ring, replaced when the slot is written anew; little-endian float64, n strikes [₹] and n x 2 values (call, put), of
open interest [units] and of the last price [₹]."""

STATE_FUTURES = DeclaredTable(
    "state_futures",
    {**_SESSION, **_CHAIN, "version": "INTEGER"},
    _STATE_PRIMARY,
    dict.fromkeys(FUTURE_STATE, "REAL"),
)
"""What is remembered of a future: one row, replaced when it changes."""

OPEN_INTEREST_MAP = DeclaredTable(
    "open_interest_map",
    {**_SESSION, **_CHAIN, "bucket": "INTEGER"},
    ("session", "underlying", "expiry", "bucket"),
    {"begins_at": "INTEGER", "strikes": "BLOB", "open_interest": "BLOB"},
    without_rowid=False,
)
"""Open interest of a chain's legs at the end of each quarter hour of the session, one row each, and of the newest
observation in the one that lasts; little-endian float64, n strikes [₹] and n x 2 values (call, put), NaN where no
observation of that quarter hour saw the leg. Bucket -1: the first readings of the first quarter hour. Kept for ever."""

STATES = (STATE, STATE_LEGS, STATE_ANCHORS, STATE_FUTURES)
"""Tables of what engines remember; of the newest cycle alone."""


def declared_tables(specs: Iterable[TableSpec]) -> tuple[DeclaredTable, ...]:
    """Tables that follow from the declared readings, from the state, and from the map of the day."""
    return (*(reading_table(spec) for spec in specs if spec.stored), *STATES, OPEN_INTEREST_MAP)
