"""What a trading day takes from the file of daily values. Main entry: `prepared`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from optionscanner.history.daily_reader import Closings, DailyReader
from optionscanner.model.context import DayContext
from optionscanner.model.contracts import Layout
from optionscanner.model.daily import KINDS, DailyContext, DayEvent, Listing, by_expiry, lot_change

SESSIONS = 252
"""A year of trading days."""
_AHEAD = timedelta(days=7)
_WHOLE = 0.9
"""Share of the names above which a file counts as one of the whole market."""


def prepared(reader: DailyReader, day: DayContext, *, previous: date, before: date) -> DayContext:
    """The day with what daily files know of `previous`, the trading day before, and of `before`, the one before that.

    Closing open interest and closes fill only where the source has none; a leg that has them counts as listed.
    """
    layout, today = day.layout, day.session.date
    closings = reader.closings(layout, previous)
    daily = _context(reader, layout, today, closings, previous=previous, before=before)
    known = np.isfinite(closings.open_interest)
    return replace(
        day,
        listed=day.listed | known,
        previous_open_interest=_filled(day.previous_open_interest, closings.open_interest),
        previous_close=_filled(day.previous_close, closings.close),
        daily=daily,
    )


def _filled(own: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(own), own, others)


def _context(
    reader: DailyReader, layout: Layout, today: date, closings: Closings, *, previous: date, before: date
) -> DailyContext:
    spots = reader.spots(layout, previous)
    banned, banned_before = reader.banned(today), reader.banned(previous)
    both = banned is not None and banned_before is not None
    iv_dates, iv_history = reader.iv_history(layout.names, today, SESSIONS)
    vix_dates, vix_history = reader.vix(today, SESSIONS)
    events = tuple(
        DayEvent(date.fromisoformat(row["trading_date"]), row["underlying"], row["kind"], row["description"])
        for _, row in reader.table("event", previous, today + _AHEAD).iterrows()
    )
    context = DailyContext(
        previous_session=previous,
        spot_open=spots["open"],
        spot_high=spots["high"],
        spot_low=spots["low"],
        spot_close=spots["close"],
        future_open_interest=closings.future_open_interest,
        future_close=closings.future_close,
        banned=np.array([np.nan if banned is None else float(name in banned) for name in layout.names]),
        ban_entered=tuple(sorted((banned or frozenset()) - (banned_before or frozenset()))) if both else (),
        ban_left=tuple(sorted((banned_before or frozenset()) - (banned or frozenset()))) if both else (),
        iv_dates=iv_dates,
        iv_history=iv_history,
        positions=reader.positions(previous),
        positions_before=reader.positions(before),
        fii_crore=reader.fii_crore(previous),
        vix_close=float(vix_history[-1]) if vix_dates[-1:] == (previous,) else float("nan"),
        vix_history=vix_history,
        lot_changes=tuple(_lot_changes(reader, layout, closings, today)),
        events=events,
        bans_compared=both,
        listing=_listing(reader, layout, today, previous=previous, before=before),
        market_change_pct=reader.market_change_pct(previous, before),
        exposure=reader.past_exposure(layout, today),
    )
    missing, found = _account(reader, context, closings, layout, today)
    return replace(context, missing=missing, found=found)


def _listing(reader: DailyReader, layout: Layout, today: date, *, previous: date, before: date) -> Listing | None:
    """What is new in the day's layout or gone from the bhavcopies; None where that of `previous` is not whole.

    A layout may hold a part of the market, as recordings do: what it lacks is not gone.
    """
    listed, earlier = reader.listed(previous), reader.listed(before)
    exchanges = {exchange for exchange, _, _ in listed}
    theirs = {(exchange, name) for exchange, name, _ in listed}
    own = {
        (layout.underlyings[u].exchange, key.underlying, key.expiry)
        for u, key in zip(layout.segment_underlying, layout.segment_keys, strict=True)
        if layout.underlyings[u].exchange in exchanges
    }
    known = {(exchange, name) for exchange, name, _ in own}
    if not known or len(known & theirs) < _WHOLE * len(known):
        return None
    alive = {(exchange, name) for exchange, name, expiry in listed if expiry >= today}
    gone = theirs - alive
    if len(theirs) >= _WHOLE * len({(exchange, name) for exchange, name, _ in earlier}):
        # A name that was taken off the list with contracts that had not expired, such as one that was renamed.
        still = {(exchange, name) for exchange, name, expiry in earlier if expiry >= today and exchange in exchanges}
        gone |= still - theirs
    passed = {(expiry, name) for _, name, expiry in listed if previous <= expiry < today}
    added = {(expiry, name) for exchange, name, expiry in own - listed if (exchange, name) in theirs}
    return Listing(
        new_symbols=tuple(sorted(name for _, name in known - theirs)),
        gone_symbols=tuple(sorted(name for _, name in gone)),
        new_expiries=by_expiry(added),
        gone_expiries=by_expiry(passed),
    )


def _lot_changes(reader: DailyReader, layout: Layout, closings: Closings, today: date) -> Iterator[str]:
    """A sentence for each chain whose lot is another than that of the previous session or of the list of lots."""
    for segment, key in enumerate(layout.segment_keys):
        lot = float(layout.segment_lot_size[segment])
        was, listed = float(closings.lot_size[segment]), reader.listed_lot(key, today)
        if np.isfinite(was) and was != lot:
            yield lot_change(key.underlying, key.expiry, lot=lot, was=was)
        elif np.isfinite(listed) and listed != lot:
            yield f"{key.underlying} {key.expiry:%d-%b-%Y}: lot {lot:g}, {listed:g} in the list of lots"


def _account(
    reader: DailyReader, context: DailyContext, closings: Closings, layout: Layout, today: date
) -> tuple[dict[str, str], dict[str, str]]:
    """Sentences for the kinds of files that are not there, and words for those that are."""
    day, now = f"{context.previous_session:%d-%b-%Y}", f"{today:%d-%b-%Y}"
    legs, spots = int(np.isfinite(closings.open_interest).sum()), int(np.isfinite(context.spot_close).sum())
    lots = sum(np.isfinite(reader.listed_lot(key, today)) for key in layout.segment_keys)
    days = len(context.iv_dates)
    checks = (
        ("F&O bhavcopy", legs, f"{legs:,} of {2 * layout.rows:,} legs of {day}", f"of {day} is not there"),
        ("index closes and cash bhavcopy", spots, f"{spots} of {len(layout.names)} underlyings of {day}",
         f"of {day} are not there"),
        ("participant-wise positions", context.positions is not None, day, f"of {day} are not there"),
        ("FII statistics", bool(context.fii_crore), day, f"of {day} are not there"),
        ("ban list", bool(np.isfinite(context.banned).any()), f"for {now}", f"for {now} is not there"),
        ("India VIX", np.isfinite(context.vix_close), day, f"of {day} is not there"),
        ("market lots", lots, f"{lots} of {layout.segments} chains", "are not there for these expiries"),
        ("daily volatility", days, f"{days} sessions before {now}", f"before {now} is not there"),
    )  # fmt: skip
    missing = {title: f"{title} {why}: {KINDS[title]}" for title, there, _, why in checks if not there}
    return missing, {title: words for title, there, words, _ in checks if there}
