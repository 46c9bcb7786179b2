"""One measured figure, and how part benchmarks hand theirs to the table."""

import json
import sys
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A figure, what it is, and the goal it is held against."""

    what: str
    figure: str
    goal: str = ""


def hand_over(rows: list[Row]) -> None:
    """Write rows as JSON lines for the table of `python -m benchmarks`."""
    for row in rows:
        sys.stdout.write(json.dumps(asdict(row)) + "\n")
    sys.stdout.flush()
