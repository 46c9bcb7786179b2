"""A known client's 304 while hostile connections hold on to the list server."""

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

from prometheus_client import CollectorRegistry

from benchmarks.rows import Row, hand_over
from benchmarks.scale import answered
from connector.config.service import ServerTlsConfig
from connector.server import ListServer, raise_file_limit
from connector.settings import SecretValue

_ASKED = 300
_ADDRESSES = 200
_KINDS = (
    b"",
    b"GET /lists/large.txt HTTP/1.1\r\nHost: h\r\n",
    b"GET /lists/large.txt HTTP/1.1\r\nHost: h\r\n\r\n",  # and reads nothing of it
)


def serve(folder: str, certificate: str = "") -> None:
    """Serve a folder in this process until its input ends; over TLS with a certificate and key."""
    raise_file_limit()
    status = {"healthy": True}
    tls = ServerTlsConfig(certificate=SecretValue("", Path(certificate))) if certificate else None
    server = ListServer(
        "127.0.0.1:0", (), Path(folder), lambda: status, CollectorRegistry(), tls=tls
    )
    server.start()
    sys.stdout.write(server.url + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop()


def besiege(port: int, size: int) -> None:
    """Hold so many connections of three kinds, from many addresses, until the input ends."""
    raise_file_limit()
    held = []
    for number in range(size):
        source = (f"127.0.1.{1 + number % _ADDRESSES}", 0)
        hostile = socket.create_connection(("127.0.0.1", port), 20, source_address=source)
        with suppress(ConnectionError):  # it may have made room for another already
            hostile.sendall(_KINDS[number % len(_KINDS)])
        held.append(hostile)
    sys.stdout.write("all there\n")
    sys.stdout.flush()
    sys.stdin.read()


@contextmanager
def beside(*words: str) -> Iterator[str]:
    """Run a part of this benchmark in a process of its own; yield the line that it prints first."""
    command = [sys.executable, "-m", "benchmarks.siege", *words]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        yield process.stdout.readline().strip()
        process.stdin.close()


def main(size: int) -> None:
    """Hand over how long a known client waits for its 304, and how many are answered."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "list.txt").write_bytes(b"192.0.2.7\n" * 1000)
        Path(folder, "large.txt").write_bytes(b"192.0.2.7\n" * 2_000_000)
        with beside("serve", folder) as url:
            _taken, _status, etag = answered(url, "/lists/list.txt", {})
            with beside("besiege", url.rpartition(":")[2], str(size)):
                taken, failed = _asked(url, etag)
    hand_over(
        [
            Row(
                f"304 for a known client beside {size:,} hostile connections",
                f"{median(taken) * 1e3:.1f} ms at the median, {max(taken) * 1e3:.0f} ms at most, "
                f"{failed} of {_ASKED} without an answer",
                "50 ms at the median",
            )
        ]
    )


def _asked(url: str, etag: str) -> tuple[list[float], int]:
    taken, failed = [], 0
    for _ in range(_ASKED):
        try:
            seconds, status, _etag = answered(url, "/lists/list.txt", {"If-None-Match": etag})
        except OSError:
            failed += 1
            continue
        assert status == 304, status
        taken.append(seconds)
        time.sleep(0.01)
    return taken, failed


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(*sys.argv[2:])
    elif sys.argv[1] == "besiege":
        besiege(int(sys.argv[2]), int(sys.argv[3]))
    else:
        main(int(sys.argv[1]))
