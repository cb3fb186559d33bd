"""What SYSTEM_HEALTH shows: counters of the session, freshness, what failed and what to do about it.

Counters of observations start from what the history holds, so that after a restart they still agree with it.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from optionscanner.analytics.price import stale_chains
from optionscanner.model.columns import ALERTS
from optionscanner.model.contracts import Ints, Layout
from optionscanner.model.frame import WriteResult
from optionscanner.model.readings import Reading
from optionscanner.model.reasons import Reason
from optionscanner.model.reports import CycleReport, Event, HealthItem
from optionscanner.model.settings import EngineSettings

log = logging.getLogger(__name__)

Probe = Callable[[], HealthItem]
"""A line that needs the outside world (disk, memory, calendar); given by `app.py`."""

_MISREAD = (Reason.NEGATIVE, Reason.ABSURD, Reason.VOLUME_SHRANK)
"""Faults of single figures that mean a bad source; a bid above an ask is an ordinary moment of a fast market."""

_KEPT_ALERTS = 20_000
"""More than a day brings with any cool-down; sheets show the newest and count all."""
_SHOWN_EVENTS = 60


@dataclass
class Health:
    """Sums up a session, cycle by cycle."""

    settings: EngineSettings
    expected: int | None = None
    """Observations that the source holds for the day, None where unknown."""
    processed: int = 0
    """Observations folded in, this session, restarts included."""
    refused: Counter[str] = field(default_factory=Counter)
    """reason -> observations refused."""
    probes: tuple[Probe, ...] = ()
    started_at: float = float("nan")
    frames_written: int = 0
    frames_skipped: int = 0
    frames_dropped: int = 0
    """Left out on purpose, because a newer one followed at once."""
    failures: int = 0
    """Failures of engines and sinks, this run."""
    tell: Callable[[str], object] = lambda _sentence: None
    """Takes a sentence for the terminal: a workbook that cannot be written cannot show why."""
    since_yesterday: Event | None = None
    """What is other than in the session before: stands above all events."""
    told_elsewhere: frozenset[str] = frozenset()
    """Sinks that bring their own sentences to the terminal."""
    _cycle_ms: deque[float] = field(default_factory=lambda: deque(maxlen=50))
    _slowest: float = 0.0
    _overruns: int = 0
    _cycles: int = 0
    _left_out: dict[str, float] = field(default_factory=dict)
    _not_stored_since: float | None = None
    _store_sentence: str = ""
    _recording: str = "off"
    _recording_fails: bool = False
    _workbook: WriteResult | None = None
    _workbook_since: float = float("nan")
    _told: dict[str, str] = field(default_factory=dict)
    """sink -> its last sentence, so that the same one is told once."""
    _events: dict[tuple[str, str], Event] = field(default_factory=dict)
    _alerts: deque[tuple[float, str, str, str, str]] = field(default_factory=lambda: deque(maxlen=_KEPT_ALERTS))
    _told_alerts: Reading | None = None
    """All of them as a reading, until there are more."""

    def observed(self, report: CycleReport) -> None:
        """Count what this cycle saw, raised and refused."""
        polls = report.chains.polls
        if np.isnan(self.started_at):
            self.started_at = report.as_of
        for code, count in zip(*np.unique(polls.refused, return_counts=True), strict=True):
            if code == Reason.OK:
                self.processed += int(count)
            else:
                self.refused[Reason(int(code)).words] += int(count)
        self._note_polls(report)
        for failure in report.failures:
            self.failures += 1
            what = f"{failure.underlying}: {failure.sentence}" if failure.underlying else failure.sentence
            action = "left out for 10 minutes" if failure.underlying else "this reading is absent"
            self.note(report.as_of, failure.where, what, action)
        self.add_alerts(report.alerts)

    def add_alerts(self, alerts: Reading) -> None:
        """Take over alerts of this session, oldest first: a cycle's, or at a restart those of the history."""
        if len(alerts):
            self._told_alerts = None
        for i in range(len(alerts)):
            self._alerts.appendleft(tuple(alerts[name][i] for name in ALERTS.names))

    def stored(self, as_of: float, sentence: str) -> None:
        """The history took the cycle (empty sentence), or why it did not."""
        if not sentence:
            self._not_stored_since = None
        elif self._not_stored_since is None:
            self._not_stored_since = as_of
        if sentence:
            self.failures += 1
            self.note(as_of, "history", sentence, "cycles wait and are stored later")
        self._store_sentence = sentence
        self._tell_once("history", sentence, again="stored again")

    def shown(self, as_of: float, result: WriteResult) -> None:
        """What became of the frame, or of those that a live workbook has finished since."""
        self.frames_dropped += result.dropped
        if not result.frames and result.status != "failed":
            return
        if result.status == "written":
            self.frames_written += result.frames
        else:
            self.frames_skipped += result.frames
            self.failures += result.status == "failed"
            self.note(as_of, "workbook", result.sentence, "the next picture is tried again")
        if self._workbook is None or self._workbook.status != result.status:
            self._workbook_since = as_of
        self._workbook = result
        # A first start makes the workbook, which is no trouble; later it means that the user's file was gone.
        made = result.status == "written" and self.frames_written <= 1
        self._tell_once("workbook", "" if made else result.sentence, again="written again")

    def recorded(self, as_of: float, sentence: str) -> None:
        """The recorder took the cycle (empty sentence), or why it did not."""
        self._recording = sentence or "every cycle"
        self._recording_fails = bool(sentence)
        if sentence:
            self.failures += 1
            self.note(as_of, "recorder", sentence, "the recording lacks this cycle")
        self._tell_once("recorder", sentence, again="recorded again")

    def attended(self, at: float, sentence: str) -> None:
        """CONTROL was looked at (empty sentence), or why that failed; `at` by the session's clock."""
        if sentence:
            self.note(at, "control", sentence, "CONTROL is looked at again in 5 s")
        self._tell_once("control", sentence, again="served again")

    def left_out(self, names: Mapping[str, float]) -> None:
        """Names that engines do not see for now, with the instant of their next try."""
        self._left_out = dict(names)

    def overran(self, seconds: float, limit: float, consequence: str) -> None:
        """A cycle took longer than it may."""
        self._overruns += 1
        log.warning("cycle overran seconds=%.2f limit=%.2f consequence=%r", seconds, limit, consequence)

    def finished(self, report: CycleReport, milliseconds: float) -> None:
        """The cycle ended."""
        self._cycles = report.cycle
        self._cycle_ms.append(milliseconds)
        self._slowest = max(self._slowest, milliseconds)

    def note(self, at: float, where: str, what: str, action: str) -> None:
        """One more event; the same words again only raise the count."""
        known = self._events.pop((where, what), None)
        times = known.times + 1 if known else 1
        self._events[where, what] = Event(at, where, what, action, times)
        while len(self._events) > _SHOWN_EVENTS:
            self._events.pop(next(iter(self._events)))

    def events(self) -> tuple[Event, ...]:
        """What changed since yesterday, then the newest first."""
        first = () if self.since_yesterday is None else (self.since_yesterday,)
        return (*first, *reversed(self._events.values()))

    def recent_alerts(self) -> Reading:
        """All alerts of the day so far, newest first."""
        if self._told_alerts is not None:
            return self._told_alerts
        columns = list(zip(*self._alerts, strict=True)) or [()] * len(ALERTS.columns)
        kinds = [object if c.kind == "text" else float for c in ALERTS.columns]
        made = {n: np.array(v, dtype=k) for n, v, k in zip(ALERTS.names, columns, kinds, strict=True)}
        self._told_alerts = Reading(ALERTS, made)
        return self._told_alerts

    def message(self, report: CycleReport) -> str:
        """The newest thing a user should know, one sentence; empty when all is well."""
        if self._not_stored_since is not None:
            return f"NOT STORED since {_clock(self._not_stored_since)}: {self._store_sentence}"
        newest = next(reversed(self._events.values()), None)
        if newest is not None and report.as_of - newest.at < 300.0:
            return f"{newest.where}: {newest.what}"
        return ""

    def items(self, report: CycleReport) -> tuple[HealthItem, ...]:
        """Lines of SYSTEM_HEALTH, BAD first, otherwise in the order below."""
        lines = [
            *self._run_lines(report),
            *self._data_lines(report),
            *self._sink_lines(),
            *(probe() for probe in self.probes),
        ]
        order = {"BAD": 0, "WARN": 1, "OK": 2}
        return tuple(sorted(lines, key=lambda line: order[line.state]))

    def _tell_once(self, sink: str, sentence: str, *, again: str) -> None:
        """A sink's sentence on the terminal and in the log, once until it changes, and the end of the trouble."""
        before = self._told.get(sink, "")
        if sentence == before:
            return
        self._told[sink] = sentence
        log.warning("%s: %s", sink, sentence or again)
        if sink not in self.told_elsewhere:
            self.tell(f"{sink}: {sentence or again}")

    def _run_lines(self, report: CycleReport) -> list[HealthItem]:
        session, times = report.session, list(self._cycle_ms) or [0.0]
        last, mean = times[-1] / 1000, sum(times) / len(times) / 1000
        left_out = ", ".join(sorted(self._left_out))
        return [
            _line("Engine", "running", since=self.started_at),
            _line("Session", report.closed_words or "open"),
            _line("Source", f"{session.source}, {session.label}"),
            _line("Cycle, last / mean of 50 / slowest s", f"{last:.3f} / {mean:.3f} / {self._slowest / 1000:.3f}"),
            _line("Cycles", float(report.cycle)),
            _line(
                "Overruns",
                float(self._overruns),
                state="WARN" if self._overruns else "OK",
                what="close other programs, or raise cycle.every_s" if self._overruns else "",
            ),
            _line(
                "Names left out",
                left_out or "none",
                state="WARN" if left_out else "OK",
                what="see the events below; each is tried again after 10 minutes" if left_out else "",
            ),
            _line("Version", f"{session.code_version}, settings {session.settings_version}"),
        ]

    def _data_lines(self, report: CycleReport) -> list[HealthItem]:
        chains = report.chains
        stale = int(stale_chains(chains, self.settings).sum())
        total = chains.layout.segments
        refused = sum(self.refused.values())
        reasons = ", ".join(f"{count} {words}" for words, count in self.refused.most_common(3))
        seen = self.processed + refused
        expected = "" if self.expected is None else f"{self.expected:,} in source"
        return [
            _line("Observations seen", float(seen), limit=expected),
            _line("Observations processed", float(self.processed)),
            _line(
                "Observations refused",
                float(refused),
                state="WARN" if refused else "OK",
                what=f"{reasons}: their numbers were left as they were" if refused else "",
            ),
            _line(
                "Chains stale",
                f"{stale} of {total}",
                state="OK" if stale == 0 else "WARN" if stale < total else "BAD",
                what="their signals are withheld until fresh data comes" if stale else "",
            ),
        ]

    def _sink_lines(self) -> list[HealthItem]:
        history = _line("History", "stored every cycle")
        if self._not_stored_since is not None:
            history = replace(
                history,
                value="NOT STORED",
                state="BAD",
                since=self._not_stored_since,
                what_to_do=self._store_sentence,
            )
        recording = _line(
            "Recording",
            "NOT RECORDED" if self._recording_fails else self._recording,
            state="BAD" if self._recording_fails else "OK",
            what=self._recording if self._recording_fails else "",
        )
        result = self._workbook
        if result is None:
            return [history, recording, _line("Workbook", "not written yet")]
        bad = result.status != "written"
        lost = f"blocks gone from the workbook: {', '.join(result.missing)}" if result.missing else ""
        return [
            history,
            recording,
            _line(
                "Workbook",
                f"{result.status}, {result.cells:,} cells, {result.milliseconds:.0f} ms",
                state="WARN" if bad or lost else "OK",
                what=result.sentence or lost,
                since=self._workbook_since,
            ),
            _line(
                "Frames written / dropped / skipped",
                f"{self.frames_written:,} / {self.frames_dropped:,} / {self.frames_skipped:,}",
            ),
        ]

    def _note_polls(self, report: CycleReport) -> None:
        """Events about the data of this cycle: refused chains, misread figures, odd lots; by reason, not by name."""
        polls, layout = report.chains.polls, report.chains.layout
        for code in np.unique(polls.refused[polls.refused != Reason.OK]):
            what = f"observation refused: {Reason(int(code)).words}"
            shown = _names(layout, polls.segment[polls.refused == code])
            self.note(report.as_of, "border", what, f"last good numbers stay; newest: {shown}")
        fault = np.where(report.chains.updated[layout.row_segment][:, None], report.chains.legs.fault, Reason.OK)
        for reason in _MISREAD:
            rows = np.flatnonzero((fault == reason).any(axis=1))
            if len(rows):
                shown = _names(layout, layout.row_segment[rows])
                what = f"figures of legs blanked: {reason.words}"
                self.note(report.as_of, "border", what, f"the rest of the chain is kept; newest: {shown}")
        odd = np.unique(polls.segment[polls.odd_lots > 0.05])
        for segment in odd[:3]:
            name = layout.names[layout.segment_underlying[segment]]
            lot = layout.segment_lot_size[segment]
            what = f"{name}: over 5 % of open interest is not a multiple of the lot of {lot:g}"
            self.note(report.as_of, "border", what, "check the lot size; legal for a while after a lot change")


def _names(layout: Layout, segments: Ints) -> str:
    """The first three underlyings of these segments, and how many more there are."""
    names = sorted({layout.names[u] for u in np.unique(layout.segment_underlying[segments])})
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _line(
    item: str,
    value: str | float | None,
    *,
    limit: str = "",
    state: str = "OK",
    since: float = float("nan"),
    what: str = "",
) -> HealthItem:
    return HealthItem(item, value, limit, state, since, what)


def _clock(instant: float) -> str:
    """hh:mm IST of an instant; IST is UTC+05:30 all year."""
    minutes = int((instant + 19_800) // 60) % 1440
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
