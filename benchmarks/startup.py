"""What the commands that only look cost before they look: beside the libraries of any command line.

Ratios of processor time, of runs that take turns: the machine drifts, its clock says little. All
run from bytecode, as pip installs it, whatever the environment says of writing it.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.rows import Row, hand_over
from benchmarks.stage import CONFIG, EDL

BASE = (sys.executable, "-c", "import typer, rich.console")
CONNECTOR = (sys.executable, "-m", "connector")
# What people type, whether a first run made the state before, and the goal.
COMMANDS = {
    "--help": (("--help",), False, "at most 3"),
    "status": (("status",), True, "at most 4"),
    "status without a state": (("status",), False, "at most 4"),
    "explain": (("explain", "192.0.2.1"), True, "at most 4"),
    "check": (("check",), False, ""),
}


def spent(command: tuple[str, ...], folder: Path) -> float:
    """Return the seconds of processor that a command and all it starts take."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before = os.times()
    subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True)
    after = os.times()
    return (
        after.children_user + after.children_system - before.children_user - before.children_system
    )


def main(rounds: int) -> None:
    """Measure on a file with one feed and one output, and hand the rows over."""
    with tempfile.TemporaryDirectory() as name:
        folders = {has_state: Path(name) / str(has_state) for has_state in (False, True)}
        text = CONFIG.format(feed="bundle, path: .", outputs=EDL.format(name="edge"))
        for folder in folders.values():
            folder.mkdir()
            (folder / "config.yaml").write_text(text)
        spent((*CONNECTOR, "run", "--once"), folders[True])
        runs: dict[str, list[float]] = {"": [], **{command: [] for command in COMMANDS}}
        for _ in range(rounds + 1):
            runs[""].append(spent(BASE, folders[False]))
            for command, (words, has_state, _goal) in COMMANDS.items():
                runs[command].append(spent((*CONNECTOR, *words), folders[has_state]))
    middle = {command: median(found[1:]) for command, found in runs.items()}  # the first compiled
    base = middle[""]
    hand_over([
        Row(f"connector {command}, against `import typer, rich.console`",
            f"{middle[command] / base:.1f} times ({middle[command]:.2f} s)", goal)
        for command, (_words, _has_state, goal) in COMMANDS.items()
    ])  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]))
