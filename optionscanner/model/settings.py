"""Frozen engine parameters. Their documentation for users stands in `config.yaml`, beside each key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from optionscanner.model.picture import BorderSettings


@dataclass(frozen=True, slots=True)
class PricingSettings:
    """How forwards and volatilities are had from quotes."""

    rate: float = 0.0525
    """Continuously compounded, decimal a year, in force on the trading date."""
    dividend_yield: float = 0.0
    """Decimal a year; only used when the forward must come from carry."""
    tight_spread: float = 0.001
    """A future's mid counts when its spread is at most this share of the mid."""
    future_age: float = 30.0
    """Seconds a future's last trade may be old to be a forward."""
    trade_age: float = 180.0
    """Seconds after which a last trade says little about the market now."""
    parity_width: float = 0.02
    """Strikes within this share of the spot take part in put-call parity on two-sided quotes."""
    parity_strikes: int = 5
    """How many strikes nearest the money take part where only last trades are known."""
    wide_spread: float = 0.5
    """A spread above this share of the mid makes a volatility unreliable."""
    least_ticks: float = 2.0
    """Ticks of time value under which a volatility is unreliable."""
    last_minute: float = 60.0
    """Seconds before the horizon from which no volatility or Greek is given."""


@dataclass(frozen=True, slots=True)
class VolatilitySettings:
    """Skew, and the place of volatility in the year."""

    delta_gap: float = 0.2
    """Deltas of the two strikes around 25 delta may differ by this much, else the skew is blank."""
    least_sessions: int = 60
    """Days of daily volatility below which rank and percentile are blank."""


@dataclass(frozen=True, slots=True)
class OpenInterestSettings:
    """Whole-chain readings of open interest."""

    min_coverage: float = 0.9
    """Share of listed legs that must be current, else whole-chain numbers are blank."""
    window: int = 5
    """Strikes on each side of ATM in the windowed put-call ratio."""
    pcr_bearish: float = 0.7
    pcr_bullish: float = 1.3


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """Changes of open interest over 3, 5, 10, 15 and 30 minutes, and what is made of them."""

    limit_3_pct: float = 5.0
    """Change of a leg's open interest beyond which it is told, %; 0 tells nothing."""
    limit_5_pct: float = 8.0
    limit_10_pct: float = 10.0
    limit_15_pct: float = 15.0
    limit_30_pct: float = 25.0
    patience: float = 180.0
    """Seconds that an observation may be older than the end of a window for which it stands."""
    early: float = 15.0
    """Seconds by which a window may be too short where nothing older is known: polls are not that punctual."""
    open_within: float = 900.0
    """Seconds after the session's open in which a first observation still stands for the open."""
    opening_range: float = 900.0
    """Seconds after the session's open whose highest and lowest price are the opening range."""
    open_interest_band_pct: float = 0.5
    """Changes of open interest within +/- this are no change for build-up and trend, %."""
    price_band_pct: float = 0.05
    """Changes of the price within +/- this are no change for build-up, %."""

    @property
    def limits(self) -> tuple[float, ...]:
        """% for each of `model.anchors.WINDOWS`."""
        return (self.limit_3_pct, self.limit_5_pct, self.limit_10_pct, self.limit_15_pct, self.limit_30_pct)


@dataclass(frozen=True, slots=True)
class ExposureSettings:
    """Dealer exposure."""

    gex_sign: Literal["dealer", "documented"] = "dealer"
    """dealer: calls less puts (dealers long calls, short puts); documented: puts less calls."""
    within_days: int = 60
    """Expiries up to this many calendar days ahead belong to an underlying's sum."""
    flip_range_pct: float = 10.0
    """The gamma flip is sought this far on both sides of the forward, %."""
    neutral_pct: float = 5.0
    """gex_share_pct within +/- this is neutral, %."""
    literal_crore: float = 5.0
    """gex within +/- this is neutral by the documented rule, ₹ crore per 1 %."""
    min_priced: float = 0.7
    """Share of open interest whose strike must have a volatility, else exposure is blank."""


@dataclass(frozen=True, slots=True)
class FlowSettings:
    """EWMA of open-interest flow."""

    half_life: float = 900.0
    """Seconds after which an observation has half its weight."""
    atm_scale: float = 2.0
    """Strikes over which the ATM weight falls by a factor e."""
    dead_band_pct: float = 0.1
    """flow_pct within +/- this is neutral for every chain, %."""
    dead_band_noise: float = 0.8
    """flow_pct within +/- this many times the chain's usual step is neutral."""
    least_flow_noise: float = 8.0
    """Times the usual step that each of the two steps which make a regime must exceed by itself."""
    noise_half_life: float = 3600.0
    """Seconds after which a step has half its weight in the usual size of steps."""
    usual_flow_pct: float = 0.3
    """Size of a step assumed before the first one, % of ATM-weighted open interest."""
    warm_up_steps: int = 8
    """Steps of the day before which no regime begins: until then the usual size is a guess."""
    min_step: float = 60.0
    """Seconds that at least pass between two steps; legs that change meanwhile belong to the next one."""
    reset_gap: float = 1800.0
    """Seconds without a distinct observation of open interest after which the means start anew."""


