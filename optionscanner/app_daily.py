"""Daily files for the program: the import into `daily.sqlite`, and what a session's day takes from there.

Main entries: `import_daily`, `daily_path`, `day_preparer`, `invented_again`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from threading import Event

from optionscanner import cli
from optionscanner.adapters.nse.folder import DailyFile, digest_of, parts_of_folder, read_file
from optionscanner.adapters.simulated.market import SimulatedMarket
from optionscanner.adapters.simulated.universe import load_names
from optionscanner.app_daily_volatility import closing_values
from optionscanner.clocks import ManualClock
from optionscanner.config import Config
from optionscanner.errors import HistoryError, UnknownDate
from optionscanner.history.daily_context import prepared
from optionscanner.history.daily_reader import DailyReader
from optionscanner.history.daily_schema import DAILY_FILE
from optionscanner.history.daily_store import DailyStore, ImportedFile
from optionscanner.model.calendar import TradingCalendar
from optionscanner.model.context import DayContext
from optionscanner.model.daily import DAILY_TABLES, EOD_CONTRACT, MARKET_LOT
from optionscanner.model.exposures import PastExposure

Say = Callable[[str], None]

MOST_SENTENCES = 40
"""Refusals that are told one by one: a folder of downloads may hold thousands of other files."""
_SIMULATED = re.compile(r"simulated market, seed (\d+)")


@dataclass
class DailyImport:
    """What an import did: rows read = stored + repeated + refused + left out."""

    files: int = 0
    read: int = 0
    known: int = 0
    """Files that were imported before with the same content."""
    refused_files: int = 0
    rows: int = 0
    stored: int = 0
    repeated: int = 0
    refused: int = 0
    left_out: int = 0
    touched: set[date] = field(default_factory=set)
    """Sessions of which F&O bhavcopies gave something new."""
    volatilities: int = 0
    """Sessions whose volatility was computed."""

    def add(self, done: ImportedFile, *, known: bool) -> None:
        """Count one file; of a known one every row is repeated that was stored or repeated then."""
        self.files += 1
        self.known += known
        self.read += not known and done.kind is not None
        self.refused_files += not known and done.kind is None
        self.rows += done.rows_read
        self.stored += 0 if known else done.stored
        self.repeated += done.repeated + (done.stored if known else 0)
        self.refused += done.refused
        self.left_out += done.left_out

    @property
    def sentences(self) -> tuple[str, str]:
        """The sums that account for every file and every row."""
        return (
            f"files: {self.files:,} found = {self.read:,} read + {self.known:,} known already + "
            f"{self.refused_files:,} refused",
            f"rows: {self.rows:,} read = {self.stored:,} stored + {self.repeated:,} repeated + "
            f"{self.refused:,} refused + {self.left_out:,} left out",
        )


def daily_path(config: Config, options: cli.Options) -> Path:
    """The file of daily values: in the folder of the history that is named, else of all of them."""
    folder = options.history.parent if options.history is not None else config.history.folder
    return folder / DAILY_FILE


def import_daily(
    folder: Path,
    place: Path,
    *,
    config: Config,
    calendar: TradingCalendar,
    say: Say,
    warn: Say,
    since: float | None = None,
) -> DailyImport:
    """Bring a folder of daily files into the file at `place`; each file that is refused in
    whole or part is one sentence to `warn`, up to `MOST_SENTENCES`.

    `since` [s since 1970 UTC] leaves out what came into the folder before.

    Raises RecordingError where there is no such folder, HistoryError or HistoryBusy where the file cannot be used.
    """
    done, store = DailyImport(), DailyStore(place)
    told = 0

    def tell(sentence: str) -> None:
        nonlocal told
        told += 1
        if told <= MOST_SENTENCES:
            warn(sentence)

    try:
        for part in parts_of_folder(folder, since=since):
            if isinstance(part, DailyFile):
                tell(part.sentence)
                done.add(store.put_refused(ImportedFile(part.name, "", sentence=part.sentence)), known=False)
                continue
            digest = digest_of(part)
            before = store.known(part.name, digest)
            if before is not None:
                done.add(before, known=True)
                continue
            file = read_file(part)
            if file.sentence:
                tell(file.sentence)
            done.add(_put(store, file, digest, done.touched), known=False)
        done.volatilities = _volatilities(store, done.touched, config, calendar)
    finally:
        store.close()
    if told > MOST_SENTENCES:
        warn(f"and {told - MOST_SENTENCES:,} files more were refused in whole or part; table daily_file says why")
    for sentence in done.sentences:
        say(sentence)
    say(f"volatility and exposure at the close: computed for {done.volatilities:,} sessions; daily values in {place}")
    return done


def _put(store: DailyStore, file: DailyFile, digest: str, touched: set[date]) -> ImportedFile:
    reading = file.reading
    if reading is None:
        return store.put_refused(ImportedFile(file.name, digest, sentence=file.sentence))
    counted = ImportedFile(
        file.name,
        digest,
        refused=sum(reading.refused.values()),
        left_out=sum(reading.left_out.values()),
        sentence=file.sentence,
    )
    done = store.put(counted, reading.table, reading.frame)
    if reading.table is EOD_CONTRACT and done.stored:
        touched.update(date.fromisoformat(day) for day in reading.dates)
    return done


def _volatilities(store: DailyStore, touched: set[date], config: Config, calendar: TradingCalendar) -> int:
    """Compute what is missing, or rests on rows that changed; returns how many sessions."""
    with DailyReader(store.path) as reader:
        done = set(reader.dates("daily_iv")) & set(reader.dates("daily_exposure"))
        due = touched | (set(reader.dates(EOD_CONTRACT.name)) - done)
        for day in sorted(due):
            found = closing_values(reader, day, calendar, config.engine(day))
            store.put_computed(day, found.chains, found.names, found.exposures)
    return len(due)


def held_words(place: Path) -> str:
    """What the file of daily values holds, for people; raises HistoryError where it cannot be used."""
    with DailyReader(place) as reader:
        held = {table.title: reader.dates(table.name) for table in DAILY_TABLES if table.name != MARKET_LOT.name}
    words = [f"{title} {len(days):,} to {days[-1]:%d-%b-%Y}" for title, days in held.items() if days]
    return f"{place}: sessions of {', '.join(words)}" if words else f"{place}: holds nothing yet"


def day_preparer(place: Path, calendar: TradingCalendar, say: Say, warn: Say) -> Callable[[DayContext], DayContext]:
    """What fills a recorded or live day from the file at `place`; a day stays as it is where that has nothing.

    `say` takes a sentence about what was found, `warn` one about what cannot be used.
    """

    def prepare(day: DayContext) -> DayContext:
        # An invented day stands on a date of its own, of which no exchange has published anything.
        if not place.exists() or day.session.kind == "fictitious":
            return day
        try:
            previous = calendar.previous_trading_day(day.session.date)
            before = calendar.previous_trading_day(previous)
            with DailyReader(place) as reader:
                done = prepared(reader, day, previous=previous, before=before)
            say(_found_sentence(done))
            return done
        except UnknownDate as error:
            warn(f"daily values: not used for {day.session.date:%d-%b-%Y}: {error}")
        except HistoryError as error:
            warn(str(error))
        return day

    return prepare


def known_exposure(day: DayContext, stored: PastExposure | None) -> PastExposure | None:
    """Gamma exposure of earlier sessions: from daily files, and from the history `stored` where these say nothing."""
    filed = day.daily.exposure if day.daily is not None else None
    if filed is None or stored is None:
        return filed or stored
    return filed.filled(stored)


def invented_again(source: str, calendar: TradingCalendar, strength: float) -> Callable[[DayContext], DayContext]:
    """What gives the day of a recorded simulation what the simulated market had invented for it.

    `source`: as the recording names it; a day of any other source stays as it is.
    """

    def prepare(day: DayContext) -> DayContext:
        match = _SIMULATED.fullmatch(source)
        names = day.layout.names
        if match is None or not set(names) <= {name.symbol for name in load_names()}:
            return day
        clock = ManualClock(day.session.opens.timestamp(), None, Event())
        market = SimulatedMarket(seed=int(match[1]), clock=clock, calendar=calendar, symbols=names, strength=strength)
        own = market.day.layout
        if (own.names, own.future_keys) != (names, day.layout.future_keys):
            return day
        return replace(day, daily=market.day.daily)

    return prepare


def _found_sentence(day: DayContext) -> str:
    """Which kinds of daily files serve the day, and which are missing."""
    daily = day.daily
    assert daily is not None, "a day that was prepared"
    kinds = len(daily.found) + len(daily.missing)
    found = f"daily files before {day.session.date:%d-%b-%Y}: {len(daily.found)} of {kinds} kinds"
    lacking = ", ".join(daily.missing)
    return f"{found}; missing: {lacking}; SYSTEM_HEALTH says what stays blank" if lacking else found
