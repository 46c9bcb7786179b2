"""A real BIND of our own on loopback: primary and resolver of a policy zone."""

import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from dns_answers import Asked, program
from output_pages import blocks

SECRET = "c2VjcmV0LW9mLWEtdGVzdC1pbi1iYXNlLTY0LWVuY29k"
ZONE = "rpz.example"
_WITHIN_SECONDS = 300
_OURS = """\
options {{
    directory "{folder}";
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    pid-file none;
    session-keyfile none;
    managed-keys-directory "{folder}";
    recursion yes;
    dnssec-validation no;"""
_ROOT = """\
$TTL 60
@ SOA localhost. root.localhost. 1 3600 600 86400 60
@ NS localhost.
localhost A 127.0.0.1
*.example A 192.0.2.1
by-address.example A 203.0.113.7
by-address.example AAAA 2001:db8::7
"""


class NamedHost(Asked):
    """A BIND whose names below `example` all have an address, unless the policy says otherwise."""

    def __init__(self, folder: Path) -> None:
        super().__init__(free_port())
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "root.db").write_text(_ROOT)
        self.empty()
        self.take(SECRET)

    def take(self, secret: str) -> None:
        """Know the key with this secret alone, once it starts."""
        key, text, _zone = blocks("rpz.md", "")[:3]
        for old, new in {
            "options {": _OURS.format(folder=self.folder, port=self.port),
            "/var/lib/bind/": "",
            "min-update-interval 1": "min-update-interval 0",
        }.items():
            assert old in text
            text = text.replace(old, new)
        key = re.sub(r'secret "[^"]*"', f'secret "{secret}"', key)
        parts = [key, text, 'controls { };\nzone "." { type primary; file "root.db"; };\n']
        (self.folder / "named.conf").write_text("\n".join(parts))

    def empty(self, *records: str) -> None:
        """Have the zone as its administrator made it, with these records."""
        (self.folder / f"{ZONE}.db.jnl").unlink(missing_ok=True)
        lines = [blocks("rpz.md", "")[2], *records, ""]
        (self.folder / f"{ZONE}.db").write_text("\n".join(lines))

    def start(self) -> None:
        """Start BIND anew, and return when it answers."""
        self.stop()
        command = [*program("named"), "-f", "-n", "1", "-c", "named.conf", "-L", "log"]
        self._process = subprocess.Popen(command, cwd=self.folder)
        deadline = time.monotonic() + _WITHIN_SECONDS
        while not self.answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "BIND does not answer"
            time.sleep(0.02)

    def stop(self) -> None:
        """End it, by its own id."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def change(self, *lines: str) -> None:
        """Do what somebody else does by nsupdate."""
        text = "\n".join([f"server 127.0.0.1 {self.port}", f"zone {ZONE}", *lines, "send", ""])
        key = f"hmac-sha256:connector:{SECRET}"
        subprocess.run(["nsupdate", "-y", key], input=text, text=True, check=True)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        found: int = one.getsockname()[1]
        return found


@contextmanager
def named(count: int = 1) -> Iterator[list[NamedHost]]:
    """Yield so many BINDs that run, each with an empty policy."""
    if shutil.which("dig") is None or shutil.which("nsupdate") is None:
        pytest.skip("no dig or nsupdate: install the package bind9-dnsutils")
    program("named")
    with ExitStack() as stack:
        hosts = []
        for _ in range(count):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            hosts.append(NamedHost(folder))
            stack.callback(hosts[-1].stop)
            hosts[-1].start()
        yield hosts
