"""What one cycle hands to the sinks: frozen, picklable, complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from optionscanner.model.chains import Chains
from optionscanner.model.control import Control
from optionscanner.model.open_interest_map import OpenInterestMap
from optionscanner.model.pricing import Pricing
from optionscanner.model.readings import Reading
from optionscanner.model.sessions import RunSession
from optionscanner.model.state import State
from optionscanner.model.trails import Trails


@dataclass(frozen=True, slots=True)
class Failure:
    """An engine or a sink that failed in this cycle, or a name that was left out."""

    where: str
    """Engine or sink."""
    underlying: str
    """Name that raised, "" where it concerns all."""
    sentence: str


@dataclass(frozen=True, slots=True)
class HealthItem:
    """One line of SYSTEM_HEALTH."""

    item: str
    value: str | float | None
    limit: str
    state: str
    """OK, WARN or BAD."""
    since: float
    """Seconds since 1970 UTC; NaN where it does not matter."""
    what_to_do: str


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the event log on SYSTEM_HEALTH; errors of one kind are one line with a count."""

    at: float
    where: str
    what: str
    action: str
    times: int


@dataclass(frozen=True)
class CycleReport:
    """One cycle, as stored and shown."""

    session: RunSession
    cycle: int
    """Counts from 1 within the session."""
    as_of: float
    """Instant of the cycle by the session's clock, seconds since 1970 UTC."""
    chains: Chains
    pricing: Pricing
    readings: Mapping[str, Reading]
    """table name -> reading; a failed engine's reading is absent."""
    alerts: Reading
    """Alerts raised by this cycle."""
    state: State
    """Flow state after this cycle."""
    failures: tuple[Failure, ...] = ()
    health: tuple[HealthItem, ...] = ()
    events: tuple[Event, ...] = ()
    recent_alerts: Reading | None = None
    """Alerts of the day so far, newest first, for the sheet."""
    speed: str = ""
    """Speed of a replay as the mode cell shows it, e.g. x60."""
    ended: bool = False
    """Whether the session has seen all that it will see of the day."""
    closed_words: str = ""
    """Why and until when the market is closed, empty while it is open."""
    message: str = ""
    """Newest message of the engine, one sentence."""
    timings: Mapping[str, float] = field(default_factory=dict)
    """step -> milliseconds."""
    open_interest_map: OpenInterestMap | None = None
    """Open interest of every leg in each quarter hour of the session; None where nobody follows it."""
    trails: Trails | None = None
    """How each name's headline numbers moved since the open; None where nobody follows them."""
    control: Control | None = None
    """What the user set and what was answered; None where nobody listens."""
