"""From entries to a set of Redis, against the same members given to it by its own client."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from connector_redis import RedisAdapter, RedisSettings

from benchmarks.rows import Row, hand_over
from benchmarks.scale import timed
from connector.adapter import Entry, Observable, ObservableType, SecretValue
from connector.testing.context import output_context

ROOT = Path(__file__).parent.parent
sys.path += [str(ROOT / "tests" / "plugins")]

from redis_host import PASSWORD, RedisHost, redis  # noqa: E402 - it is no part of the distribution

GOAL = "3 times"


def main(size: int) -> None:
    """Measure and hand the row over; without Redis there is nothing to measure."""
    what = f"{size:,} names to Redis, against `redis-cli --pipe` with the same"
    if shutil.which("redis-server") is None:
        hand_over([Row(what, "not measured: needs redis-server", GOAL)])
        return
    names = [f"n{number}.bad.example" for number in range(size)]
    with tempfile.TemporaryDirectory() as folder, redis(Path(folder) / "redis") as host:
        by_hand = timed(lambda: _by_hand(host, names))
        ours = timed(lambda: _ours(host, names, Path(folder)))
    words = f"{ours / by_hand:.1f} times ({ours:.2f} s, {by_hand:.2f} s by hand)"
    hand_over([Row(what, words, GOAL)])


def _by_hand(host: RedisHost, names: list[str]) -> None:
    command = ["redis-cli", "--pipe", "--no-auth-warning", "-a", PASSWORD, "-p", str(host.port)]
    said = "".join(f"SADD by-hand {name}\n" for name in names)
    subprocess.run(command, input=said, text=True, check=True, stdout=subprocess.DEVNULL)


def _ours(host: RedisHost, names: list[str], folder: Path) -> None:
    settings = RedisSettings(url=host.url, auth={"password": SecretValue(PASSWORD)})
    adapter = RedisAdapter(settings, output_context(settings, folder, "bench"))
    entries = [Entry(Observable(ObservableType.DOMAIN_NAME, name)) for name in names]
    for at in range(0, len(entries), adapter.batch.entries):
        adapter.add(entries[at : at + adapter.batch.entries])
    adapter.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
