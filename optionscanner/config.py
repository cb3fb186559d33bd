"""`config.yaml` → frozen settings. Main entries: `load`, `Config.engine`, `settings_version`.

The sections and their keys stand in `config_sections.py`, the reading of the text in `config_text.py`, the sentences
about what is wrong in `config_complaints.py`. Relative paths of the file count from the project folder; `load` makes
them absolute.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from datetime import date
from pathlib import Path

from pydantic import Field, PrivateAttr, ValidationError, field_validator, model_validator

from optionscanner.config_complaints import complaints, printable
from optionscanner.config_daily import Daily
from optionscanner.config_sections import (
    Activity,
    Alerts,
    Border,
    Computer,
    Cycle,
    Exposure,
    Flow,
    History,
    Log,
    OpenInterest,
    Pricing,
    RateFrom,
    Readiness,
    Section,
    Simulated,
    Stale,
    Underlyings,
    Unusual,
    Volatility,
    Windows,
    Workbook,
    default_rates,
)
from optionscanner.config_text import ConfigText, read_text
from optionscanner.errors import ConfigError, reason_of
from optionscanner.model.picture import BorderSettings
from optionscanner.model.settings import (
    ActivitySettings,
    AlertSettings,
    EngineSettings,
    ExposureSettings,
    FlowSettings,
    OpenInterestSettings,
    PricingSettings,
    ReadinessSettings,
    StaleSettings,
    UnusualSettings,
    VolatilitySettings,
    WindowSettings,
)

FILE_NAME = "config.yaml"


class Config(Section):
    """All settings of a run, checked."""

    cycle: Cycle = Field(default_factory=Cycle)
    workbook: Workbook = Field(default_factory=Workbook)
    underlyings: Underlyings = Field(default_factory=Underlyings)
    rates: tuple[RateFrom, ...] = Field(
        default_factory=default_rates,
        description="a list of entries with from, rate and source, at least one, dates rising",
    )
    border: Border = Field(default_factory=Border)
    pricing: Pricing = Field(default_factory=Pricing)
    volatility: Volatility = Field(default_factory=Volatility)
    open_interest: OpenInterest = Field(default_factory=OpenInterest)
    windows: Windows = Field(default_factory=Windows)
    exposure: Exposure = Field(default_factory=Exposure)
    flow: Flow = Field(default_factory=Flow)
    activity: Activity = Field(default_factory=Activity)
    unusual: Unusual = Field(default_factory=Unusual)
    readiness: Readiness = Field(default_factory=Readiness)
    stale: Stale = Field(default_factory=Stale)
    alerts: Alerts = Field(default_factory=Alerts)
    history: History = Field(default_factory=History)
    daily: Daily = Field(default_factory=Daily)
    log: Log = Field(default_factory=Log)
    computer: Computer = Field(default_factory=Computer)
    simulated: Simulated = Field(default_factory=Simulated)

    _file: Path | None = PrivateAttr(None)
    _note: str = PrivateAttr("")

    @property
    def file(self) -> Path | None:
        """The file that was read; None where there was none."""
        return self._file

    @property
    def note(self) -> str:
        """A sentence for the user about where the settings come from, "" when there is nothing to say."""
        return self._note

    @field_validator("rates")
    @classmethod
    def _dates_rise(cls, rates: tuple[RateFrom, ...]) -> tuple[RateFrom, ...]:
        dates = [rate.effective_from for rate in rates]
        if not dates or any(later <= earlier for earlier, later in itertools.pairwise(dates)):
            raise ValueError("empty or not rising")
        return rates

    @model_validator(mode="after")
    def _rearms_below_the_top_band(self) -> Config:
        if self.alerts.rearm_below > self.readiness.aggressive:
            raise ValueError(
                f"alerts.rearm_below must not be above readiness.aggressive ({self.readiness.aggressive:g}), came "
                f"{self.alerts.rearm_below:g}."
            )
        return self

    def engine(self, trading_date: date) -> EngineSettings:
        """The engines' parameters on a date, with the interest rate in force then.

        Raises ConfigError where `rates` begins later.
        """
        in_force = [rate for rate in self.rates if rate.effective_from <= trading_date]
        if not in_force:
            raise ConfigError(
                f"rates must hold a rate in force on {trading_date}, and begins on {self.rates[0].effective_from}: "
                "add an earlier entry with from, rate and source to config.yaml."
            )
        return EngineSettings(
            border=BorderSettings(**self.border.model_dump()),
            pricing=PricingSettings(rate=in_force[-1].rate, **self.pricing.model_dump()),
            volatility=VolatilitySettings(**self.volatility.model_dump()),
            open_interest=OpenInterestSettings(**self.open_interest.model_dump()),
            windows=WindowSettings(**self.windows.model_dump()),
            exposure=ExposureSettings(**self.exposure.model_dump()),
            flow=FlowSettings(**self.flow.model_dump()),
            activity=ActivitySettings(**self.activity.model_dump()),
            unusual=UnusualSettings(**self.unusual.model_dump()),
            readiness=ReadinessSettings(**self.readiness.model_dump()),
            stale=StaleSettings(**self.stale.model_dump()),
            alerts=AlertSettings(**self.alerts.model_dump()),
        )


def project_folder() -> Path:
    """The folder that holds `run_dashboard.py`, from which relative paths of the configuration count."""
    return Path(__file__).resolve().parent.parent


def defaults(root: Path | None = None) -> Config:
    """Every setting at its default; paths absolute, from `root`, the project folder where it is not given."""
    return _rooted(Config(), root or project_folder())


def load(path: Path | None = None, *, root: Path | None = None) -> Config:
    """The settings of a file; of `config.yaml` in the project folder where no path is given.

    Paths in it are absolute, from `root`, which is the project folder where it is not given. Only the default file may
    be missing: then every default holds, and `Config.note` says so. Raises ConfigError with one sentence per problem,
    each on its own line, for whatever else is wrong.
    """
    base = root or project_folder()
    file = path if path is not None else base / FILE_NAME
    text = _text_of(file, may_be_missing=path is None)
    if text is None:
        config = defaults(base)
        config._note = f"{file} does not exist; every setting has its default."
        return config
    config = _rooted(_checked(read_text(text, file=str(file)), str(file)), base)
    config._file = file
    return config


def settings_version(engine: EngineSettings) -> str:
    """Digest of the engines' parameters, 12 hexadecimal digits; equal parameters give equal digests everywhere."""
    plain = json.dumps(dataclasses.asdict(engine), sort_keys=True, allow_nan=False)
    return hashlib.sha256(plain.encode()).hexdigest()[:12]


