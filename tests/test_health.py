"""What SYSTEM_HEALTH says: counters, freshness, events that do not repeat themselves."""

from dataclasses import replace

import numpy as np

from optionscanner.health import Health
from optionscanner.model.frame import WriteResult
from optionscanner.model.picture import MarketPicture
from optionscanner.model.reports import CycleReport, Event, HealthItem
from optionscanner.model.settings import EngineSettings
from tests import builders

AT = builders.ist(10, 30)


def reports(*instants: float) -> list[CycleReport]:
    """Reports whose pictures saw one poll of everything each."""
    return builders.day_of_reports(instants)


def item(health: Health, report: CycleReport, name: str) -> HealthItem:
    return next(line for line in health.items(report) if line.item == name)


def test_observations_are_counted_by_fate() -> None:
    health = Health(EngineSettings(), expected=12)
    good, late = reports(AT, builders.ist(16, 5))
    health.observed(good)
    health.observed(late)
    segments = good.chains.layout.segments
    assert item(health, late, "Observations seen").value == 2 * segments
    assert item(health, late, "Observations seen").limit == "12 in source"
    assert item(health, late, "Observations processed").value == segments
    refused = item(health, late, "Observations refused")
    assert (refused.value, refused.state) == (segments, "WARN")
    assert refused.what_to_do.startswith(f"{segments} after the close")


def test_counters_go_on_from_what_the_history_holds() -> None:
    health = Health(EngineSettings(), processed=100)
    health.refused.update({"stale stamp": 3})
    report = reports(AT)[0]
    health.observed(report)
    assert item(health, report, "Observations processed").value == 100 + report.chains.layout.segments
    assert item(health, report, "Observations refused").value == 3


def test_stale_chains_warn_and_all_stale_is_bad() -> None:
    health = Health(EngineSettings())
    report = reports(AT)[0]
    assert item(health, report, "Chains stale").state == "OK"
    stamps = report.chains.stamped_at.copy()
    stamps[0] -= 3600.0
    some = replace(report, chains=replace(report.chains, stamped_at=stamps))
    assert (item(health, some, "Chains stale").value, item(health, some, "Chains stale").state) == ("1 of 4", "WARN")
    every = replace(report, chains=replace(report.chains, stamped_at=report.chains.stamped_at - 3600.0))
    assert item(health, every, "Chains stale").state == "BAD"


def test_the_same_event_again_raises_its_count_and_comes_first() -> None:
    health = Health(EngineSettings())
    health.note(AT, "border", "observation refused: stale stamp", "last good numbers stay")
    health.note(AT + 1, "history", "locked", "waits")
    health.note(AT + 2, "border", "observation refused: stale stamp", "last good numbers stay")
    assert [(e.where, e.times, e.at) for e in health.events()] == [("border", 2, AT + 2), ("history", 1, AT + 1)]


def test_events_do_not_grow_without_end() -> None:
    health = Health(EngineSettings())
    for i in range(500):
        health.note(AT + i, "engine", f"failure {i}", "")
    assert len(health.events()) == 60
    assert health.events()[0].what == "failure 499"


def test_bad_lines_come_first() -> None:
    health = Health(EngineSettings(), probes=(lambda: HealthItem("Disk free", "1 MB", "", "BAD", AT, "free space"),))
    lines = health.items(reports(AT)[0])
    assert lines[0].item == "Disk free"
    assert [line.state for line in lines] == sorted((x.state for x in lines), key=["BAD", "WARN", "OK"].index)


def test_a_workbook_that_was_not_written_is_a_warning_with_its_sentence() -> None:
    health = Health(EngineSettings())
    report = reports(AT)[0]
    health.shown(AT, WriteResult("skipped", "OptionsDashboard.xlsx is open in Excel; close it", 0.5, 0, 0))
    line = item(health, report, "Workbook")
    assert (line.state, line.what_to_do) == ("WARN", "OptionsDashboard.xlsx is open in Excel; close it")
    health.shown(AT + 5, WriteResult("written", "", 12.0, 9000, 40, ("NIFTY_chain",)))
    line = item(health, report, "Workbook")
    assert (line.state, line.what_to_do) == ("WARN", "blocks gone from the workbook: NIFTY_chain")


def test_alerts_of_the_day_are_all_kept_newest_first() -> None:
    health = Health(EngineSettings())
    picture = MarketPicture(builders.day_of(builders.small_layout()))
    chains = picture.frozen(AT)
    for i in range(35):
        told = builders.alerts((AT + i, "NIFTY", "READINESS", "BULLISH", f"TRS {i}"))
        health.observed(builders.report(chains, i + 1, alerts=told))
    shown = health.recent_alerts()
    assert shown["reason"].tolist() == [f"TRS {i}" for i in range(34, -1, -1)]
    assert np.all(np.diff(shown["at"].astype(float)) < 0)


def test_odd_lots_are_told_by_name() -> None:
    health = Health(EngineSettings())
    report = reports(AT)[0]
    odd = np.zeros(len(report.chains.polls.segment))
    odd[0] = 0.06
    told = replace(report, chains=replace(report.chains, polls=replace(report.chains.polls, odd_lots=odd)))
    health.observed(told)
    assert [e.what for e in health.events()] == ["NIFTY: over 5 % of open interest is not a multiple of the lot of 65"]
    health.observed(replace(told, chains=replace(told.chains, polls=replace(told.chains.polls, odd_lots=odd * 0.8))))
    assert [e.times for e in health.events()] == [1]


def test_a_sinks_trouble_and_its_end_are_told_once_each() -> None:
    told: list[str] = []
    health = Health(EngineSettings(), tell=told.append)
    busy = WriteResult("skipped", "OptionsDashboard.xlsx is open in Excel; close it", 1.0, 0, 0)
    for result in (busy, busy, WriteResult("written", "", 12.0, 9000, 40)):
        health.shown(AT, result)
    for sentence in ("the disk is full; free some space", "the disk is full; free some space", "", ""):
        health.stored(AT, sentence)
    assert told == [
        "workbook: OptionsDashboard.xlsx is open in Excel; close it",
        "workbook: written again",
        "history: the disk is full; free some space",
        "history: stored again",
    ]


def test_what_changed_since_yesterday_stands_above_the_events_and_is_no_news() -> None:
    first = Event(builders.ist(9, 15), "since yesterday", "bans in: SAIL", "", 1)
    health = Health(EngineSettings(), since_yesterday=first)
    assert health.message(reports(builders.ist(9, 16))[0]) == ""
    health.note(builders.ist(9, 20), "border", "an observation refused", "")
    health.note(builders.ist(9, 21), "history", "busy", "")
    assert [event.where for event in health.events()] == ["since yesterday", "history", "border"]
    assert health.message(reports(builders.ist(9, 22))[0]) == "history: busy"
