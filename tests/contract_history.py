"""What any store must do to serve as the history: a subclass says how its store is opened and passes these tests.

Only the port is used: `begin`, `save`, `counts`, `command`, `commands`, `end`, `close`. A file of tests runs them once
for each subclass that it defines.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from optionscanner.errors import HistoryError
from optionscanner.model.anchors import Anchors
from optionscanner.model.control import Request
from optionscanner.model.state import FUTURE_STATE, LEG_STATE, SEGMENT_STATE, State
from optionscanner.ports import History
from tests import builders
from tests.builders import ist

INSTANTS = [ist(9, 16), ist(9, 21), ist(9, 26)]


def same_values(one: State, other: State) -> bool:
    """Equal to the last bit, but for the ring of anchors; NaN equals NaN."""
    pairs = [(one.segment[name], other.segment[name]) for name in SEGMENT_STATE]
    pairs += [(one.leg[name], other.leg[name]) for name in LEG_STATE]
    pairs += [(one.future[name], other.future[name]) for name in FUTURE_STATE]
    return all(np.array_equal(*pair, equal_nan=True) for pair in pairs)


class HistoryContract:
    """Inherit and say how a store is opened in a folder; opened again there, it finds what it kept."""

    def opened(self, folder: Path) -> History:
        raise NotImplementedError

    def begun(self, folder: Path, **given: object) -> tuple[History, object]:
        """A store with its session begun, and what it resumes."""
        asked: dict[str, object] = {"resume_within": None, "now": ist(9, 15), **given}
        session = asked.pop("session", builders.run_session())
        day = asked.pop("day", builders.day_of(builders.small_layout()))
        history = self.opened(folder)
        return history, history.begin(session, day, **asked)  # type: ignore[arg-type]

    def kept(self, folder: Path, **given: object) -> list:
        """Three cycles, stored and closed; returns their reports."""
        history, _ = self.begun(folder, **given)
        reports = builders.day_of_reports(INSTANTS, session=given.get("session"))  # type: ignore[arg-type]
        for report in reports:
            history.save(report)
        history.close()
        return reports

    def test_an_ended_session_is_continued_only_where_that_is_wanted(self, tmp_path: Path) -> None:
        self.kept(tmp_path)
        killed, resume = self.begun(tmp_path, continue_ended=False)
        assert resume.cycles == 3  # it was not ended, only closed
        killed.end(ist(16, 0))
        killed.close()
        again, resume = self.begun(tmp_path, continue_ended=False)
        assert (resume.last_stored_at, resume.cycles, resume.state) == (None, 0, None)
        again.end(ist(16, 1))
        again.close()
        wanted, resume = self.begun(tmp_path)
        assert resume.cycles == 0  # the newest of its kind
        wanted.close()

    def test_a_fresh_session_resumes_nothing(self, tmp_path: Path) -> None:
        history, resume = self.begun(tmp_path)
        assert (resume.last_stored_at, resume.cycles, resume.state) == (None, 0, None)
        assert dict(history.counts()) == dict.fromkeys(
            ("cycles", "observations", "refused", "quotes", "alerts", "failures"), 0
        )
        history.close()

    def test_counts_say_what_the_reports_held(self, tmp_path: Path) -> None:
        history, _ = self.begun(tmp_path)
        first, second, _ = builders.day_of_reports(INSTANTS)
        late = builders.report(
            second.chains,
            2,
            alerts=builders.alerts((ist(9, 21), "NIFTY", "REGIME_FLIP", "BULLISH", "0.3 above 0.1")),
            failures=(builders.failure(),),
        )
        history.save(first)
        history.save(late)
        assert dict(history.counts()) == {
            "cycles": 2,
            "observations": 8,
            "refused": 0,
            "quotes": int(first.chains.changed.sum() + second.chains.changed.sum()),
            "alerts": 1,
            "failures": 1,
        }
        history.close()

    def test_a_refused_poll_is_an_observation_too(self, tmp_path: Path) -> None:
        history, _ = self.begun(tmp_path)
        day = builders.day_of(builders.small_layout())
        picture = builders.MarketPicture(day)
        for at in INSTANTS[:2]:
            # The second brings the stamp of the first again.
            seen = builders.observation(day.layout, at)
            seen.stamped_at[:] = INSTANTS[0]
            picture.observe(seen)
        history.save(builders.report(picture.frozen(INSTANTS[1])))
        assert (history.counts()["observations"], history.counts()["refused"]) == (8, 4)
        history.close()

    def test_the_newest_accepted_request_about_each_setting_is_there_after_a_restart(self, tmp_path: Path) -> None:
        def asked(at: float, body: dict[str, object], *, accepted: bool = True) -> Request:
            return Request(at, "control", body, accepted, "said")

        history, _ = self.begun(tmp_path)
        assert list(history.commands()) == []
        kept = [
            asked(1.25, {"set": "A", "value": "₹ one"}),
            asked(2.0, {"set": "B", "value": None}),
            asked(3.0, {"set": "A", "value": [2.5, None]}),
            asked(4.0, {"set": "A", "value": 9.0}, accepted=False),
            asked(5.0, {"do": "PAUSE", "request": 1.0}),
            asked(6.0, {"do": "STOP", "request": 2.0}, accepted=False),
        ]
        for request in kept:
            history.command(request)
        history.end(ist(16, 0))
        history.close()
        again, _ = self.begun(tmp_path, continue_ended=False)
        assert list(again.commands()) == [kept[1], kept[2], kept[5]]
        again.close()

    def test_reopened_it_goes_on_after_the_last_cycle_with_the_same_state(self, tmp_path: Path) -> None:
        reports = self.kept(tmp_path)
        history, resume = self.begun(tmp_path)
        assert (resume.last_stored_at, resume.cycles) == (INSTANTS[-1], 3)
        assert same_values(resume.state, reports[-1].state)
        assert not resume.state.touched.any() and not resume.state.stepped.any()
        assert history.counts()["cycles"] == 3
        history.close()

    def test_what_windows_look_back_on_is_there_after_a_restart(self, tmp_path: Path) -> None:
        history, _ = self.begun(tmp_path)
        ring = Anchors.fresh(builders.small_layout())
        every = np.ones(ring.layout.segments, dtype=bool)
        for number, report in enumerate(builders.day_of_reports(INSTANTS), start=1):
            # The last one sees one chain alone.
            seen = every if number < 3 else np.arange(len(every)) == 1
            interest = np.full((ring.layout.rows, 2), number)
            ring = ring.added(seen, np.full(len(every), INSTANTS[number - 1]), interest, interest / 8)
            history.save(replace(report, state=replace(report.state, anchors=ring)))
        history.close()
        history, resume = self.begun(tmp_path)
        assert np.array_equal(resume.state.anchors.at, ring.at, equal_nan=True)
        assert {*resume.state.anchors.values} == {*ring.values}
        assert len(ring.values) == 3
        for slot, values in ring.values.items():
            assert np.array_equal(resume.state.anchors.values[slot], values, equal_nan=True)
            assert np.array_equal(resume.state.anchors.prices[slot], values / 8, equal_nan=True)
        history.close()

    def test_chains_that_a_cycle_did_not_touch_keep_their_state(self, tmp_path: Path) -> None:
        history, _ = self.begun(tmp_path)
        first, second, _ = builders.day_of_reports(INSTANTS)
        only_nifty = np.array([True, False, False, False])
        history.save(first)
        later = builders.state(first.state.layout, seed=99, touched=only_nifty, stepped=~only_nifty & only_nifty)
        history.save(builders.report(second.chains, 2, state=later))
        history.close()
        history, resume = self.begun(tmp_path)
        for name in SEGMENT_STATE:
            assert np.array_equal(resume.state.segment[name][:1], later.segment[name][:1], equal_nan=True)
            assert np.array_equal(resume.state.segment[name][1:], first.state.segment[name][1:], equal_nan=True)
        assert all(np.array_equal(resume.state.leg[n], first.state.leg[n], equal_nan=True) for n in LEG_STATE)
        history.close()

    def test_state_follows_its_contracts_into_another_layout(self, tmp_path: Path) -> None:
        reports = self.kept(tmp_path)
        layout = builders.small_layout(more_strikes=[25_150, 25_225], rename="TCS")
        history, resume = self.begun(tmp_path, day=builders.day_of(layout))
        assert same_values(resume.state, reports[-1].state.reindexed(layout))
        history.close()

    def test_state_within_its_age_is_resumed_and_older_is_not(self, tmp_path: Path) -> None:
        reports = self.kept(tmp_path)
        history, resume = self.begun(tmp_path, resume_within=1_800.0, now=INSTANTS[-1] + 1_800.0)
        assert same_values(resume.state, reports[-1].state)
        history.close()
        history, resume = self.begun(tmp_path, resume_within=1_800.0, now=INSTANTS[-1] + 1_801.0)
        assert resume.state is None
        assert (resume.last_stored_at, resume.cycles) == (INSTANTS[-1], 3)
        assert "30 minutes" in resume.note
        history.close()

    def test_state_that_was_too_old_does_not_come_back_later(self, tmp_path: Path) -> None:
        self.kept(tmp_path)
        history, _ = self.begun(tmp_path, resume_within=1.0, now=INSTANTS[-1] + 2.0)
        history.close()
        history, resume = self.begun(tmp_path)
        assert resume.state is None
        history.close()

    @pytest.mark.parametrize(
        "other",
        [
            {"source": "recorded 2026-01-30 once more"},
            {"trading_date": builders.WEEKLY},
            {"seed": 7},
            {"settings_version": "settings-b"},
        ],
        ids=str,
    )
    def test_another_session_begins_anew(self, tmp_path: Path, other: dict) -> None:
        self.kept(tmp_path)
        history, resume = self.begun(tmp_path, session=builders.run_session(**other))
        assert (resume.last_stored_at, resume.cycles, resume.state) == (None, 0, None)
        assert history.counts()["cycles"] == 0
        assert ("settings changed" in resume.note) == ("settings_version" in other)
        history.close()

    def test_newer_code_continues_the_session(self, tmp_path: Path) -> None:
        self.kept(tmp_path)
        history, resume = self.begun(tmp_path, session=builders.run_session(code_version="0.2.0"))
        assert (resume.cycles, resume.state is None) == (3, False)
        history.close()

    def test_a_cycle_saved_twice_is_stored_once(self, tmp_path: Path) -> None:
        history, _ = self.begun(tmp_path)
        first, second, _ = builders.day_of_reports(INSTANTS)
        for report in (first, second, second, first):
            history.save(report)
        assert history.counts()["cycles"] == 2
        history.close()

    def test_another_cycle_at_a_stored_number_or_instant_is_refused(self, tmp_path: Path) -> None:
        history, _ = self.begun(tmp_path)
        first, second, _ = builders.day_of_reports(INSTANTS)
        history.save(first)
        with pytest.raises(HistoryError, match="cycle 2 of 09:16:00 comes after cycle 1 of 09:16:00"):
            history.save(builders.report(first.chains, 2))
        with pytest.raises(HistoryError, match="cycle 1 of 09:21:00 comes after cycle 1 of 09:16:00"):
            history.save(builders.report(second.chains, 1))
        assert history.counts()["cycles"] == 1
        history.close()

    def test_nothing_is_stored_before_a_session_begins(self, tmp_path: Path) -> None:
        history = self.opened(tmp_path)
        with pytest.raises(HistoryError, match="call begin first"):
            history.save(builders.day_of_reports(INSTANTS[:1])[0])
        history.close()