def _text_of(file: Path, *, may_be_missing: bool) -> str | None:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        if may_be_missing:
            return None
        raise ConfigError(
            f"{file}: the configuration file must exist and does not; correct --config, or leave it out to use "
            f"{FILE_NAME} of the project folder."
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{file}, line {line}: is not UTF-8 text; save the file with encoding UTF-8.") from error
    except OSError as error:
        what = "is a folder, expected a file" if file.is_dir() else f"cannot be read ({reason_of(error)})"
        raise ConfigError(f"{file}: {what}; name a readable text file with --config.") from error
    except ValueError as error:  # a path no system accepts, such as one with a zero byte
        raise ConfigError(f"{str(file)!r} is not the path of a file ({error}); correct --config.") from error


def _rooted(config: Config, root: Path) -> Config:
    """The same settings with absolute paths."""
    return config.model_copy(
        update={
            "workbook": config.workbook.model_copy(update={"path": root / config.workbook.path}),
            "history": config.history.model_copy(update={"folder": root / config.history.folder}),
            "daily": config.daily.model_copy(update={"folder": root / config.daily.folder}),
            "log": config.log.model_copy(update={"folder": root / config.log.folder}),
        }
    )


def _checked(read: ConfigText, file: str) -> Config:
    problems = list(read.problems)
    try:
        config = Config.model_validate(read.values)
    except ValidationError as error:
        problems += complaints(Config, error.errors(), read)
    if problems:
        lines = (f"{file}, line {line}: {printable(sentence)}" for line, sentence in sorted(problems))
        raise ConfigError("\n".join(lines))
    return config
