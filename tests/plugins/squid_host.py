"""A real Squid of our own on loopback, before a server that answers every request."""

import http.client
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

_WITHIN_SECONDS = 300
_CONFIG = """\
http_port 127.0.0.1:{port}
acl bad_names dstdomain "{folder}/lists/domains.txt"
acl bad_addresses dst "{folder}/lists/addresses.txt"
http_access deny bad_names
http_access deny bad_addresses
http_access allow all
cache_peer 127.0.0.1 parent {origin} 0 no-query originserver
never_direct allow all
hosts_file {folder}/hosts
pid_filename {folder}/squid.pid
cache_log {folder}/log
access_log none
cache deny all
cache_mem 8 MB
pinger_enable off
shutdown_lifetime 0 seconds
coredump_dir {folder}
visible_hostname proxy.test
"""


def require_squid() -> None:
    """Skip the test where there is no Squid, or no right to start one as its own user."""
    if shutil.which("squid") is None:
        pytest.skip("no squid: install the package squid")
    if os.geteuid() != 0:
        pytest.skip("starting Squid as the user proxy needs root")


class _Origin(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing to standard error."""


class SquidHost:
    """A Squid that denies by the lists `domains.txt` and `addresses.txt`."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.domains = folder / "lists" / "domains.txt"
        self.addresses = folder / "lists" / "addresses.txt"
        self.config = folder / "squid.conf"
        self.command = ("squid", "-f", str(self.config))
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start Squid, and return when it answers."""
        self._process = subprocess.Popen(["squid", "-N", "-f", self.config])
        deadline = time.monotonic() + _WITHIN_SECONDS
        while True:
            try:
                self.status("start.example")
            except OSError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < deadline, "Squid does not answer"
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """End it, by its own id."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def status(self, host: str) -> int:
        """Return the status that a client gets for a page of a host."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=300)
        try:
            connection.request("GET", f"http://{host}/", headers={"Host": host})
            return connection.getresponse().status
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()

    def until(self, host: str, status: int) -> None:
        """Wait until a client gets a status: Squid reads its configuration when it comes to it."""
        deadline = time.monotonic() + _WITHIN_SECONDS
        while self._status_or_none(host) != status:
            assert time.monotonic() < deadline, f"{host} never got {status}"
            time.sleep(0.02)

    def _status_or_none(self, host: str) -> int | None:
        try:
            return self.status(host)
        except OSError:  # no port is open for a moment
            return None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@contextmanager
def squid() -> Iterator[SquidHost]:
    """Run a Squid and the server behind it, in a folder where the user proxy may go."""
    require_squid()
    folder = Path(tempfile.mkdtemp(prefix="tfc-squid-"))
    origin = ThreadingHTTPServer(("127.0.0.1", 0), _Origin)
    thread = threading.Thread(target=origin.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    host = SquidHost(folder, _free_port())
    try:
        shutil.chown(folder, "proxy")
        (folder / "lists").mkdir(mode=0o755)
        (folder / "hosts").write_text("203.0.113.80 by-address.example\n")
        for path in (host.domains, host.addresses):
            path.touch()
            path.chmod(0o644)
        port, behind = host._port, origin.server_address[1]
        host.config.write_text(_CONFIG.format(folder=folder, port=port, origin=behind))
        host.start()
        yield host
    finally:
        host.stop()
        origin.shutdown()
        thread.join()
        origin.server_close()
        shutil.rmtree(folder)
