"""From entries to a policy zone of a running BIND, against the same names by nsupdate."""

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.rows import Row, hand_over
from benchmarks.scale import timed
from connector.adapter import Entry, Observable, ObservableType, OutputContext, SecretValue

ROOT = Path(__file__).parent.parent
sys.path += [str(ROOT / "tests" / "plugins")]

GOAL = "3 times"
PART = 1_000


def main(size: int) -> None:
    """Measure and hand the rows over; without a BIND there is nothing to measure."""
    what = f"{size:,} names to the policy zone of a running BIND, against nsupdate"
    try:
        from connector_rpz import RpzAdapter, RpzSettings  # noqa: PLC0415 - it needs an extra
        from named_host import SECRET, ZONE, named  # noqa: PLC0415 - it needs pytest
    except ImportError as error:
        hand_over([Row(what, f"not measured: {error}", GOAL)])
        return
    with named() as (host,), tempfile.TemporaryDirectory() as folder:
        settings = RpzSettings(
            zone=ZONE, servers=(f"127.0.0.1#{host.port}",), key_name="connector",
            key_secret=SecretValue(SECRET), timeout=60,
        )  # fmt: skip
        adapter = RpzAdapter(settings, OutputContext("bench", Path(folder)))
        names = [f"host-{number}.bad.example" for number in range(size)]
        entries = [Entry(Observable(ObservableType.DOMAIN_NAME, name)) for name in names]

        def by_hand() -> None:
            lines = [f"update add {name}.{ZONE} 60 CNAME ." for name in names]
            lines[PART - 1 :: PART] = [f"{line}\nsend" for line in lines[PART - 1 :: PART]]
            script = "\n".join([f"server 127.0.0.1 {host.port}", f"zone {ZONE}", *lines, "send\n"])
            key = f"hmac-sha256:connector:{SECRET}"
            subprocess.run(["nsupdate", "-v", "-y", key], input=script, text=True, check=True)

        def ours() -> None:
            at_once = adapter.batch.bytes // adapter.weigh(entries[-1])
            for at in range(0, size, at_once):
                adapter.add(entries[at : at + at_once])

        seconds = []
        for way in (by_hand, ours):
            host.stop()
            host.empty()
            host.start()
            seconds.append(timed(way))
        read = timed(lambda: list(adapter.read()))
    words = f"{seconds[1] / seconds[0]:.1f} times ({seconds[1]:.1f} s, {seconds[0]:.1f} s by hand)"
    hand_over([Row(what, words, GOAL), Row(f"the same {size:,} read back", f"{read:.1f} s")])


if __name__ == "__main__":
    main(int(sys.argv[1]))
