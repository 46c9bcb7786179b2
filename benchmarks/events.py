"""From entries to a running rsyslog, against the same messages sent by a bare loop."""

import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path

from connector_syslog import SyslogAdapter, SyslogSettings

from benchmarks.rows import Row, hand_over
from benchmarks.scale import timed
from connector.adapter import Entry, Observable, ObservableType, OutputContext

ROOT = Path(__file__).parent.parent
sys.path += [str(ROOT / "tests" / "plugins")]

from syslog_hosts import Rsyslog, make_certificates  # noqa: E402 - it is no part of the distribution

GOAL = "3 times"


def main(size: int) -> None:
    """Measure and hand the row over; without rsyslog there is nothing to measure."""
    what = f"{size:,} events to a running rsyslog over TCP, against a bare socket loop"
    if shutil.which("rsyslogd") is None or os.geteuid() != 0:
        hand_over([Row(what, "not measured: needs root and rsyslog", GOAL)])
        return
    with tempfile.TemporaryDirectory() as folder:
        host = Rsyslog(make_certificates(Path(folder)))
        try:
            host.start()
            ours, bare = measured(host, Path(folder), size)
        finally:
            host.close()
    words = f"{ours / bare:.1f} times ({ours:.2f} s, {bare:.2f} s bare, {size / ours:,.0f}/s)"
    hand_over([Row(what, words, GOAL)])


def measured(host: Rsyslog, folder: Path, size: int) -> tuple[float, float]:
    """Return how long the adapter takes, and a loop that sends what it sent."""
    port = host.ports["tcp"]
    settings = SyslogSettings(host="127.0.0.1", port=port, transport="tcp")
    adapter = SyslogAdapter(settings, OutputContext("bench", folder))
    found = [Observable(ObservableType.IPV4_ADDR, f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
             for n in range(size)]  # fmt: skip
    entries = [Entry(one, {"name": "Seen by a partner", "confidence": 80}) for one in found]
    step = adapter.batch.entries

    def ours() -> None:
        for at in range(0, size, step):
            adapter.add(entries[at : at + step])
        adapter.flush()

    taken = timed(ours)
    adapter.close()
    line = f"<134>1 - host connector - add - CEF:0|a|b|1|add|c|5|cs1={'x' * 300}"

    def bare() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            for _ in range(size):
                connection.sendall(f"{len(line)} {line}".encode())
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass

    return taken, timed(bare)


if __name__ == "__main__":
    main(int(sys.argv[1]))
