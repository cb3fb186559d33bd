"""What `python -m tests` does once everything is installed: the checks in order, a summary that names each skip."""

import subprocess
import sys

import pytest

QUICK = "not slow and not office and not bare and not data"


class Tally:
    """A pytest plugin that counts outcomes, and keeps the name and reason of each test that was skipped."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0
        self.skipped: list[tuple[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else getattr(report, "wasxfail", "")
            self.skipped.append((report.nodeid, str(reason).removeprefix("Skipped: ")))
        elif report.failed:
            self.failed += 1
        elif report.when == "call":
            self.passed += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed += 1
        elif report.skipped:
            self.skipped.append((report.nodeid, str(report.longrepr)))


def run(arguments: list[str]) -> int:
    """Run ruff, mypy and pytest, or with `quick` a part of pytest; 0 if all is well, 1 if anything failed."""
    quick = arguments[:1] == ["quick"]
    tally = Tally()
    if quick:
        options = ["-n", "2", "--dist", "loadgroup", "-m", QUICK, *arguments[1:]]
    else:
        for name, command in {"ruff": ["ruff", "check"], "mypy": ["mypy"]}.items():
            print(f"{name}:", flush=True)
            if subprocess.run([sys.executable, "-m", *command], check=False).returncode:
                tally.failed += 1
            else:
                tally.passed += 1
        options = ["-n", "2", "--dist", "loadgroup", *arguments]
    code = pytest.main(options, plugins=[tally])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        print(f"pytest ended with {code!r}")
    if code and not tally.failed:
        tally.failed = 1
    print()
    for name, reason in tally.skipped:
        print(f"skipped {name}: {reason}")
    print(f"{len(tally.skipped)} skipped")
    print(f"{tally.passed} passed, {tally.failed} failed", flush=True)
    return 1 if tally.failed else 0
