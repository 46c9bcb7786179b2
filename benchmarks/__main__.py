"""Run every benchmark, each in a process of its own, and print one table."""

import json
import subprocess
import sys

from rich.console import Console
from rich.table import Table

FULL = {
    "startup": ["9"],
    "first_load": ["50000"],
    "scale memory": ["1000000"],
    "scale cycles": ["1000000"],
    "scale forty": ["10000"],
    "many fills": ["40", "10000"],
    "many idle": ["400", "1000"],
    "kernel": ["100000"],
    "proxies": ["100000"],
    "caches": ["100000"],
    "mail": ["100000"],
    "resolvers": ["100000"],
    "events": ["100000"],
    "warninglists": ["5"],
    "hostile": ["200000"],
    "siege": ["2000"],
    "polling": ["5"],
}
QUICK = {
    "startup": ["3"],
    "first_load": ["5000"],
    "scale memory": ["50000"],
    "scale cycles": ["50000"],
    "scale forty": ["1000"],
    "many fills": ["20", "500"],
    "many idle": ["20", "100"],
    "kernel": ["10000"],
    "proxies": ["10000"],
    "caches": ["10000"],
    "mail": ["10000"],
    "resolvers": ["10000"],
    "events": ["10000"],
    "warninglists": ["1"],
    "hostile": ["20000"],
    "siege": ["500"],
    "polling": ["1"],
}


def main() -> None:
    """Print the table; `--quick` takes small sizes, a word takes only the parts it names."""
    quick = "--quick" in sys.argv
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    table = Table("figure", "measured", "goal")
    for part, sizes in (QUICK if quick else FULL).items():
        if words and not any(word in part for word in words):
            continue
        module, *arguments = part.split()
        command = [sys.executable, "-m", f"benchmarks.{module}", *arguments, *sizes]
        printed = subprocess.run(command, capture_output=True, text=True, check=False)
        if printed.returncode:
            table.add_row(part, "failed: " + printed.stderr.strip().rpartition("\n")[2])
        for line in printed.stdout.splitlines():
            row = json.loads(line)
            table.add_row(row["what"], row["figure"], row["goal"])
    Console().print(table)


if __name__ == "__main__":
    main()
