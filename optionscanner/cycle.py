"""One cycle: read this first.

1. The market's newest picture arrives                                   `ports.Market.latest` (runner.py)
2. Price every updated chain: forward, volatility, Greeks               analytics/pricing.py
3. Run the engines in the written order                                 analytics/pipeline.py
4. What crossed a limit becomes an alert                                analytics/alerts.py, last of the engines
5. Sum up: counters, freshness, failures                                health.py
6. Store everything in one transaction                                  ports.History.save
7. Show: render the report, hand the frame to the workbook              workbook/render.py, ports.WorkbookHost.write
8. Record what was seen, where that is asked for                         ports.Recorder.record
9. One line into the log                                                runner.py

Nothing is shown that was not stored first, or marked NOT STORED. An engine that raises is run again on each underlying
alone; the names that raise are left out for a while and it runs once more without them. A failing sink never stops the
others. Past its deadline a cycle skips what is left except storing and recording.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from optionscanner.analytics.pipeline import ENGINES, Engine, Inputs
from optionscanner.analytics.pricing import price_market
from optionscanner.analytics.trails import followed
from optionscanner.health import Health
from optionscanner.model.chains import Chains
from optionscanner.model.columns import ALERTS
from optionscanner.model.control import Control
from optionscanner.model.exposures import PastExposure
from optionscanner.model.frame import Frame, WriteResult
from optionscanner.model.open_interest_map import OpenInterestMap
from optionscanner.model.pricing import Pricing
from optionscanner.model.readings import Reading
from optionscanner.model.reasons import Reason
from optionscanner.model.reports import CycleReport, Failure
from optionscanner.model.sessions import RunSession
from optionscanner.model.settings import EngineSettings
from optionscanner.model.state import State
from optionscanner.model.trails import Trails
from optionscanner.model.usual import UsualRatios
from optionscanner.ports import History, Recorder, WorkbookHost

log = logging.getLogger(__name__)

RETRY_AFTER = 600.0
"""Seconds for which a name that made an engine fail is left out."""

Renderer = Callable[[CycleReport], Frame]


@dataclass
class Sinks:
    """Where a cycle goes, in this order; None leaves one out."""

    history: History | None
    workbook: WorkbookHost | None
    render: Renderer
    recorder: Recorder | None = None


@dataclass
class Cycle:
    """Runs cycles of one session and carries what they hand on to each other."""

    session: RunSession
    settings: EngineSettings
    sinks: Sinks
    health: Health
    state: State | None = None
    trails: Trails | None = None
    usual: UsualRatios | None = None
    """Volume over OI of earlier sessions, as the history resumed it."""
    past: PastExposure | None = None
    """Gamma exposure of earlier sessions, from daily files and the history."""
    tracked: tuple[str, ...] = ()
    """Names whose changes of open interest over minutes are told: those of OI_TRACKER."""
    open_interest_map: OpenInterestMap | None = None
    number: int = 0
    """Of the last cycle; counts from 1 within the session."""
    limit: float = 5.0
    """Seconds after which a cycle skips its later steps."""
    strict: bool = False
    """Re-raise what an engine or sink raises (tests)."""
    engines: Sequence[Engine] = ENGINES
    elapsed: Callable[[], float] = time.perf_counter
    show_every: float = 0.0
    """Least seconds of real time between two frames; those between are dropped and counted, the last is shown."""
    labels: dict[str, str] = field(default_factory=dict)
    """Fields of the report that only the runner knows: speed, closed_words."""
    control: Control | None = None
    """What the user set and what was answered, for the report."""
    _pricing: Pricing | None = None
    _began_with: State | None = None
    """State before the newest picture was computed."""
    _newest: CycleReport | None = None
    _unshown: CycleReport | None = None
    _shown_at: float = float("-inf")
    _left_out: dict[str, float] = field(default_factory=dict)
    """name -> instant from which it is tried again."""

    def run(self, chains: Chains) -> CycleReport:
        """Steps 2 to 8 on one picture of the market."""
        started = self.elapsed()
        timings: dict[str, float] = {}
        self.number += 1
        report = self._computed(chains, timings)
        self.health.observed(report)
        report = replace(report, events=self.health.events(), recent_alerts=self.health.recent_alerts())
        self._store(report, timings)
        report = replace(report, health=self.health.items(report), message=self.health.message(report))
        self._newest = report
        if self.elapsed() - self._shown_at < self.show_every:
            self._unshown = report
            self.health.frames_dropped += 1
        elif self.elapsed() - started > self.limit:
            self.health.overran(self.elapsed() - started, self.limit, "the workbook was not written")
        else:
            self._show(report, timings)
        self._record(report, timings)
        timings["cycle"] = 1000.0 * (self.elapsed() - started)
        self.health.finished(report, timings["cycle"])
        return replace(report, timings=timings)

    def warm(self, chains: Chains) -> None:
        """Let the engines see a picture of before the run: the state moves on, nothing is counted, stored or shown."""
        self._computed(chains, {})

    def redraw(self, chains: Chains) -> None:
        """Show a picture that was stored before, without counting or storing it again."""
        report = self._computed(chains, {})
        report = replace(report, events=self.health.events(), recent_alerts=self.health.recent_alerts())
        self._newest = replace(report, health=self.health.items(report), message=self.health.message(report))
        self._show(self._newest, {})

    @property
    def newest(self) -> CycleReport | None:
        """The newest report; None before the first."""
        return self._newest

    @property
    def shown_as_of(self) -> float:
        """Instant of the newest picture [s since 1970 UTC], -inf before the first."""
        return float("-inf") if self._newest is None else self._newest.as_of

    def show_again(self) -> None:
        """Show the newest report with what the user has set since; nothing where no cycle ran yet."""
        if self._newest is not None:
            self.health.frames_dropped -= self._unshown is not None
            report = replace(self._newest, control=self.control, events=self.health.events())
            self._newest = replace(report, message=self.health.message(report))
            self._show(self._newest, {})

    def end_day(self, closed_words: str) -> None:
        """Show the newest report as the last one of its day; `closed_words` say until when the market is closed."""
        self.labels["closed_words"] = closed_words
        if self._newest is not None:
            self._newest = replace(self._newest, closed_words=closed_words, ended=True)
            self.show_again()

    def recalculate(self) -> bool:
        """Compute the newest picture again under the settings of now, from the state before it, for `show_again`.

        Nothing is counted or stored, and the state stays as it is; False where no cycle ran yet.
        """
        if self._newest is None:
            return False
        kept = self.state, self._pricing, self._began_with, self.trails, self.open_interest_map
        self.state, self._pricing = self._began_with, None
        report = self._computed(self._newest.chains, {})
        self.state, self._pricing, self._began_with, self.trails, self.open_interest_map = kept
        self._newest = replace(
            self._newest, pricing=report.pricing, readings=report.readings, failures=report.failures
        )
        return True

    def flush(self) -> None:
        """Show the newest report if its frame was dropped."""
        if self._unshown is not None:
            self.health.frames_dropped -= 1
            self._show(self._unshown, {})

    def _computed(self, chains: Chains, timings: dict[str, float]) -> CycleReport:
        """Steps 2 to 4: the report of a picture, with nothing stored or shown; the state moves on."""
        failures: list[Failure] = []
        seen, left_out = chains, self._names_left_out(chains.as_of)
        self._began_with = self.state
        chains = seen.without(left_out) if left_out else seen
        state = self.state.reindexed(chains.layout) if self.state is not None else State.fresh(chains.layout)
        pricing = self._priced(chains, state, failures, timings)
        inputs = Inputs(chains, pricing, state, {}, self.settings, self.usual, self.past, self.tracked)
        deadline = self.elapsed() + self.limit
        for engine in self.engines:
            if self.elapsed() > deadline:
                failures.append(Failure(engine.name, "", f"skipped: the cycle was over its limit of {self.limit:g} s"))
                continue
            if not set(engine.needs) <= inputs.made.keys():
                failures.append(Failure(engine.name, "", f"skipped: it needs {', '.join(engine.needs)}"))
                continue
            inputs = self._with(engine, inputs, failures, timings)
        self.state, self._pricing = inputs.state, pricing
        made = {name: _marked(reading, seen, left_out) for name, reading in inputs.made.items()}
        self.trails = followed(self.trails, chains, made)
        self.open_interest_map = (self.open_interest_map or OpenInterestMap.of_day(seen.day)).seen(seen)
        return CycleReport(
            session=self.session,
            cycle=self.number,
            as_of=chains.as_of,
            chains=seen,  # quotes of names that are left out are stored and shown all the same
            pricing=pricing,
            readings={name: reading for name, reading in made.items() if name != ALERTS.name},
            alerts=made.get(ALERTS.name, _no_alerts()),
            state=inputs.state,
            failures=tuple(failures),
            timings=timings,
            trails=self.trails,
            open_interest_map=self.open_interest_map,
            control=self.control,
            **self.labels,  # type: ignore[arg-type]
        )

    def _priced(
        self, chains: Chains, state: State, failures: list[Failure], timings: dict[str, float]
    ) -> Pricing:
        previous = self._pricing
        if previous is not None and self.state is not None and self.state.layout is not chains.layout:
            previous = None
        settings = self.settings.pricing

        def priced(x: Inputs) -> tuple[State, Pricing]:
            kept = previous if x.chains.layout is chains.layout else None
            return x.state, price_market(x.chains, settings, kept)

        known = Pricing.blank(chains.layout, settings.rate) if previous is None else previous
        inputs = Inputs(chains, known, state, {}, self.settings)
        outcome = self._attempted(Engine("pricing", (), priced), inputs, failures, timings)  # type: ignore[arg-type]
        return outcome[1] if outcome else Pricing.blank(chains.layout, settings.rate)

    def _with(
        self, engine: Engine, inputs: Inputs, failures: list[Failure], timings: dict[str, float]
    ) -> Inputs:
        """The inputs of the next engine: those of this one, with what it made."""
        outcome = self._attempted(engine, inputs, failures, timings)
        if outcome is None:
            return inputs
        state, reading = outcome
        return replace(inputs, state=state, made={**inputs.made, engine.name: reading})

    def _attempted(
        self, engine: Engine, inputs: Inputs, failures: list[Failure], timings: dict[str, float]
    ) -> tuple[State, Any] | None:
        """Result of one engine; without the names that make it fail, if need be; None if that fails too."""
        begun = self.elapsed()
        outcome = self._tried(engine, inputs)
        if isinstance(outcome, Exception):
            culprits = self._culprits(engine, inputs)
            for name, error in culprits.items():
                failures.append(Failure(engine.name, name, _sentence(error)))
                self._left_out[name] = inputs.chains.as_of + RETRY_AFTER
            if not culprits:
                failures.append(Failure(engine.name, "", _sentence(outcome)))
            log.error("engine=%s failed names=%s", engine.name, ",".join(culprits) or "-", exc_info=outcome)
            again = replace(inputs, chains=inputs.chains.without(culprits))
            outcome = self._tried(engine, again) if culprits else outcome
        timings[engine.name] = 1000.0 * (self.elapsed() - begun)
        return None if isinstance(outcome, Exception) else outcome

    def _culprits(self, engine: Engine, inputs: Inputs) -> dict[str, Exception]:
        """Underlyings on which the engine fails when each is alone."""
        found = {}
        layout = inputs.chains.layout
        for name, front in zip(layout.names, layout.underlying_front, strict=True):
            if front < 0:
                continue
            outcome = self._tried(engine, inputs.sliced(name))
            if isinstance(outcome, Exception):
                found[name] = outcome
        return found

    def _tried(self, engine: Engine, inputs: Inputs) -> tuple[State, Any] | Exception:
        try:
            return engine.run(inputs)
        except Exception as error:  # one engine must not take the day with it
            if self.strict:
                raise
            return error

    def _names_left_out(self, as_of: float) -> set[str]:
        self._left_out = {name: until for name, until in self._left_out.items() if as_of < until}
        self.health.left_out(self._left_out)
        return set(self._left_out)

    def _store(self, report: CycleReport, timings: dict[str, float]) -> None:
        begun, history = self.elapsed(), self.sinks.history
        if history is not None:
            error = self.guarded(lambda: history.save(report))
            self.health.stored(report.as_of, _sentence(error) if error else "")
        timings["store"] = 1000.0 * (self.elapsed() - begun)

    def _show(self, report: CycleReport, timings: dict[str, float]) -> None:
        begun, workbook = self.elapsed(), self.sinks.workbook
        self._unshown, self._shown_at = None, begun
        if workbook is None:
            return
        results: list[WriteResult] = []
        rendered: list[Frame] = []
        error = self.guarded(lambda: rendered.append(self.sinks.render(report)))
        timings["render"] = 1000.0 * (self.elapsed() - begun)
        if error is None:
            begun = self.elapsed()
            error = self.guarded(lambda: results.append(workbook.write(rendered[0])))
            timings["workbook"] = 1000.0 * (self.elapsed() - begun)
        result = results[0] if results else WriteResult("failed", _sentence(error), 0.0, 0, 0)
        self.health.shown(report.as_of, result)

    def _record(self, report: CycleReport, timings: dict[str, float]) -> None:
        begun, recorder = self.elapsed(), self.sinks.recorder
        if recorder is None:
            return
        error = self.guarded(lambda: recorder.record(report))
        self.health.recorded(report.as_of, _sentence(error) if error else "")
        timings["record"] = 1000.0 * (self.elapsed() - begun)

    def guarded(self, sink: Callable[[], object]) -> Exception | None:
        """Call a sink, or whatever else must not end the day; what it raised."""
        try:
            sink()
        except Exception as error:  # one sink must not take the others with it
            if self.strict:
                raise
            log.error("sink failed", exc_info=error)
            return error
        return None


def _marked(reading: Reading, chains: Chains, left_out: set[str]) -> Reading:
    """The reading with a status that says so for names that engines did not see."""
    if not left_out or "status" not in reading.columns:
        return reading
    gone = np.isin(np.array(chains.layout.names), list(left_out))
    if "underlying" in reading.columns:
        rows = np.isin(reading["underlying"].astype(str), list(left_out))
    else:
        rows = gone[chains.layout.segment_underlying] if reading.spec.row == "segment" else gone
    status = np.where(rows, Reason.QUARANTINED.words, reading["status"]).astype(object)
    return Reading(reading.spec, {**reading.columns, "status": status})


def _no_alerts() -> Reading:
    return Reading(ALERTS, {c.name: np.empty(0, dtype=object if c.kind == "text" else float) for c in ALERTS.columns})


def _sentence(error: Exception | None) -> str:
    """What went wrong, in one line; our own errors are sentences already."""
    if error is None:
        return ""
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__
