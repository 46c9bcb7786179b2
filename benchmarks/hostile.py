"""What the slowest of some patterns made to be slow costs to read, and a page of nothing."""

import resource
import sys
import time
from contextlib import suppress

from benchmarks.rows import Row, hand_over
from connector.errors import UnavailableError
from connector.feeds.stix_json import read_envelope
from connector.indicators.pattern.reader import read_pattern

_ADDRESS = "ipv4-addr:value"


def main() -> None:
    """Read each pattern once; a square of the length would take minutes."""
    size = int(sys.argv[1])
    listed = ", ".join(f"'198.51.{at // 256 % 256}.{at % 256}'" for at in range(size // 20))
    patterns = {
        "brackets": "[" * size,
        "parentheses": "(" * size + f"[{_ADDRESS} = '203.0.113.5']",
        "a path": "[a:b" + ".c" * size + " = 1]",
        "labels": "[domain-name:value = '" + "a." * size + "']",
        "accents": "[file:name = '" + "\u0301" * size + "']",
        "a contradiction": f"[{_ADDRESS} NOT IN ({listed}) AND {_ADDRESS} IN ({listed})]",
    }
    taken = {name: _seconds(pattern) for name, pattern in patterns.items()}
    worst = max(taken, key=lambda name: taken[name])
    what = f"hostile patterns of {size:,} characters, the slowest ({worst})"
    hand_over([Row(what, f"{taken[worst] * 1e3:.0f} ms", "1 s"), _page_of_nothing(5 * size)])


def _page_of_nothing(count: int) -> Row:
    """Refuse a page of so many empty objects."""
    page = b'{"more":true,"objects":[' + b"{}," * (count - 1) + b"{}]}"
    began = time.process_time()
    with suppress(UnavailableError):
        read_envelope(page, "here")
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    what = f"page of {count:,} empty objects, refused: time, peak of the process"
    return Row(what, f"{seconds:.2f} s, {peak} MB", "2 s, 200 MB")


def _seconds(pattern: str) -> float:
    began = time.process_time()
    read_pattern(pattern)
    return time.process_time() - began


if __name__ == "__main__":
    main()
