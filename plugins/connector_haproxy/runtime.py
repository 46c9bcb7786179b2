"""HAProxy's runtime socket: what runs, what its maps have, and a map replaced in one step.

HAProxy 2.6 walks through a map for each `set map` and `del map`: 250 of them take two seconds at
100,000 entries. A new version of the whole map takes a quarter of a second, and swaps at once.
"""

import re
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from connector.adapter import RefusedError, UnavailableError

_LONGEST: Final = 12_000  # bytes of a command with its lines: tune.bufsize is 16 kB by default
_SECONDS: Final = 60
_STARTED: Final = re.compile(r"^(?:Pid|Start_time_sec): \d+$", re.MULTILINE)
_VERSION: Final = re.compile(r"New version created: (\d+)")


class Runtime:
    """The socket of one HAProxy; each command has a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def started(self) -> str:
        """Return what tells this start of HAProxy from any other."""
        return " ".join(_STARTED.findall(self._ask("show info")))

    def described(self, name: str) -> str:
        """Return what HAProxy says of a map: its versions and its size."""
        for line in self._ask("show map").splitlines():
            if f" ({name}) " in line:
                return line
        raise UnavailableError(
            f"{self._path}: HAProxy has no map {name}; name it in haproxy.cfg, written the same way"
        )

    def lines(self, name: str) -> list[str]:
        """Return what a map has, a line for each entry: where it is in memory, key and value."""
        lines = self._ask(f"show map {name}").splitlines()
        if strange := next((line for line in lines if not line.startswith("0x")), None):
            raise UnavailableError(f"{self._path}: {name}: {strange[:80]}")
        return lines

    def replace(self, name: str, lines: Iterable[str]) -> None:
        """Give a map other contents in one step; the old ones serve until then."""
        said = self._ask(f"prepare map {name}")
        if not (made := _VERSION.match(said)):
            raise UnavailableError(f"{self._path}: {name}: {said[:80]}")
        for part in _parts(lines):
            # The blank line that ends the lines is the end of the command.
            self._do(f"add map @{made[1]} {name} <<\n{part}")
        self._do(f"commit map @{made[1]} {name}")

    def _do(self, command: str) -> None:
        if said := self._ask(command):
            raise UnavailableError(f"{self._path}: {said[:80]}")

    def _ask(self, command: str) -> str:
        """Return the answer to a command; empty where HAProxy has nothing to say."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_SECONDS)
                connection.connect(str(self._path))
                connection.sendall(f"{command}\n".encode())
                said = b"".join(iter(lambda: connection.recv(1 << 16), b"")).decode()
        except PermissionError as error:
            raise RefusedError(
                f"{self._path}: {error.strerror}; name the service's user in haproxy.cfg, as in "
                "`stats socket PATH user connector mode 600 level admin`"
            ) from error
        except OSError as error:
            raise UnavailableError(f"{self._path}: {error.strerror or error}") from error
        if said != "\n" and not said.endswith("\n\n"):
            raise UnavailableError(f"{self._path}: HAProxy broke off its answer")
        return said.strip("\n")


def _parts(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines in parts that HAProxy takes at once."""
    part = ""
    for line in lines:
        if part and len(part) + len(line) > _LONGEST:
            yield part
            part = ""
        part += f"{line}\n"
    if part:
        yield part
