"""What one stand-in is set to: its account, how it counts, how long things last."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Account:
    """The one client of the stand-in. All of it is invented."""

    client_code: str = "T12345"
    pin: str = "4821"
    totp_secret: str = "JBSWY3DPEHPK3PXPJBSWY3DPEH"
    """26 letters: pyotp refuses secrets under 112 bits."""
    api_key: str = "standKEY"
    name: str = "STAND IN"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that differs between one stand-in and another; the defaults are the broker's published behaviour."""

    account: Account = field(default_factory=Account)
    start: float | None = None
    """The broker's time at start [s since 1970 UTC]; None for the open of the market's session."""
    speed: float = 1.0
    """The broker's seconds per real second; 0 stands still."""
    wall: Literal["machine", "broker"] = "machine"
    """Whose time TOTP, tokens and the Date header follow: the computer's, or the market's."""
    limits: Literal["real", "scaled", "off"] = "real"
    """A window of one second is a real one, one of the broker's (at speed 10 a tenth of a real one), or none."""
    limit_grace: float = 0.0
    """Real seconds by which windows are shorter, so that a busy machine, which takes requests late, does not count
    what nobody did."""
    tick_seconds: float = 0.2
    """Real seconds between looks at the market for what to push."""
    snapshot_on_subscribe: bool = True
    """A new subscription gets the last known values at once; the broker's documents do not say."""
    idle_seconds: float = 120.0
    """Real seconds after which a feed that sent nothing is closed with 1001 "Connection Idle Timeout"."""
    protocol_ping_counts: bool = True
    """Whether a protocol ping keeps a feed from idling; the broker's documents do not say."""
    connections: int = 3
    """Feed connections of one client code."""
    subscriptions: int = 1000
    """(token, mode) pairs of one feed connection."""
    depth_tokens: int = 50
    """Tokens of one connection in mode 4."""
    rapid_connections: int = 3
    """The connection attempt of this number within `rapid_seconds` is dropped without an answer; 0 never drops."""
    rapid_seconds: float = 1.0
    wrong_pins: int = 5
    """Wrong PINs in a row after which the client is blocked."""
    session_seconds: float | None = None
    """Life of a token by the wall's time; None for until midnight in India."""
    order_addresses: tuple[str, ...] | None = None
    """Addresses from which orders are taken; None for any."""
    master_rows: int = 0
    """Rows of the instrument master, at least; invented cash rows fill it up (the real one has some 145,000)."""
