"""A real rbldnsd of our own on loopback, started as docs/outputs/dnsbl.md has it."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dns_answers import Asked, program
from edl_programs import free_port, open_folder
from output_pages import PAGES

_WITHIN_SECONDS = 300


__all__ = ["RbldnsdHost", "free_port", "rbldnsd"]


def _zones() -> list[str]:
    (line,) = re.findall(
        r'^RBLDNSD="dnsbl .*? -w \S+ (.*)"$', (PAGES / "dnsbl.md").read_text(), re.MULTILINE
    )
    return line.split()


class RbldnsdHost(Asked):
    """An rbldnsd that serves the files of a folder, which it looks for every second."""

    def __init__(self, folder: Path, address: str, port: int) -> None:
        super().__init__(port, address)
        self.folder = folder
        self.options = {
            "ipv4": folder / "ipv4.zone", "ipv6": folder / "ipv6.zone",
            "domains": folder / "domains.zone",
            "address_zone": "ip.bl.example", "domain_zone": "dom.bl.example",
            "server": f"{address}#{port}", "ttl": 1,
        }  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, once there are files; return when it answers."""
        command = [*program("rbldnsd"), "-n", "-u", "nobody:nogroup", "-c", "1"]
        command += ["-b", f"{self.address}/{self.port}", "-w", str(self.folder), *_zones()]
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + _WITHIN_SECONDS
        while not self.answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "rbldnsd does not answer"
            time.sleep(0.02)

    def stop(self) -> None:
        """End it, by its own id."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None


@contextmanager
def rbldnsd(address: str, port: int) -> Iterator[RbldnsdHost]:
    """Yield an rbldnsd that is not started: it wants its files before."""
    program("rbldnsd")
    if os.geteuid() != 0:
        pytest.skip("rbldnsd changes to another user, which needs root")
    with open_folder() as folder:
        host = RbldnsdHost(folder, address, port)
        try:
            yield host
        finally:
            host.stop()
