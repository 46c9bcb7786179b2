"""A real Redis of our own on loopback: with a password, over TLS as well, that can start anew."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from edl_programs import free_port, require

PASSWORD = "a password of redis"
USER, USERS_PASSWORD = "connector", "a password of the user"
# What docs/outputs/redis.md has the administrator paste.
RIGHTS = "resetkeys ~connector:* +@read +@write +@transaction +info"
_STARTED_WITHIN_SECONDS = 120


def _certificate(folder: Path) -> None:
    subject = ["-subj", "/CN=redis", "-addext", "subjectAltName=IP:127.0.0.1"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", folder / "key.pem", "-out", folder / "ca.pem"]
    subprocess.run(
        ["openssl", "req", "-x509", "-days", "2", *key, *subject, *files],
        check=True,
        capture_output=True,
    )


class RedisHost:
    """One Redis that keeps nothing on the disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.tls_port = free_port(), free_port()
        self.ca = folder / "ca.pem"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        return f"rediss://127.0.0.1:{self.tls_port}/0"

    def start(self) -> None:
        """Start it, and return when it answers."""
        options = {
            "bind": "127.0.0.1", "port": self.port, "tls-port": self.tls_port,
            "tls-cert-file": self.ca, "tls-key-file": self.folder / "key.pem",
            "tls-ca-cert-file": self.ca, "tls-auth-clients": "no", "requirepass": PASSWORD,
            "save": "", "dir": self.folder, "logfile": self.folder / "log",
            "maxmemory-policy": "noeviction", "enable-debug-command": "local",
        }  # fmt: skip
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self._process = subprocess.Popen(["redis-server", *words])
        deadline = time.monotonic() + _STARTED_WITHIN_SECONDS
        while self._cli("PING").returncode != 0:
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "Redis does not answer"
            time.sleep(0.01)
        self.ask("ACL", "SETUSER", USER, "on", f">{USERS_PASSWORD}", *RIGHTS.split())

    def stop(self) -> None:
        """End it, by its own id."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Start it anew: it has forgotten everything."""
        self.stop()
        self.start()

    def _cli(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["redis-cli", "-e", "--no-auth-warning", "-a", PASSWORD, "-p", str(self.port)]
        return subprocess.run([*command, *words], capture_output=True, text=True, check=False)

    def ask(self, *words: str) -> list[str]:
        """Return the lines that an administrator's own client is answered."""
        done = self._cli(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def options(self, **more: Any) -> dict[str, Any]:
        """Return options of an output that may use it."""
        return {"url": self.url, "auth": {"password": PASSWORD}, **more}


@contextmanager
def redis(folder: Path) -> Iterator[RedisHost]:
    """Run a Redis with its files in a folder."""
    require("redis-server", "redis-cli", "openssl")
    pytest.importorskip("redis")
    folder.mkdir(exist_ok=True)
    _certificate(folder)
    host = RedisHost(folder)
    try:
        host.start()
        yield host
    finally:
        host.stop()
