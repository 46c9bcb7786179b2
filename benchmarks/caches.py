"""From entries to keys of Redis, against the same members given to it by its own client."""

import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from connector_redis import RedisAdapter, RedisSettings
from connector_rspamd import RspamdAdapter, RspamdSettings

from benchmarks.rows import Row, hand_over
from benchmarks.scale import timed
from connector.adapter import Entry, Observable, ObservableType, SecretValue
from connector.testing.context import output_context

ROOT = Path(__file__).parent.parent
sys.path += [str(ROOT / "tests" / "plugins")]

from redis_host import PASSWORD, RedisHost, redis  # noqa: E402 - it is no part of the distribution

GOAL = "3 times"


def main(size: int) -> None:
    """Measure and hand the rows over; without Redis there is nothing to measure."""
    names = [f"n{number}.bad.example" for number in range(size)]
    told = {"redis": ("SADD by-hand {}\n", _by_redis), "rspamd": ("HSET hash {} 1\n", _by_rspamd)}
    rows = []
    for adapter, (line, measured) in told.items():
        what = f"{size:,} names to Redis by {adapter}, against `redis-cli --pipe` with the same"
        if shutil.which("redis-server") is None:
            rows.append(Row(what, "not measured: needs redis-server", GOAL))
            continue
        with tempfile.TemporaryDirectory() as folder, redis(Path(folder) / "redis") as host:
            by_hand = timed(partial(_by_hand, host, "".join(line.format(name) for name in names)))
            ours = timed(partial(measured, host, names, Path(folder)))
        words = f"{ours / by_hand:.1f} times ({ours:.2f} s, {by_hand:.2f} s by hand)"
        rows.append(Row(what, words, GOAL))
    hand_over(rows)


def _by_hand(host: RedisHost, said: str) -> None:
    command = ["redis-cli", "--pipe", "--no-auth-warning", "-a", PASSWORD, "-p", str(host.port)]
    subprocess.run(command, input=said, text=True, check=True, stdout=subprocess.DEVNULL)


def _entries(names: list[str]) -> list[Entry]:
    return [Entry(Observable(ObservableType.DOMAIN_NAME, name)) for name in names]


def _by_redis(host: RedisHost, names: list[str], folder: Path) -> None:
    settings = RedisSettings(url=host.url, auth={"password": SecretValue(PASSWORD)})
    adapter = RedisAdapter(settings, output_context(settings, folder, "bench"))
    entries = _entries(names)
    for at in range(0, len(entries), adapter.batch.entries):
        adapter.add(entries[at : at + adapter.batch.entries])
    adapter.close()


def _by_rspamd(host: RedisHost, names: list[str], folder: Path) -> None:
    auth = {"password": SecretValue(PASSWORD)}
    settings = RspamdSettings(mode="redis", url=host.url, auth=auth)
    adapter = RspamdAdapter(settings, output_context(settings, folder, "bench"))
    adapter.publish(_entries(names))
    adapter.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
