"""From entries to a running proxy, against the same lines given to it by hand."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from connector_haproxy import HaproxyAdapter, HaproxySettings
from connector_squid import SquidAdapter, SquidSettings

from benchmarks.rows import Row, hand_over
from benchmarks.scale import timed
from connector.adapter import Entry, ListAdapter, Observable, ObservableType, OutputContext

ROOT = Path(__file__).parent.parent
sys.path += [str(ROOT / "examples" / "connector_haproxy_map"), str(ROOT / "tests" / "plugins")]

from haproxy_host import haproxy  # noqa: E402 - it is no part of the distribution
from squid_host import squid  # noqa: E402 - the same

GOAL = "3 times"
PART = 300


def main(size: int) -> None:
    """Measure and hand the rows over; without root or a program there is nothing to measure."""
    rows = []
    for program, measured in (("haproxy", by_haproxy), ("squid", by_squid)):
        what = f"{size:,} addresses to a running {program}, against the same by hand"
        if os.geteuid() != 0 or shutil.which(program) is None:
            rows.append(Row(what, f"not measured: needs root and {program}", GOAL))
            continue
        ours, by_hand = measured(size)
        words = f"{ours / by_hand:.1f} times ({ours:.2f} s, {by_hand:.2f} s by hand)"
        rows.append(Row(what, words, GOAL))
    hand_over(rows)


def addresses(size: int) -> list[str]:
    """Return so many addresses, none inside another."""
    return [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(size)]


def both(adapter: ListAdapter, by_hand: Callable[[], None], size: int) -> tuple[float, float]:
    """Return how long the adapter takes, and how long it takes by hand."""
    entries = [Entry(Observable(ObservableType.IPV4_ADDR, one)) for one in addresses(size)]

    def ours() -> None:
        adapter.publish(entries)
        adapter.activate()

    return min(timed(ours) for _ in range(3)), min(timed(by_hand) for _ in range(3))


def by_haproxy(size: int) -> tuple[float, float]:
    """Measure a map, of which a new version is filled and committed through the socket."""
    with haproxy() as host:

        def command(said: str) -> str:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(host.socket))
                connection.sendall(f"{said}\n".encode())
                return b"".join(iter(lambda: connection.recv(65_536), b"")).decode()

        def by_hand() -> None:
            lines = [f"{one} listed\n" for one in addresses(size)]
            (host.folder / "by-hand.map").write_text("".join(lines))
            version = command(f"prepare map {host.map}").split()[-1]
            for at in range(0, size, PART):
                command(f"add map @{version} {host.map} <<\n{''.join(lines[at : at + PART])}")
            command(f"commit map @{version} {host.map}")

        settings = HaproxySettings(socket=host.socket, addresses=host.map)
        adapter = HaproxyAdapter(settings, OutputContext("bench", host.folder))
        return both(adapter, by_hand, size)


def by_squid(size: int) -> tuple[float, float]:
    """Measure a file that is written, tested with the whole configuration, and taken up."""
    with squid() as host:

        def by_hand() -> None:
            # Half a line, read while it is written, would end Squid.
            draft = host.addresses.with_suffix(".new")
            draft.write_text("".join(f"{one}\n" for one in addresses(size)))
            draft.replace(host.addresses)
            for verb in ("parse", "reconfigure"):
                subprocess.run([*host.command, "-k", verb], check=True, stderr=subprocess.DEVNULL)

        files = {"addresses": host.addresses, "domains": host.domains}
        settings = SquidSettings(**files, squid=host.command)
        adapter = SquidAdapter(settings, OutputContext("bench", host.folder))
        return both(adapter, by_hand, size)


if __name__ == "__main__":
    main(int(sys.argv[1]))
