"""A program of this machine that an adapter runs, such as one that tests or loads a file."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from connector.adapter.turns import aside
from connector.errors import RefusedError, UnavailableError
from connector.outside import one_line

__all__ = ["NEEDS_NET_ADMIN", "Command", "Ran"]

NEEDS_NET_ADMIN: Final = (
    "permission denied: the service needs CAP_NET_ADMIN in the network namespace (with systemd: "
    "AmbientCapabilities=CAP_NET_ADMIN), and CAP_SYS_ADMIN for another one (option netns)"
)
"""What to say where the kernel does not let us change its network settings."""

# The service's own environment is for the service; words in other languages nobody could match.
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ENVIRONMENT: Final[Mapping[str, str]] = {"LC_ALL": "C", "PATH": _PATH}
_NO_NAMESPACE: Final = "Cannot open network namespace"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program said until its end; a status of less than 0 is the signal that ended it."""

    status: int
    output: str
    complaint: str

    @property
    def succeeded(self) -> bool:
        """Whether its exit status was 0."""
        return self.status == 0

    @property
    def lines(self) -> list[str]:
        """All that it said in lines, first its output and then its complaint, without empty ones.

        Each is fit for a message. It may have values of entries, which no log should have: give on
        the line that says what is wrong.
        """
        said = f"{self.output}\n{self.complaint}".splitlines()
        return list(filter(None, map(one_line, said)))

    @property
    def words(self) -> str:
        """The first line of its complaint, else of its output, fit for a message."""
        for said in (self.complaint, self.output):
            for line in filter(None, map(one_line, said.splitlines())):
                return line
        if self.status < 0:
            return f"ended by signal {-self.status}"
        return "failed without a message"


class Command:
    """A program with its first words, run without a shell, in the C locale, with a deadline.

    `words` is what an option of the adapter says: the program, or it and its first options.
    `package` is the Debian package with the program, and `option` the adapter's option that names
    another one: both are told where there is no such program. `netns` is a network namespace.
    """

    def __init__(
        self,
        words: str | Path | Sequence[str],
        *,
        package: str,
        option: str,
        netns: str | None = None,
        deadline: timedelta = timedelta(minutes=5),
    ) -> None:
        self._words = [str(words)] if isinstance(words, str | Path) else list(words)
        self._missing = f"install the package {package}, or set the option {option}"
        self._netns = netns
        self._deadline = deadline.total_seconds()

    def run(self, *options: str | Path, text: str = "", folder: Path | None = None) -> Ran:
        """Run the program with more options and return what it said, whatever its exit status.

        It reads `text` as its standard input, in UTF-8. Raises RefusedError where there is no such
        program; UnavailableError where it cannot be run, or was ended at the deadline with all that
        it had started.
        """
        command = [*self._beginning(), *map(str, options)]
        try:
            with (
                aside(),
                subprocess.Popen(  # noqa: S603 - the command is an option, and no shell runs it
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    cwd=folder,
                    env=_ENVIRONMENT,
                    start_new_session=True,
                ) as process,
            ):
                output, complaint = self._heard(process, text)
        except OSError as error:
            raise UnavailableError(f"{self._words[0]}: {error.strerror or error}") from error
        ran = Ran(process.returncode, _text(output), _text(complaint))
        if self._netns and _NO_NAMESPACE in ran.complaint:
            raise UnavailableError(
                f"{self._words[0]}: no network namespace {self._netns}; create it with "
                "`ip netns add`, or correct the option netns"
            )
        return ran

    def _beginning(self) -> list[str]:
        program, *options = self._words
        command = [_found(program, self._missing), *options]
        if self._netns is None:
            return command
        missing = "install the package iproute2, which the option netns needs"
        return [_found("ip", missing), "netns", "exec", self._netns, *command]

    def _heard(self, process: subprocess.Popen[bytes], text: str) -> tuple[bytes, bytes]:
        try:
            return process.communicate(text.encode(), self._deadline)
        except subprocess.TimeoutExpired:
            raise UnavailableError(
                f"{self._words[0]}: not done after {self._deadline:g} seconds, and ended"
            ) from None
        finally:
            if process.returncode is None:  # nobody else can have its number yet
                os.killpg(process.pid, signal.SIGKILL)


def _found(program: str, missing: str) -> str:
    if (path := shutil.which(program, path=_PATH)) is None:
        raise RefusedError(f"{program}: no such command; {missing}")
    return path


def _text(said: bytes) -> str:
    return said.decode("utf-8", "replace")
