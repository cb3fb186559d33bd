"""The sections of `config.yaml`, one class each: keys, types, ranges, defaults, and rules between keys.

A key with a unit carries it in its name (``_s`` seconds, ``_pct`` per cent, ``_mb`` megabytes). Defaults of the
engines come from `model/settings.py`; what each key means and why stands in `config.yaml`.
"""

from __future__ import annotations

import itertools
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, model_validator

from optionscanner.model.settings import EngineSettings

_DEFAULT = EngineSettings()
_DAY_S = 86_400
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9&-]*")
_SYMBOLS = "a list of exchange symbols in capitals such as NIFTY, M&M or BAJAJ-AUTO, each once"


def _path(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not value.strip() or "\0" in value:
        raise ValueError("empty")
    try:
        return Path(value).expanduser()
    except RuntimeError as error:  # a ~ whose home is not known
        raise ValueError(str(error)) from error


def _workbook_path(path: Path) -> Path:
    if path.suffix.lower() not in (".xlsx", ".xlsm"):
        raise ValueError("not .xlsx or .xlsm")
    return path


def _symbols(names: object) -> tuple[str, ...]:
    if not isinstance(names, tuple) or len(set(map(repr, names))) != len(names):
        raise ValueError("not a list, or one twice")
    for name in names:
        if not isinstance(name, str) or not _SYMBOL.fullmatch(name):
            raise ValueError("not a symbol")
    return names


def _one_symbol(name: str) -> str:
    return _symbols((name,))[0]


def _all_or_symbols(names: object) -> tuple[str, ...] | Literal["all"]:
    return "all" if names == "all" else _symbols(names or None)


Folder = Annotated[Path, BeforeValidator(_path)]
_Symbol = Annotated[str, AfterValidator(_one_symbol)]
_ONE_SYMBOL = "an exchange symbol in capitals such as NIFTY or M&M"
_Symbols = Annotated[tuple[str, ...], PlainValidator(_symbols)]


def _rising(section: str, **values: float) -> None:
    """Raise where the values of these keys do not rise strictly in the order given."""
    in_order = list(values.values())
    if any(later <= earlier for earlier, later in itertools.pairwise(in_order)):
        came = ", ".join(f"{value:g}" for value in in_order)
        raise ValueError(f"{section}: {' < '.join(values)} must hold, came {came}.")


class Section(BaseModel):
    """What all sections share: strict types, no unknown keys, never changed, an empty section means its defaults."""

    # Built at first use: importing this must do nothing, and pydantic would look for its plug-ins.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _empty(cls, values: Any) -> Any:
        return {} if values is None else values


class Border(Section):
    """What is refused or blanked when market data comes in."""

    stamp_lag: float = Field(
        default=_DEFAULT.border.stamp_lag, ge=0, le=_DAY_S, alias="stamp_lag_s", description="seconds"
    )
    close_grace: float = Field(
        default=_DEFAULT.border.close_grace, ge=0, le=7200, alias="close_grace_s", description="seconds"
    )
    coverage_window: float = Field(
        default=_DEFAULT.border.coverage_window, ge=1, le=_DAY_S, alias="coverage_window_s", description="seconds"
    )
    absurd_spot: float = Field(default=_DEFAULT.border.absurd_spot, ge=0.01, le=1, description="share")


class Pricing(Section):
    """How forwards and volatilities are had from quotes; the interest rate stands in `rates`."""

    dividend_yield: float = Field(default=_DEFAULT.pricing.dividend_yield, ge=0, le=0.2, description="decimal a year")
    tight_spread: float = Field(default=_DEFAULT.pricing.tight_spread, ge=0, le=0.1, description="share of the mid")
    future_age: float = Field(
        default=_DEFAULT.pricing.future_age, ge=0, le=_DAY_S, alias="future_age_s", description="seconds"
    )
    trade_age: float = Field(
        default=_DEFAULT.pricing.trade_age, ge=0, le=_DAY_S, alias="trade_age_s", description="seconds"
    )
    parity_width: float = Field(
        default=_DEFAULT.pricing.parity_width, ge=0.001, le=0.5, description="share of the spot"
    )
    parity_strikes: int = Field(default=_DEFAULT.pricing.parity_strikes, ge=1, le=50, description="strikes")
    wide_spread: float = Field(default=_DEFAULT.pricing.wide_spread, ge=0.01, le=2, description="share of the mid")
    least_ticks: float = Field(default=_DEFAULT.pricing.least_ticks, ge=0, le=100, description="ticks")
    last_minute: float = Field(
        default=_DEFAULT.pricing.last_minute, ge=0, le=3600, alias="last_minute_s", description="seconds"
    )


class Volatility(Section):
    """Skew, and the place of volatility in the year."""

    delta_gap: float = Field(default=_DEFAULT.volatility.delta_gap, ge=0.01, le=1, description="delta")
    least_sessions: int = Field(default=_DEFAULT.volatility.least_sessions, ge=2, le=252, description="sessions")


class OpenInterest(Section):
    """Whole-chain readings of open interest."""

    min_coverage: float = Field(default=_DEFAULT.open_interest.min_coverage, ge=0, le=1, description="share")
    window: int = Field(
        default=_DEFAULT.open_interest.window, ge=1, le=50, alias="window_strikes", description="strikes"
    )
    pcr_bearish: float = Field(default=_DEFAULT.open_interest.pcr_bearish, ge=0, le=10, description="ratio")
    pcr_bullish: float = Field(default=_DEFAULT.open_interest.pcr_bullish, ge=0, le=10, description="ratio")

    @model_validator(mode="after")
    def _ordered(self) -> OpenInterest:
        _rising("open_interest", pcr_bearish=self.pcr_bearish, pcr_bullish=self.pcr_bullish)
        return self


def _limit(minutes: int) -> Any:
    name = f"limit_{minutes}_pct"
    return Field(default=getattr(_DEFAULT.windows, name), ge=0, le=1000, description="per cent")


class Windows(Section):
    """Changes of open interest over 3, 5, 10, 15 and 30 minutes, and what is made of them."""

    limit_3_pct: float = _limit(3)
    limit_5_pct: float = _limit(5)
    limit_10_pct: float = _limit(10)
    limit_15_pct: float = _limit(15)
    limit_30_pct: float = _limit(30)
    patience: float = Field(
        default=_DEFAULT.windows.patience, ge=0, le=540, alias="patience_s", description="seconds"
    )
    early: float = Field(default=_DEFAULT.windows.early, ge=0, le=60, alias="early_s", description="seconds")
    open_within: float = Field(
        default=_DEFAULT.windows.open_within, ge=0, le=_DAY_S, alias="open_within_s", description="seconds"
    )
    opening_range: float = Field(
        default=_DEFAULT.windows.opening_range, ge=0, le=_DAY_S, alias="opening_range_s", description="seconds"
    )
    open_interest_band_pct: float = Field(
        default=_DEFAULT.windows.open_interest_band_pct, ge=0, le=100, description="per cent"
    )
    price_band_pct: float = Field(default=_DEFAULT.windows.price_band_pct, ge=0, le=100, description="per cent")


class Exposure(Section):
    """Dealer exposure."""

    gex_sign: Literal["dealer", "documented"] = _DEFAULT.exposure.gex_sign
    within_days: int = Field(default=_DEFAULT.exposure.within_days, ge=0, le=2000, description="days")
    flip_range_pct: float = Field(default=_DEFAULT.exposure.flip_range_pct, ge=1, le=50, description="per cent")
    neutral_pct: float = Field(default=_DEFAULT.exposure.neutral_pct, ge=0, le=100, description="per cent")
    literal_crore: float = Field(default=_DEFAULT.exposure.literal_crore, ge=0, le=1e6, description="₹ crore")
    min_priced: float = Field(default=_DEFAULT.exposure.min_priced, ge=0, le=1, description="share")


class Flow(Section):
    """EWMA of open-interest flow."""

    half_life: float = Field(
        default=_DEFAULT.flow.half_life, ge=1, le=_DAY_S, alias="half_life_s", description="seconds"
    )
    atm_scale: float = Field(
        default=_DEFAULT.flow.atm_scale, ge=0.1, le=100, alias="atm_scale_strikes", description="strikes"
    )
    dead_band_pct: float = Field(default=_DEFAULT.flow.dead_band_pct, ge=0, le=100, description="per cent")
    dead_band_noise: float = Field(
        default=_DEFAULT.flow.dead_band_noise, ge=0, le=100, description="times the usual step"
    )
    least_flow_noise: float = Field(
        default=_DEFAULT.flow.least_flow_noise, ge=0, le=100, description="times the usual step"
    )
    noise_half_life: float = Field(
        default=_DEFAULT.flow.noise_half_life, ge=1, le=_DAY_S, alias="noise_half_life_s", description="seconds"
    )
    usual_flow_pct: float = Field(default=_DEFAULT.flow.usual_flow_pct, ge=0, le=100, description="per cent")
    warm_up_steps: int = Field(default=_DEFAULT.flow.warm_up_steps, ge=0, le=1000, description="steps")
    min_step: float = Field(default=_DEFAULT.flow.min_step, ge=0, le=3600, alias="min_step_s", description="seconds")
    reset_gap: float = Field(
        default=_DEFAULT.flow.reset_gap, ge=1, le=_DAY_S, alias="reset_gap_s", description="seconds"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Flow:
        _rising("flow", min_step_s=self.min_step, reset_gap_s=self.reset_gap)
        return self


class Activity(Section):
    """Volume/OI scan."""

    index_ratio: float = Field(default=_DEFAULT.activity.index_ratio, ge=0, le=1000, description="volume over OI")
    stock_ratio: float = Field(default=_DEFAULT.activity.stock_ratio, ge=0, le=1000, description="volume over OI")
    percentile: float = Field(default=_DEFAULT.activity.percentile, ge=0, le=100, description="percentile")
    min_contracts: float = Field(default=_DEFAULT.activity.min_contracts, ge=0, le=10_000_000, description="contracts")
    min_premium: float = Field(default=_DEFAULT.activity.min_premium, ge=0, le=100_000, description="₹")
    min_rise_pct: float = Field(default=_DEFAULT.activity.min_rise_pct, ge=0, le=1000, description="per cent")
    near_strikes: int = Field(default=_DEFAULT.activity.near_strikes, ge=0, le=50, description="strikes")
    iv_dead_band: float = Field(
        default=_DEFAULT.activity.iv_dead_band, ge=0, le=1, description="decimal, 0.01 = one point"
    )
    shown: int = Field(default=_DEFAULT.activity.shown, ge=1, le=5000, description="events")


class Unusual(Section):
    """Unusual activity."""

    otm_pct: float = Field(default=_DEFAULT.unusual.otm_pct, ge=0, le=100, description="per cent")
    otm_times: float = Field(default=_DEFAULT.unusual.otm_times, ge=0, le=1000, description="times the usual change")
    least_changes: int = Field(default=_DEFAULT.unusual.least_changes, ge=1, le=1000, description="observations")
    least_legs: int = Field(default=_DEFAULT.unusual.least_legs, ge=1, le=1000, description="legs")
    least_sessions: int = Field(default=_DEFAULT.unusual.least_sessions, ge=1, le=20, description="sessions")


class Readiness(Section):
    """Windows and bands of trade readiness; its weights are fixed."""

    first_minutes: float = Field(default=_DEFAULT.readiness.first_minutes, ge=0, le=120, description="minutes")
    last_minutes: float = Field(default=_DEFAULT.readiness.last_minutes, ge=0, le=120, description="minutes")
    aggressive: float = Field(default=_DEFAULT.readiness.aggressive, ge=0, le=100, description="points")
    normal: float = Field(default=_DEFAULT.readiness.normal, ge=0, le=100, description="points")
    small: float = Field(default=_DEFAULT.readiness.small, ge=0, le=100, description="points")

    @model_validator(mode="after")
    def _ordered(self) -> Readiness:
        _rising("readiness", small=self.small, normal=self.normal, aggressive=self.aggressive)
        return self


class Stale(Section):
    """When a name's numbers are too old to signal."""

    amber_refreshes: float = Field(default=_DEFAULT.stale.amber_refreshes, ge=1, le=100, description="refreshes")
    grey_refreshes: float = Field(default=_DEFAULT.stale.grey_refreshes, ge=1, le=100, description="refreshes")
    at_least: float = Field(default=_DEFAULT.stale.at_least, ge=0, le=_DAY_S, alias="at_least_s", description="seconds")

    @model_validator(mode="after")
    def _ordered(self) -> Stale:
        _rising("stale", amber_refreshes=self.amber_refreshes, grey_refreshes=self.grey_refreshes)
        return self


class Alerts(Section):
    """What is told."""

    rearm_below: float = Field(default=_DEFAULT.alerts.rearm_below, ge=0, le=100, description="points")
    cool_down: float = Field(
        default=_DEFAULT.alerts.cool_down, ge=0, le=_DAY_S, alias="cool_down_s", description="seconds"
    )
    stock_flips: bool = Field(default=_DEFAULT.alerts.stock_flips, description="true or false")
    stock_gamma: bool = Field(default=_DEFAULT.alerts.stock_gamma, description="true or false")
    stock_ratios: bool = Field(default=_DEFAULT.alerts.stock_ratios, description="true or false")
    otm_rise_pct: float = Field(default=_DEFAULT.alerts.otm_rise_pct, ge=0, le=1000, description="per cent")
    unusual_volume: bool = Field(default=_DEFAULT.alerts.unusual_volume, description="true or false")
    gamma_band_pct: float = Field(default=_DEFAULT.alerts.gamma_band_pct, ge=0, le=10, description="per cent")
    stock_gamma_pct: float = Field(default=_DEFAULT.alerts.stock_gamma_pct, ge=0, le=100, description="per cent")
    ratio_margin: float = Field(default=_DEFAULT.alerts.ratio_margin, ge=0, le=0.4, description="ratio")


class RateFrom(Section):
    """An interest rate and the date from which it holds."""

    effective_from: date = Field(alias="from", description="the first day on which it holds")
    rate: float = Field(ge=0, le=0.2, description="decimal a year, 0.0525 = 5.25 %")
    source: str = Field(min_length=1, description="text that says where the rate was published")


class Cycle(Section):
    """The engine's rhythm."""

    every_s: float = Field(default=5.0, ge=1, le=300, description="seconds")
    limit_s: float = Field(default=5.0, ge=0.1, le=300, description="seconds")
    resume_within_s: float = Field(default=1800.0, ge=0, le=_DAY_S, description="seconds")


class Workbook(Section):
    """The file that shows everything."""

    path: Annotated[Path, BeforeValidator(_path), AfterValidator(_workbook_path)] = Field(
        default=Path("workbooks/OptionsDashboard.xlsx"),
        description="the path of a file whose name ends in .xlsx or .xlsm",
    )
    front: Literal["auto", "excel", "libreoffice", "file"] = "auto"
    share_pct: float = Field(default=10.0, ge=1, le=100, description="per cent")
    save_every_s: float = Field(default=300.0, ge=0, le=86_400, description="seconds")
    units: Literal["LAKH", "CONTRACTS", "UNITS"] = "LAKH"
    strikes: int = Field(default=10, ge=1, le=10, description="strikes")
    summary_stocks: int = Field(default=25, ge=0, le=25, description="stocks")
    resort_s: float = Field(default=180.0, ge=0, le=3600, description="seconds")
    watchlist: _Symbols = Field(default=(), description=_SYMBOLS)
    oi_left: _Symbol = Field(default="NIFTY", description=_ONE_SYMBOL)
    oi_right: _Symbol = Field(default="SENSEX", description=_ONE_SYMBOL)
    oi_show: Literal["PERCENT", "CHANGE"] = "PERCENT"
    oi_3m: bool = Field(default=False, description="true or false")
    archive_days: int = Field(default=365, ge=1, le=36_500, description="days")
    eod_pdf: bool = Field(default=True, description="true or false")


class History(Section):
    """Where the history database lies; its file is named by the mode."""

    folder: Folder = Field(default=Path("var/history"), description="the path of a folder")
    retention_days: int = Field(default=30, ge=1, le=36_500, description="days")
    backups: int = Field(default=3, ge=0, le=100, description="files")


class Computer(Section):
    """What is asked of the computer."""

    keep_awake: bool = Field(default=True, description="true or false")


class Log(Section):
    """The rotating log file."""

    folder: Folder = Field(default=Path("var/log"), description="the path of a folder")
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    max_mb: float = Field(default=10.0, ge=0.1, le=1000, description="megabytes")
    backups: int = Field(default=5, ge=0, le=100, description="files")


class Simulated(Section):
    """The market that runs without any source."""

    seed: int = Field(default=7, ge=0, le=2**32 - 1, description="equal seeds give equal days")
    step_s: int = Field(default=30, ge=5, le=600, multiple_of=5, description="seconds in steps of 5")
    strength: float = Field(default=1.0, ge=0, le=10, description="times the usual size of a scene")


class Underlyings(Section):
    """Which of the names that the source delivers take part."""

    include: Annotated[tuple[str, ...] | Literal["all"], PlainValidator(_all_or_symbols)] = Field(
        default="all", description=f"the word all, or {_SYMBOLS}"
    )
    exclude: _Symbols = Field(default=(), description=_SYMBOLS)

    def takes(self, name: str) -> bool:
        """Whether an underlying takes part."""
        return name not in self.exclude and (self.include == "all" or name in self.include)

    @property
    def named(self) -> tuple[str, ...]:
        """Every name that the two lists mention, so that one which the source lacks can be reported."""
        included = () if self.include == "all" else tuple(self.include)
        return (*included, *self.exclude)


def default_rates() -> tuple[RateFrom, ...]:
    """RBI's policy repo rate, from before the first day of the trading calendar; of 2019 only what its August needs."""
    table = (
        (date(2019, 8, 7), 0.054),
        (date(2023, 2, 8), 0.065),
        (date(2025, 2, 7), 0.0625),
        (date(2025, 4, 9), 0.06),
        (date(2025, 6, 6), 0.055),
        (date(2025, 12, 5), 0.0525),
    )
    return tuple(
        RateFrom.model_validate({"from": day, "rate": rate, "source": f"RBI policy repo rate, statement of {day}"})
        for day, rate in table
    )
