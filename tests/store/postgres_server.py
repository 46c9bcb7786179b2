"""A PostgreSQL of our own on a Unix socket, for tests that need one."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

_WHEN_ABSENT = "PostgreSQL is not installed: install the Debian package postgresql"


class Postgres:
    """A server of our own in a folder of its own; it listens on a Unix socket there."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries, self._folder = binaries, folder
        self._runs_as: dict[str, object] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(folder, "postgres", "postgres")
            self._runs_as = {"user": "postgres", "group": "postgres", "extra_groups": []}
        data = folder / "data"
        made = subprocess.run(
            [binaries / "initdb", "-D", data, "-A", "trust", "-U", "connector", "-E", "UTF8",
             "--locale=C", "--no-sync"],
            cwd=folder, capture_output=True, check=False, **self._runs_as,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr.decode()
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [binaries / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=",
             "-c", "fsync=off"],
            cwd=folder, stdout=self._log, stderr=self._log, **self._runs_as,
        )  # fmt: skip
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 300
        while True:
            try:
                self._run("SELECT 1")
            except psycopg.OperationalError:
                said = (self._folder / "log").read_text()
                assert self._process.poll() is None, said
                assert time.monotonic() < deadline, said
                time.sleep(0.05)
            else:
                return

    def _run(self, sql: str) -> None:
        with self._connected() as connection:
            connection.execute(sql)

    def _connected(self) -> "psycopg.Connection[tuple[Any, ...]]":
        return psycopg.connect(
            host=str(self._folder), user="connector", dbname="postgres", autocommit=True
        )

    def create(self, name: str, like: str = "template1") -> str:
        """Make a database that has what another one has, which is not in use; return its URL."""
        with self._connected() as connection:
            # To copy the files takes a fifth of what it takes to log each page of them.
            how = "STRATEGY file_copy" if connection.info.server_version >= 15_00_00 else ""
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {like} {how}")
        return self.url_of("connector", name)

    def administer(self, program: str, *words: str, said: str = "") -> None:
        """Run one of PostgreSQL's own programs as an administrator, who types what is said."""
        environment = {"PGHOST": str(self._folder), "PGUSER": "connector", "PATH": os.defpath}
        done = subprocess.run(
            [self._binaries / program, *words],
            input=said, env=environment, capture_output=True, text=True, check=False,
            start_new_session=True,  # without a terminal it reads passwords from its input
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def url_of(self, user: str, name: str) -> str:
        """Return a user's URL of a database."""
        return f"postgresql+psycopg://{user}@localhost/{name}?host={self._folder}"

    def drop(self, name: str) -> None:
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)  # without waiting for who is connected
        self._process.wait(30)
        self._log.close()


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    binaries = _binaries()
    if binaries is None:
        pytest.skip(_WHEN_ABSENT)
    folder = Path(tempfile.mkdtemp(prefix="connector-pg-"))
    try:
        server = Postgres(binaries, folder)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
