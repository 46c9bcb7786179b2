"""Warninglists read and indexed: time, and memory beside what Python itself takes.

Once all that are installed, and once what holds where a file says nothing of the allowlist.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.rows import Row, hand_over

ALL: Final = "all"
DEFAULT: Final = "default"


def kilobytes(what: str) -> int:
    """Return a figure of this process's memory, as Linux tells it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1])


def once(what: str) -> None:
    """Load lists in this process and print what that took."""
    load = _all() if what == ALL else _default()
    before, began, worked = kilobytes("VmRSS"), time.perf_counter(), time.process_time()
    lists, kept = load()
    figures = {
        "lists": lists,
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - worked,
        "peak": kilobytes("VmHWM"),
        "held": kilobytes("VmRSS") - before,
    }
    del kept
    sys.stdout.write(json.dumps(figures) + "\n")


def _all() -> Callable[[], tuple[int, object]]:
    from connector.config.warninglist_files import (  # noqa: PLC0415 - before the clock runs
        installed_lists,
        read_warninglists,
    )
    from connector.decisions.allowlist.warninglists import WarninglistIndex  # noqa: PLC0415

    files = list(installed_lists().values())
    return lambda: (len(files), WarninglistIndex(read_warninglists(files)))


def _default() -> Callable[[], tuple[int, object]]:
    from connector.config.chosen_lists import choose  # noqa: PLC0415
    from connector.config.default_lists import DEFAULT as WORD  # noqa: PLC0415
    from connector.config.kept_lists import read_lists  # noqa: PLC0415
    from connector.config.warninglist_files import installed_lists  # noqa: PLC0415
    from connector.decisions.allowlist.allowlist import Allowlist  # noqa: PLC0415
    from connector.model import Observable, ObservableType  # noqa: PLC0415

    chosen = choose([WORD], (), installed_lists())

    def load() -> tuple[int, object]:
        allowlist = Allowlist.build(warninglists=read_lists(chosen))
        unknown = Observable(ObservableType.DOMAIN_NAME, "unheard-of.example.com.sample")
        allowlist.protects(unknown, datetime.now(UTC))
        return len(chosen.off_blocks), allowlist

    return load


def main(times: int) -> None:
    """Load each so many times, in a process of its own, and hand over the medians."""
    every, default = _middle(ALL, times), _middle(DEFAULT, times)
    hand_over(
        [
            Row(f"all {every['lists']:.0f} warninglists loaded", _time(every), "2 s"),
            Row(
                "peak memory of a process that does nothing else",
                f"{every['peak'] / 1024:.0f} MB ({every['held'] / 1024:.0f} MB for the lists)",
                "200 MB",
            ),
            Row("the allowlist without a word in the file: start-up", _time(default), "1 s"),
            Row(
                "its memory, with the default warninglists",
                f"{default['held'] / 1024:.0f} MB",
                "25 MB",
            ),
        ]
    )


def _middle(what: str, times: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.warninglists", "once", what]
    runs = [json.loads(subprocess.check_output(command)) for _ in range(times)]
    return {name: median(run[name] for run in runs) for name in runs[0]}


def _time(figures: dict[str, float]) -> str:
    return f"{figures['seconds']:.2f} s ({figures['cpu']:.2f} s of one core)"


if __name__ == "__main__":
    if sys.argv[1] == "once":
        once(sys.argv[2])
    else:
        main(int(sys.argv[1]))
