"""First load against the usual path: taxii2-client's pager, stix2.parse and its pattern AST.

Both read the same objects from the same local server; the usual path stores nothing at all.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from statistics import median

from benchmarks.rows import Row, hand_over
from benchmarks.stage import EDL, service_in
from connector.testing.samples.ais_like import indicators, whole_feed
from connector.testing.taxii.server import TaxiiServer

PAGE = 1000
OUTPUT = EDL.format(name="out")


def serve(size: int, whole: bool) -> None:
    """Serve so many objects until standard input closes: indicators alone, or a whole feed."""
    objects = islice(whole_feed(size), size) if whole else indicators(size)
    with TaxiiServer() as server:
        server.add_objects(objects)
        sys.stdout.write(server.url + "\n")
        sys.stdout.flush()
        sys.stdin.read()


def ours(url: str, folder: Path) -> float:
    """Return the seconds from the first request to the last stored claim."""
    service = service_in(folder, f"taxii, url: '{url}', page_size: {PAGE}", [OUTPUT])
    began = time.perf_counter()
    polled = service.feeds.poll("ais")
    taken = time.perf_counter() - began
    assert polled.new, "nothing was read"
    service.close()
    return taken


def usual(url: str) -> float:
    """Return the seconds that the usual path takes to read the same objects."""
    import stix2  # noqa: PLC0415 - heavy, and only this side uses it
    from stix2.pattern_visitor import create_pattern_object  # noqa: PLC0415
    from taxii2client.v21 import Server, as_pages  # noqa: PLC0415

    began = time.perf_counter()
    collection = Server(url).api_roots[0].collections[0]
    read = 0
    for page in as_pages(collection.get_objects, per_request=PAGE):
        for found in page.get("objects", []):
            parsed = stix2.parse(found, allow_custom=True)
            create_pattern_object(parsed.pattern, version="2.1")
            read += 1
    assert read, "nothing was read"
    return time.perf_counter() - began


@contextmanager
def served(size: int, kind: str) -> Iterator[str]:
    """Yield the address of a server in a process of its own."""
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.first_load", "serve", str(size), kind],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.communicate()


def loads(url: str, times: int) -> list[float]:
    """Return the seconds of so many first loads of ours, each into a fresh store."""
    taken = []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            taken.append(ours(url, Path(folder)))
    return taken


def main(size: int) -> None:
    """Measure both and hand the rows over."""
    with served(size, "indicators") as url:
        first = loads(url, 1)
        slow = usual(url)
        fast = median(first + loads(url, 2))  # on both sides of it: a machine's speed drifts
    with served(size, "whole") as url:
        whole = median(loads(url, 3))
    hand_over(
        [
            Row(
                f"first load of {size:,} objects, against taxii2-client + stix2 + pattern AST",
                f"{slow / fast:.1f} times ({fast / size * 1e6:.0f} against "
                f"{slow / size * 1e6:.0f} µs an object)",
                "20 times",
            ),
            Row(
                "an object of a whole feed with opinions and context, against an indicator",
                f"{whole / fast:.2f} times ({whole / size * 1e6:.0f} against "
                f"{fast / size * 1e6:.0f} µs an object)",
                "",
            ),
        ]
    )


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]), sys.argv[3] == "whole")
    else:
        main(int(sys.argv[1]))
