"""All installed warninglists read and indexed: time, and memory beside what Python itself takes."""

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks.rows import Row, hand_over


def kilobytes(what: str) -> int:
    """Return a figure of this process's memory, as Linux tells it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1])


def once() -> None:
    """Load all lists in this process and print what that took."""
    from connector.config.warninglist_files import (  # noqa: PLC0415 - before the clock runs
        installed_folder,
        installed_names,
        read_warninglists,
    )
    from connector.decisions.warninglists import WarninglistIndex  # noqa: PLC0415

    folder = installed_folder()
    names = installed_names(folder)
    before, began, worked = kilobytes("VmRSS"), time.perf_counter(), time.process_time()
    index = WarninglistIndex(read_warninglists(names, folder))
    figures = {
        "lists": len(names),
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - worked,
        "peak": kilobytes("VmHWM"),
        "held": kilobytes("VmRSS") - before,
        "unread": len(index.unread),
    }
    sys.stdout.write(json.dumps(figures) + "\n")


def main(times: int) -> None:
    """Load them so many times, each in a process of its own, and hand over the medians."""
    command = [sys.executable, "-m", "benchmarks.warninglists", "once"]
    runs = [json.loads(subprocess.check_output(command)) for _ in range(times)]
    middle = {name: median(run[name] for run in runs) for name in runs[0]}
    hand_over(
        [
            Row(
                f"all {middle['lists']:.0f} warninglists loaded",
                f"{middle['seconds']:.2f} s ({middle['cpu']:.2f} s of one core)",
                "2 s",
            ),
            Row(
                "peak memory of a process that does nothing else",
                f"{middle['peak'] / 1024:.0f} MB ({middle['held'] / 1024:.0f} MB for the lists)",
                "200 MB",
            ),
        ]
    )


if __name__ == "__main__":
    if sys.argv[1] == "once":
        once()
    else:
        main(int(sys.argv[1]))
