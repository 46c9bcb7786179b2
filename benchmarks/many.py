"""Many outputs of one list: first fill, memory, dead and slow targets among them, an idle hour."""

import json
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from benchmarks.rows import Row, hand_over
from benchmarks.scale import fill
from benchmarks.stage import service_in
from connector.daemon.workers import Workers
from connector.service.service import Service

FILE: Final = "  {name}: {{list: all, adapter: edl, every: 1m, options: {{file: {name}.txt}}}}"
REMOTE: Final = (
    "  {name}: {{list: all, adapter: splunk_kvstore, options: {{url: '{url}', app: search, "
    "collection: {name}, auth: {{token: {{env: HOME}}}}, read_timeout: 10s}}}}"
)
FEW: Final = 10  # times fewer outputs, to see whether more of them take more than their share
LOST: Final = 5  # dead targets, and as many slow ones
SLOW_SECONDS: Final = 2
MINUTES: Final = 60
MEGABYTE: Final = 1e6


class Slow(BaseHTTPRequestHandler):
    """Answers late, and that it cannot serve."""

    def do_GET(self) -> None:
        """Wait, then answer 503."""
        time.sleep(SLOW_SECONDS)
        self.send_error(503)

    do_POST = do_GET  # noqa: N815 - the names that the server looks for

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def lost_targets() -> Iterator[list[str]]:
    """Yield outputs whose targets never answer, or late."""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=100) as dead,
        ThreadingHTTPServer(("127.0.0.1", 0), Slow) as slow,
    ):
        threading.Thread(target=slow.serve_forever, daemon=True).start()
        urls = [f"http://127.0.0.1:{at.getsockname()[1]}" for at in (dead, slow.socket)]
        yield [
            REMOTE.format(name=f"lost{number}", url=urls[number % 2]) for number in range(2 * LOST)
        ]
        slow.shutdown()


def filled(service: Service, outputs: Sequence[str]) -> dict[str, float]:
    """Let the daemon's workers fill all these outputs; return wall and CPU seconds, and threads."""
    failed: list[BaseException] = []
    left, most = set(outputs), 0
    workers = Workers(service, failed.append)
    began, cpu = time.perf_counter(), time.process_time()
    workers.start()
    while left and not failed:
        time.sleep(0.2)
        workers.tick()
        most = max(most, threading.active_count())
        with service.store.database.read() as transaction:
            sql = "SELECT name FROM outputs WHERE last_success IS NOT NULL"
            left.difference_update(row[0] for row in transaction.rows(sql))
    wall, used = time.perf_counter() - began, time.process_time() - cpu
    ending = time.perf_counter()
    workers.stop()
    assert not failed, failed
    return {
        "wall": wall, "cpu": used, "threads": most, "ending": time.perf_counter() - ending,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip


def one_fill(count: int, size: int, *, lost: bool = False) -> dict[str, float]:
    """Fill so many files with so many entries, in this process."""
    with tempfile.TemporaryDirectory() as folder, lost_targets() as remote:
        files = [FILE.format(name=f"out{number}") for number in range(count)]
        service = service_in(Path(folder), "bundle, path: .", [*remote, *files] if lost else files)
        fill(service, size, "ipv4")
        service.lists.refresh("all", everything=True)
        service.feeds["ais"].feed.collections = lambda: ()  # type: ignore[method-assign]
        return filled(service, [f"out{number}" for number in range(count)])


def alone(part: str, *numbers: int) -> dict[str, float]:
    """Run a part in a process of its own, for its peak of memory."""
    command = [sys.executable, "-m", "benchmarks.many", part, *map(str, numbers)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True)
    told: dict[str, float] = json.loads(printed.stdout)
    return told


def fills(count: int, size: int) -> list[Row]:
    """Compare few outputs with many, and the same many beside dead and slow targets."""
    few, many = alone("one", count // FEW, size), alone("one", count, size)
    beside = alone("lost", count, size)
    what = f"{count} outputs of a list of {size:,}, first fill"
    return [
        Row(
            what,
            f"{many['wall']:.1f} s, {many['cpu']:.1f} s of CPU, "
            f"{many['cpu'] / count / size * 1e6:.0f} µs an entry; "
            f"{many['cpu'] / few['cpu'] / FEW:.2f} times the share of {count // FEW}",
            "1 time",
        ),
        Row("the same, memory and threads",
            f"{many['peak']:.0f} MB at most, {many['threads']:.0f} threads", "300 MB"),
        Row("the same, ended", f"{many['ending']:.1f} s", "a write in hand"),
        Row(
            f"the same {count} outputs beside {2 * LOST} dead or slow ones, against without",
            f"{beside['wall'] / many['wall']:.2f} times as long, {beside['cpu'] / many['cpu']:.2f} "
            "times the CPU (they are planned too)",
            f"{(count + 2 * LOST) / count:.2f} times",
        ),
    ]  # fmt: skip


def written() -> int:
    """Return how many bytes this process has written so far."""
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(lines["wchar"])


def idle(count: int, size: int) -> list[Row]:
    """Let an hour pass in which nothing changes, each output being asked each minute."""
    with tempfile.TemporaryDirectory() as folder:
        files = [FILE.format(name=f"out{number}") for number in range(count)]
        service = service_in(Path(folder), "bundle, path: .", files)
        fill(service, size, "ipv4")
        service.lists.refresh("all", everything=True)
        service.feeds["ais"].feed.collections = lambda: ()  # type: ignore[method-assign]
        for name in service.outputs:
            service.outputs.sync(name)
        failed: list[BaseException] = []
        workers = Workers(service, failed.append)
        before, cpu = written(), time.process_time()
        for _ in range(MINUTES):
            for _ in range(6):
                workers._refresh()
            for worker in workers.outputs.values():
                worker.ask()
            workers.crew.join()
        cpu, before = time.process_time() - cpu, written() - before
        workers.stop()
    assert not failed, failed
    return [
        Row(f"an idle hour of {count} outputs, each asked every minute",
            f"{cpu:.0f} s of CPU, {before / MEGABYTE:.0f} MB written", "60 s, 20 MB"),
    ]  # fmt: skip


PARTS: Final[dict[str, Callable[..., Any]]] = {
    "one": one_fill,
    "lost": lambda count, size: one_fill(count, size, lost=True),
    "fills": fills,
    "idle": idle,
}

if __name__ == "__main__":
    part, *sizes = sys.argv[1:]
    result = PARTS[part](*map(int, sizes))
    if isinstance(result, dict):
        sys.stdout.write(json.dumps(result))
    else:
        hand_over(result)
