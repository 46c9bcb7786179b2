"""Runs the ipset command, and explains its failures."""

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from connector.adapter import RefusedError, UnavailableError

from .sets import LARGEST, SetKind

__all__ = ["NOMATCH", "About", "Ipset"]

NOMATCH: Final = "nomatch"

_SECONDS: Final = 300
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ENTRIES: Final = re.compile(r"^Number of entries: (\d+)$", re.MULTILINE)
_COUNTED: Final = re.compile(r"^(?:References|Size in memory): .*\n", re.MULTILINE)
_NO_SET: Final = "The set with the given name does not exist"
_NEEDS_RIGHTS: Final = (
    "permission denied: the service needs CAP_NET_ADMIN in the network namespace (with systemd: "
    "AmbientCapabilities=CAP_NET_ADMIN), and CAP_SYS_ADMIN for another one (option netns)"
)


@dataclass(frozen=True, slots=True)
class About:
    """What the kernel says of a set; nothing where there is none."""

    text: str = ""

    @property
    def exists(self) -> bool:
        """Whether there is such a set."""
        return bool(self.text)

    @property
    def entries(self) -> int:
        """How many elements it has."""
        found = _ENTRIES.search(self.text)
        return int(found[1]) if found else 0

    def is_like(self, kind: SetKind) -> bool:
        """Return whether it was made as we make it: room and family are part of that."""
        words = f"{self.text} "
        return (
            f"Type: {kind.type}\n" in words
            and f"family {kind.family} " in words
            and f"maxelem {LARGEST} " in words
            and " timeout " not in words
        )


class Ipset:
    """The ipset command, in one network namespace."""

    def __init__(self, program: str, netns: str | None) -> None:
        self._program = program
        self._netns = netns

    def about(self, name: str) -> About:
        """Return the header of a set, without what changes as rules come and go."""
        said = self._run("list", "-terse", name, absent="")
        return About(_COUNTED.sub("", said))

    def elements(self, name: str) -> Iterator[str]:
        """Yield the elements of a set, in the kernel's spelling; none where there is no set.

        An exception, which nobody but a person makes, keeps the word that says so.
        """
        beginning = f"add {name} "
        for line in self._run("save", name, absent="").splitlines():
            if line.startswith(beginning):
                element, *more = line.removeprefix(beginning).split(" ")
                yield f"{element} {NOMATCH}" if NOMATCH in more else element

    def restore(self, commands: Iterable[str]) -> None:
        """Run commands one after the other, until one fails."""
        if script := "".join(f"{command}\n" for command in commands):
            self._run("restore", "-exist", script=script)

    def _run(self, *words: str, script: str | None = None, absent: str | None = None) -> str:
        command = [self._found(self._program), *words]
        if self._netns:
            command = [self._found("ip"), "netns", "exec", self._netns, *command]
        try:
            done = subprocess.run(  # noqa: S603 - the command is an option, and no shell runs it
                command,
                input=(script or "").encode("ascii"),
                capture_output=True,
                timeout=_SECONDS,
                check=False,
                env={"LC_ALL": "C", "PATH": _PATH},
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UnavailableError(f"{command[0]}: {error}") from error
        complaint = done.stderr.decode("utf-8", "replace")
        if done.returncode == 0:
            return done.stdout.decode("ascii", "replace")
        if absent is not None and _NO_SET in complaint:
            return absent
        raise self._failure(complaint)

    def _found(self, command: str) -> str:
        if (path := shutil.which(command, path=_PATH)) is None:
            raise RefusedError(
                f"{command}: no such command; install the package ipset (and iproute2 for netns), "
                "or set the option ipset"
            )
        return path

    def _failure(self, complaint: str) -> Exception:
        words = (complaint.strip().splitlines() or ["failed without a message"])[0][:200]
        if "Operation not permitted" in words:
            return RefusedError(f"ipset: {_NEEDS_RIGHTS}")
        if self._netns and "network namespace" in words:
            return UnavailableError(
                f"ipset: no network namespace {self._netns}; create it with `ip netns add`, or "
                "correct the option netns"
            )
        if "their type does not match" in words:
            return UnavailableError(
                "ipset: a set of our name has another type; rename it, or name another one in the "
                "option set"
            )
        return UnavailableError(f"ipset: {words.partition(': ')[2] or words}")
