"""Tables of the file of daily values, which belongs to no session and no mode: `daily.sqlite` beside the histories.

Main entries: `DAILY_MIGRATIONS`, `DAILY_FILE`. Conventions as in `schema`: prices INTEGER paise in columns that end in
``_paise``, quantities INTEGER units unless the name says contracts, dates TEXT as YYYY-MM-DD, NULL absent.
"""

from __future__ import annotations

DAILY_FILE = "daily.sqlite"
"""Name of the file in the folder of the histories, of which each ends in .db."""
DAILY_MODE = "DAILY"
"""What stands in its settings where a history has its mode."""

_FIRST = """
CREATE TABLE settings (  -- schema_version, mode
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE migration (
    number INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT;

CREATE TABLE daily_file (  -- what was imported; a file that is imported again replaces its row
    name TEXT NOT NULL PRIMARY KEY,
    kind TEXT,  -- table that its rows went to; NULL where it was refused
    first_date TEXT,
    last_date TEXT,
    rows_read INTEGER NOT NULL,
    stored INTEGER NOT NULL,
    repeated INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    left_out INTEGER NOT NULL,
    sentence TEXT NOT NULL,  -- why it or some of its rows were refused
    digest TEXT NOT NULL,  -- of its content: a file that is known is not read again
    imported_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE daily_date (  -- sessions of which there are rows
    kind TEXT NOT NULL,
    trading_date TEXT NOT NULL,
    rows INTEGER NOT NULL,
    PRIMARY KEY (kind, trading_date)
) STRICT, WITHOUT ROWID;

CREATE TABLE daily_contract (
    id INTEGER NOT NULL PRIMARY KEY,
    exchange TEXT NOT NULL,  -- NFO, BFO
    underlying TEXT NOT NULL,
    expiry TEXT NOT NULL,
    strike_paise INTEGER,  -- NULL for a future
    option_type TEXT NOT NULL  -- CE, PE, FUT
) STRICT;
CREATE UNIQUE INDEX daily_contract_terms ON daily_contract (
    underlying, expiry, option_type, ifnull(strike_paise, 0), exchange
);

CREATE TABLE eod_contract (
    trading_date TEXT NOT NULL,
    contract INTEGER NOT NULL,
    open_paise INTEGER,
    high_paise INTEGER,
    low_paise INTEGER,
    close_paise INTEGER,
    last_paise INTEGER,
    previous_close_paise INTEGER,
    settlement_paise INTEGER,
    underlying_close_paise INTEGER,
    open_interest INTEGER,
    change_in_open_interest INTEGER,
    volume INTEGER,
    contracts INTEGER,
    value REAL,
    trades INTEGER,
    lot_size INTEGER,
    PRIMARY KEY (trading_date, contract)
) STRICT, WITHOUT ROWID;

CREATE TABLE cash_close (
    trading_date TEXT NOT NULL,
    symbol TEXT NOT NULL,
    series TEXT NOT NULL,
    open_paise INTEGER,
    high_paise INTEGER,
    low_paise INTEGER,
    close_paise INTEGER,
    last_paise INTEGER,
    previous_close_paise INTEGER,
    volume INTEGER,
    delivered INTEGER,
    PRIMARY KEY (trading_date, symbol, series)
) STRICT, WITHOUT ROWID;

CREATE TABLE participant (  -- contracts
    trading_date TEXT NOT NULL,
    measure TEXT NOT NULL,
    participant TEXT NOT NULL,
    future_index_long REAL,
    future_index_short REAL,
    future_stock_long REAL,
    future_stock_short REAL,
    option_index_call_long REAL,
    option_index_put_long REAL,
    option_index_call_short REAL,
    option_index_put_short REAL,
    option_stock_call_long REAL,
    option_stock_put_long REAL,
    option_stock_call_short REAL,
    option_stock_put_short REAL,
    total_long REAL,
    total_short REAL,
    PRIMARY KEY (trading_date, measure, participant)
) STRICT, WITHOUT ROWID;

CREATE TABLE fii_statistics (
    trading_date TEXT NOT NULL,
    instrument TEXT NOT NULL,
    main INTEGER,
    buy_contracts INTEGER,
    buy_crore REAL,
    sell_contracts INTEGER,
    sell_crore REAL,
    open_interest_contracts INTEGER,
    open_interest_crore REAL,
    PRIMARY KEY (trading_date, instrument)
) STRICT, WITHOUT ROWID;

CREATE TABLE ban_list (
    trading_date TEXT NOT NULL,
    underlying TEXT NOT NULL,
    PRIMARY KEY (trading_date, underlying)
) STRICT, WITHOUT ROWID;

CREATE TABLE market_lot (
    first_month TEXT NOT NULL,
    underlying TEXT NOT NULL,
    expiry_month TEXT NOT NULL,
    lot_size INTEGER,
    PRIMARY KEY (first_month, underlying, expiry_month)
) STRICT, WITHOUT ROWID;

CREATE TABLE index_close (
    trading_date TEXT NOT NULL,
    index_name TEXT NOT NULL,
    open REAL,
    high REAL,
    low REAL,
    close REAL,
    points_change REAL,
    change_pct REAL,
    volume REAL,
    turnover_crore REAL,
    price_earnings REAL,
    price_book REAL,
    dividend_yield REAL,
    PRIMARY KEY (trading_date, index_name)
) STRICT, WITHOUT ROWID;

CREATE TABLE vix (
    trading_date TEXT NOT NULL PRIMARY KEY,
    open REAL,
    high REAL,
    low REAL,
    close REAL,
    previous_close REAL
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    trading_date TEXT NOT NULL,
    underlying TEXT NOT NULL,
    kind TEXT NOT NULL,
    description TEXT,
    PRIMARY KEY (trading_date, underlying, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE daily_volatility (  -- of each chain, computed from the closes of eod_contract
    trading_date TEXT NOT NULL,
    underlying TEXT NOT NULL,
    expiry TEXT NOT NULL,
    forward REAL,  -- rupees
    atm_iv REAL,  -- decimal a year
    time_to_expiry REAL NOT NULL,  -- years
    PRIMARY KEY (trading_date, underlying, expiry)
) STRICT, WITHOUT ROWID;

CREATE TABLE daily_iv (  -- of each underlying, from its chains
    trading_date TEXT NOT NULL,
    underlying TEXT NOT NULL,
    iv_30_days REAL,  -- decimal a year, at the money, constant maturity
    PRIMARY KEY (trading_date, underlying)
) STRICT, WITHOUT ROWID;

CREATE VIEW eod_chain AS
SELECT
    e.trading_date, c.exchange, c.underlying, c.expiry, c.strike_paise / 100.0 AS strike, c.option_type,
    e.open_paise / 100.0 AS open, e.high_paise / 100.0 AS high, e.low_paise / 100.0 AS low,
    e.close_paise / 100.0 AS close, e.last_paise / 100.0 AS last,
    e.previous_close_paise / 100.0 AS previous_close, e.settlement_paise / 100.0 AS settlement,
    e.underlying_close_paise / 100.0 AS underlying_close,
    e.open_interest, e.change_in_open_interest, e.volume, e.contracts, e.value, e.trades, e.lot_size
FROM eod_contract e JOIN daily_contract c ON c.id = e.contract;
"""

_EXPOSURE = """
CREATE TABLE daily_exposure (  -- of each underlying, computed from the closes of eod_contract
    trading_date TEXT NOT NULL,
    underlying TEXT NOT NULL,
    call_gex REAL NOT NULL,  -- size of the calls' gamma exposure, crore rupees per 1 %
    put_gex REAL NOT NULL,
    PRIMARY KEY (trading_date, underlying)
) STRICT, WITHOUT ROWID;
"""

DAILY_MIGRATIONS: tuple[tuple[str, str], ...] = (
    ("first schema", _FIRST),
    ("gamma exposure at the close", _EXPOSURE),
)
"""(what it does, statements), numbered from 1 in this order; never changed once released, only appended to."""

DAILY_SCHEMA_VERSION = len(DAILY_MIGRATIONS)
