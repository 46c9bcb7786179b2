"""A real HAProxy of our own on loopback; clients say by PROXY protocol from where they ask."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest

_STARTED_WITHIN_SECONDS = 300
_GLOBAL = """
global
  stats socket {folder}/socket mode 600 level admin
defaults
  mode http
  timeout connect 60s
  timeout client 300s
  timeout server 300s
frontend web
  bind fd@{listener} accept-proxy
"""
_ADDRESSES = "  http-request deny if { src,map_ip(%s/addresses.map) -m found }\n"


def require_haproxy() -> None:
    """Skip the test where there is no HAProxy; fail where it must not be missing."""
    if shutil.which("haproxy") is None:
        missing = "no haproxy: install the package haproxy"
        if os.environ.get("CONNECTOR_REQUIRE_REAL_SERVERS") == "1":
            pytest.fail(missing)
        pytest.skip(missing)


class HaproxyHost:
    """A HAProxy with rules of its own, which denies addresses by the map `addresses.map`."""

    def __init__(self, folder: Path, listener: socket.socket, rules: str = _ADDRESSES) -> None:
        self.folder = folder
        self.socket = folder / "socket"
        self.map = folder / "addresses.map"
        self._listener = listener
        self._rules = rules
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start HAProxy, and return when it answers."""
        for named in re.findall(r"%s/([a-z.]+)", self._rules):
            (self.folder / named).touch()
        listener = self._listener.fileno()
        text = _GLOBAL.format(folder=self.folder, listener=listener)
        rules = self._rules.replace("%s", str(self.folder))
        config = self.folder / "haproxy.cfg"
        config.write_text(f"{text}{rules}  http-request return status 200\n", encoding="utf-8")
        log = (self.folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                ["haproxy", "-db", "-f", config], pass_fds=[listener], stdout=log, stderr=log
            )
        deadline = time.monotonic() + _STARTED_WITHIN_SECONDS
        while True:
            try:
                self.ask("show version")
            except OSError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < deadline, "HAProxy does not answer"
                time.sleep(0.01)
            else:
                return

    def stop(self, by: int = signal.SIGTERM) -> None:
        """End it, by its own id."""
        if self._process is not None:
            self._process.send_signal(by)
            self._process.wait()
            self._process = None
        self.socket.unlink(missing_ok=True)

    def restart(self) -> None:
        """Stop and start it: it knows what its files say, and nothing else."""
        self.stop()
        self.start()

    def ask(self, command: str) -> str:
        """Return its answer, as an administrator at the socket sees it."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.socket))
            connection.sendall(f"{command}\n".encode())
            return b"".join(iter(lambda: connection.recv(65_536), b"")).decode()

    def status(self, client: str = "192.0.2.200", host: str = "site.example") -> int:
        """Return the status that a client gets for a request."""
        family = "TCP6" if ip_address(client).version == 6 else "TCP4"
        ours = "::1" if family == "TCP6" else "127.0.0.1"
        with socket.create_connection(self._listener.getsockname()) as connection:
            connection.sendall(
                f"PROXY {family} {client} {ours} 40000 80\r\n"
                f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
            )
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        return int(answer.split(b" ", 2)[1])


@contextmanager
def haproxy(rules: str = _ADDRESSES) -> Iterator[HaproxyHost]:
    """Run a HAProxy in a folder whose name is short enough for a socket, and end it."""
    require_haproxy()
    folder = Path(tempfile.mkdtemp(prefix="tfc-haproxy-"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = HaproxyHost(folder, listener, rules)
        try:
            host.start()
            yield host
        finally:
            host.stop()
            shutil.rmtree(folder)
