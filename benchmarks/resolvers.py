"""From entries to running DNS servers: a policy zone of BIND, a blocklist of rbldnsd."""

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
    """Measure and hand the rows over; without a server there is nothing to measure."""
    by_bind(size)
    by_rbldnsd(size)


def by_rbldnsd(size: int) -> None:
    """Measure a list until it is served, against the same lines written and waited for by hand."""
    what = f"{size:,} addresses until rbldnsd serves them, against the same by hand"
    try:
        from connector_dnsbl import DnsblAdapter, DnsblSettings  # noqa: PLC0415 - it needs an extra
        from rbldnsd_host import free_port, rbldnsd  # noqa: PLC0415 - it needs pytest
    except ImportError as error:
        hand_over([Row(what, f"not measured: {error}", GOAL)])
        return
    with rbldnsd("127.0.0.1", free_port()) as host:
        addresses = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(1, size + 1)]
        entries = [Entry(Observable(ObservableType.IPV4_ADDR, one)) for one in addresses]
        context = OutputContext("bench", host.folder)
        DnsblAdapter(DnsblSettings(**(host.options | {"server": None})), context).publish([])
        host.start()
        adapter = DnsblAdapter(DnsblSettings(**host.options), context)
        last = ".".join(reversed(addresses[-1].split(".")))

        def ours() -> None:
            context.version += 1
            adapter.publish(entries)
            adapter.activate()

        def by_hand() -> None:
            path = host.options["ipv4"]
            draft = path.with_suffix(".new")
            lines = ["$TTL 1", "$SOA 1 localhost. root.localhost. 0 600 300 86400 1", *addresses]
            draft.write_text("\n".join([*lines, ""]))
            draft.replace(path)
            host.until(f"{last}.ip.bl.example", "NOERROR")

        hand = timed(by_hand)
        host.options["ipv4"].unlink()  # it is none of ours
        took = timed(ours)
    hand_over([Row(what, f"{took / hand:.1f} times ({took:.1f} s, {hand:.1f} s by hand)", GOAL)])


def by_bind(size: int) -> None:
    """Measure a zone that is written by updates, and read back by transfer."""
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