@dataclass(frozen=True, slots=True)
class ActivitySettings:
    """Volume/OI scan."""

    index_ratio: float = 0.5
    stock_ratio: float = 0.5
    """Volume over open interest above which a leg is an event."""
    percentile: float = 95.0
    """Least percentile within the chain at this moment; 0 switches it off (the documented literal rule)."""
    min_contracts: float = 500.0
    """Least volume, contracts."""
    min_premium: float = 1.0
    """Least price, ₹."""
    min_rise_pct: float = 3.0
    """Least rise of the leg's open interest over the last step for the event to count, % of what it held."""
    near_strikes: int = 3
    """Strikes from ATM within which an event is near the money."""
    iv_dead_band: float = 0.0005
    """Changes of volatility within +/- this are no change, decimal."""
    shown: int = 400
    """Events kept per cycle, best first; the best that counts of each chain is kept in any case."""


@dataclass(frozen=True, slots=True)
class UnusualSettings:
    """Unusual activity; the limits of volume and premium are those of the volume/OI scan."""

    otm_pct: float = 5.0
    """A strike further out of the money than this takes part in accumulation, % of the ATM strike."""
    otm_times: float = 3.0
    """Times its usual change that such a strike must add."""
    least_changes: int = 5
    """Observations of a leg's open interest from which its usual change is known."""
    least_legs: int = 20
    """Other traded legs of a chain from which a percentile within it is given."""
    least_sessions: int = 5
    """Stored sessions from which a percentile is against the same time of the day; the last 20 are looked back on."""


@dataclass(frozen=True, slots=True)
class ReadinessSettings:
    """Trade readiness; its weights are fixed, these are its windows and bands."""

    first_minutes: float = 10.0
    last_minutes: float = 15.0
    aggressive: float = 80.0
    normal: float = 60.0
    small: float = 40.0


@dataclass(frozen=True, slots=True)
class StaleSettings:
    """When a name's numbers are too old to signal."""

    amber_refreshes: float = 2.0
    grey_refreshes: float = 3.0
    at_least: float = 60.0
    """Seconds below which nothing is grey."""


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """What is told."""

    rearm_below: float = 70.0
    """Readiness below which a rise into the top band would be told again."""
    cool_down: float = 1800.0
    """Seconds between two alerts of one kind and name; not for regime flips and put-call ratios."""
    stock_flips: bool = False
    """Whether regime flips of stocks are told as well as those of indices."""
    stock_gamma: bool = True
    """Whether gamma flips of stocks are told as well."""
    stock_ratios: bool = False
    """Whether turns and extremes of the put-call ratio of stocks are told as well."""
    otm_rise_pct: float = 10.0
    """Least rise of a leg's open interest in a step for its accumulation to be told, % of what it held."""
    unusual_volume: bool = False
    """Whether unusual volume is told as well as accumulation out of the money."""
    gamma_band_pct: float = 0.1
    """A spot within this of the gamma flip is on neither side of it, %."""
    stock_gamma_pct: float = 2.0
    """GEX of a stock within +/- this share of all its gamma has no sign, %."""
    ratio_margin: float = 0.05
    """How far inside its limit a put-call ratio must come back before it is told again."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Parameters of all engines; their digest is the settings version of a session."""

    border: BorderSettings = field(default_factory=BorderSettings)
    pricing: PricingSettings = field(default_factory=PricingSettings)
    volatility: VolatilitySettings = field(default_factory=VolatilitySettings)
    open_interest: OpenInterestSettings = field(default_factory=OpenInterestSettings)
    windows: WindowSettings = field(default_factory=WindowSettings)
    exposure: ExposureSettings = field(default_factory=ExposureSettings)
    flow: FlowSettings = field(default_factory=FlowSettings)
    activity: ActivitySettings = field(default_factory=ActivitySettings)
    unusual: UnusualSettings = field(default_factory=UnusualSettings)
    readiness: ReadinessSettings = field(default_factory=ReadinessSettings)
    stale: StaleSettings = field(default_factory=StaleSettings)
    alerts: AlertSettings = field(default_factory=AlertSettings)
