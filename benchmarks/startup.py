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
COMMANDS = {
    "--help": (("--help",), "at most 3"),
    "status": (("status",), "at most 4"),
    "explain": (("explain", "192.0.2.1"), "at most 4"),
    "check": (("check",), ""),
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
    """Measure on a file with one feed and one output, and no state yet, and hand the rows over."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = CONFIG.format(feed="bundle, path: .", outputs=EDL.format(name="edge"))
        (folder / "config.yaml").write_text(text)
        runs: dict[str, list[float]] = {"": [], **{command: [] for command in COMMANDS}}
        for _ in range(rounds + 1):
            runs[""].append(spent(BASE, folder))
            for command, (arguments, _goal) in COMMANDS.items():
                runs[command].append(spent((*CONNECTOR, *arguments), folder))
    runs = {
        command: figures[1:] for command, figures in runs.items()
    }  # the first wrote the bytecode
    base = median(runs[""])
    hand_over([
        Row(f"connector {command}, against `import typer, rich.console`",
            f"{median(runs[command]) / base:.1f} times ({median(runs[command]):.2f} s)", goal)
        for command, (_arguments, goal) in COMMANDS.items()
    ])  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]))
