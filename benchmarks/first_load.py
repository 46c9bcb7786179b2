"""First load against the usual path: taxii2-client's pager, stix2.parse and its pattern AST.

Both read the same objects from the same local server; the usual path stores nothing at all.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.rows import Row, hand_over
from benchmarks.stage import EDL, service_in
from connector.testing.ais_like import indicators
from connector.testing.taxii_server import TaxiiServer

PAGE = 1000
OUTPUT = EDL.format(name="out")


def serve(size: int) -> None:
    """Serve so many indicators until standard input closes."""
    with TaxiiServer() as server:
        server.add_objects(indicators(size))
        sys.stdout.write(server.url + "\n")
        sys.stdout.flush()
        sys.stdin.read()


def ours(url: str, folder: Path) -> float:
    """Return the seconds from the first request to the last stored claim."""
    service = service_in(folder, f"taxii, url: '{url}', page_size: {PAGE}", [OUTPUT])
    began = time.perf_counter()
    polled = service.poll("ais")
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


def main(size: int) -> None:
    """Measure both and hand the rows over."""
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.first_load", "serve", str(size)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    try:
        with tempfile.TemporaryDirectory() as folder:
            fast = ours(url, Path(folder))
        slow = usual(url)
    finally:
        server.communicate()
    hand_over(
        [
            Row(
                f"first load of {size:,} objects, against taxii2-client + stix2 + pattern AST",
                f"{slow / fast:.1f} times ({fast / size * 1e6:.0f} against "
                f"{slow / size * 1e6:.0f} µs an object)",
                "20 times",
            )
        ]
    )


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        main(int(sys.argv[1]))
