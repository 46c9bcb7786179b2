"""Large lists: memory, `changed` against `everything`, forty outputs, rendering, 304."""

import http.client
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry

from benchmarks.rows import Row, hand_over
from benchmarks.stage import EDL, service_in
from connector.ingest.versions import read_version
from connector.server.listserver import ListServer
from connector.service.service import Service
from connector.sync.targets.published import PublishedList
from connector.sync.view import CHANGED, EVERYTHING
from connector.testing.samples.ais_like import indicators

CHANGES = 1000
ROUNDS = 5
OUTPUTS = 40
PAGE = 1000


def timed(work: Callable[[], object]) -> float:
    """Return the seconds a piece of work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def spent(work: Callable[[], object]) -> float:
    """Return the seconds of CPU that a piece of work takes: others on the machine do not count."""
    began = time.process_time()
    work()
    return time.process_time() - began


def fill(service: Service, size: int, kinds: str, seed: int = 1) -> int:
    """Store so many indicators, page by page, as a poll does."""
    return take(service, indicators(size, seed, kinds=kinds))


def take(service: Service, stream: Iterator[bytes]) -> int:
    """Store a stream of objects, page by page, as a poll does; return how many there were."""
    objects, feed = service.store.objects, service.feeds["ais"].number
    state = objects.runs.collection(feed, "bench", "bench")
    count = 0
    while raws := list(islice(stream, PAGE)):
        versions = [read_version(raw, "feed") for raw in raws]
        objects.store_page(feed, state, versions, "", whole=False, now=service.now())
        count += len(raws)
    objects.note_attempt(feed, service.now(), None)
    return count


def touch(service: Service) -> None:
    """Touch some observables all over the store, as new versions of their indicators would."""
    database = service.store.database
    with database.write() as transaction:
        highest = transaction.one("SELECT max(number) FROM observables")
        after = transaction.one("SELECT max(touched) FROM observables") + 1
        step = highest // CHANGES
        chosen = ",".join(str(number) for number in range(1, highest, step)[:CHANGES])
        transaction.run(
            "UPDATE objects SET confidence = 101 - confidence WHERE number IN "
            f"(SELECT object FROM claims WHERE observable IN ({chosen}))",
        )
        sql = f"UPDATE observables SET touched = {after} WHERE number IN ({chosen})"
        transaction.run(sql)


def answered(url: str, path: str, headers: dict[str, str]) -> tuple[float, int, str]:
    """Return seconds, status and ETag of one request."""
    where = urlsplit(url)
    transaction = http.client.HTTPConnection(where.hostname or "", where.port)
    began = time.perf_counter()
    transaction.request("GET", path, headers=headers)
    answer = transaction.getresponse()
    answer.read()
    taken = time.perf_counter() - began
    transaction.close()
    return taken, answer.status, answer.getheader("ETag") or ""


def memory(size: int) -> list[Row]:
    """Load into a fresh store and return the peak memory of this process."""
    with tempfile.TemporaryDirectory() as folder:
        service = service_in(Path(folder), "bundle, path: .", [EDL.format(name="out")])
        load = timed(lambda: fill(service, size, "mixed"))
        service.lists.refresh("all", everything=True)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        held = sum(path.stat().st_size for path in Path(folder).glob("state/*")) / size
        service.close()
    return [
        Row(f"peak memory of a load of {size:,} claims, decided", f"{peak:.0f} MB", "400 MB"),
        Row("the same load", f"{load / size * 1e6:.0f} µs and {held:.0f} bytes on disk a claim"),
    ]


def cycles(size: int) -> list[Row]:
    """Compare cycles over what changed with cycles over everything, and with forty outputs."""
    with tempfile.TemporaryDirectory() as folder:
        lines = [EDL.format(name="out")]
        service = service_in(Path(folder), "bundle, path: .", lines)
        fill(service, size, "ipv4")
        decided = spent(lambda: service.lists.refresh("all", everything=True))
        first = spent(lambda: service.outputs.sync("out", EVERYTHING))
        everything = spent(lambda: service.lists.refresh("all", everything=True))
        everything += spent(lambda: service.outputs.propose("out", EVERYTHING))
        taken = []
        for _ in range(ROUNDS):
            touch(service)
            cost = spent(lambda: service.lists.refresh("all"))
            taken.append(cost + spent(lambda: service.outputs.propose("out", CHANGED)))
            service.outputs.sync("out", CHANGED)
        changed = sorted(taken)[ROUNDS // 2]
        rows = [
            Row(
                f"`changed` cycle of {CHANGES:,} among {size:,}, against `everything`",
                f"1/{everything / changed:.0f} ({changed * 1e3:.0f} ms against {everything:.1f} s; "
                f"the slowest of {ROUNDS} {max(taken) * 1e3:.0f} ms)",
                "1/450",
            ),
            Row(
                f"first fill of a file of {size:,}, ledger and audit included",
                f"{first / decided:.2f} times deciding it ({first:.1f} s against {decided:.1f})",
                "1.1 times",
            ),
            *serving(service, size),
        ]
        service.close()
    return rows


def serving(service: Service, size: int) -> list[Row]:
    """Render the whole list, then ask the list server for it, twice."""
    output = service.outputs["out"]
    proposal = service.outputs.propose("out", CHANGED)
    target = output.target
    assert isinstance(target, PublishedList)

    def render() -> None:
        with service.store.database.read() as transaction:
            target.adapter.publish(target.listed(proposal, service.store, transaction))

    rendered = timed(render)
    folder = service.loaded.config.publish_folder
    server = ListServer("127.0.0.1:0", (), folder, lambda: {"healthy": True}, CollectorRegistry())
    server.start()
    first, _status, etag = answered(server.url, "/lists/out.txt", {})
    taken = []
    for _ in range(50):
        again, status, _etag = answered(server.url, "/lists/out.txt", {"If-None-Match": etag})
        assert status == 304, status
        taken.append(again)
    server.stop()
    return [
        Row(f"a list of {size:,} addresses rendered from the store", f"{rendered:.1f} s", "5 s"),
        Row("the same list fetched", f"{first * 1e3:.0f} ms, then 304 in "
            f"{sorted(taken)[25] * 1e3:.1f} ms", "milliseconds"),
    ]  # fmt: skip


def forty(size: int) -> list[Row]:
    """Forty outputs of one list: one decision, however many carry it."""
    with tempfile.TemporaryDirectory() as folder:
        lines = [EDL.format(name=f"out{number}") for number in range(OUTPUTS)]
        service = service_in(Path(folder), "bundle, path: .", lines)
        fill(service, size, "ipv4")
        decided = 0
        protects = service.lists.allowlist.protects

        class Counting:
            """Counts how often the allowlist is asked: once for each entry decided."""

            def protects(self, observable, now, purpose):  # type: ignore[no-untyped-def]
                """Ask the real one."""
                nonlocal decided
                decided += 1
                return protects(observable, now, purpose)

        object.__setattr__(service.lists["all"], "allowlist", Counting)
        service.lists.refresh("all", everything=True)
        for number in range(OUTPUTS):
            service.outputs.sync(f"out{number}", EVERYTHING)
        service.close()
    return [
        Row(f"decisions for {OUTPUTS} outputs of one list of {size:,}", f"{decided:,}", f"{size:,}")
    ]


if __name__ == "__main__":
    part, number = sys.argv[1], int(sys.argv[2])
    hand_over({"memory": memory, "cycles": cycles, "forty": forty}[part](number))
