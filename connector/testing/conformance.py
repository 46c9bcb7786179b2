"""Runs the promises of an adapter from a program, and returns what became of each."""

import io
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest

__all__ = ["Promise", "Verdict", "run_promises"]

_LONGEST: Final = 600
_SPEED: Final = "speed"


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise and what became of it: `kept`, `broken` or `not asked`, with words."""

    name: str
    outcome: str
    words: str = ""


@dataclass(slots=True)
class Verdict:
    """What became of all promises; `speed` says how fast a large list was written and read."""

    promises: list[Promise] = field(default_factory=list)
    speed: list[str] = field(default_factory=list)
    ended: bool = False

    @property
    def kept(self) -> bool:
        """Whether the promises were asked to the end, and none is broken."""
        asked = [one for one in self.promises if one.outcome != "not asked"]
        return self.ended and bool(asked) and all(one.outcome == "kept" for one in asked)

    def of(self, outcome: str) -> Iterator[Promise]:
        """Yield the promises with one outcome."""
        return (one for one in self.promises if one.outcome == outcome)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of a test, as pytest tells of it."""
        name = report.nodeid.rpartition("::")[2].removeprefix("test_").replace("_", " ")
        self.speed += [str(value) for key, value in report.user_properties if key == _SPEED]
        if report.failed:
            words = _words(report.longrepr)
            self.promises.append(Promise(name, "broken", words[:_LONGEST]))
        elif report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            self.promises.append(Promise(name, "not asked", reason.removeprefix("Skipped: ")))
        elif report.when == "call":
            self.promises.append(Promise(name, "kept"))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take note of a suite that cannot be imported."""
        if report.failed:
            self.promises.append(Promise("the suite", "broken", str(report.longrepr)[-_LONGEST:]))


def run_promises(source: str) -> Verdict:
    """Return what became of the promises of a suite; `source` makes it, as `TestPromises`."""
    verdict = Verdict()
    with TemporaryDirectory() as folder:
        tests, settings = Path(folder, "test_promises.py"), Path(folder, "pytest.ini")
        tests.write_text(source, encoding="utf-8")
        settings.write_text("[pytest]\n", encoding="utf-8")
        words = [str(tests), "-q", "-c", str(settings), "--rootdir", folder]
        off: Sequence[str] = ("cacheprovider", "xdist", "randomly")
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            code = pytest.main([*words, *(f"-pno:{name}" for name in off)], plugins=[verdict])
    verdict.ended = code in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
    return verdict


def _words(longrepr: Any) -> str:
    crash = getattr(longrepr, "reprcrash", None)
    return str(crash.message if crash else longrepr).removeprefix("Failed: ")
