"""Squid's own program: it tests a list or the whole configuration, and has the proxy take it up."""

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from connector.adapter import Command, Ran, UnavailableError

_COMPLAINT: Final = re.compile(
    r"^(?:[\d/]+ [\d:]+(?: kid\d+)?\| )?((?:FATAL|ERROR): .*)$", re.MULTILINE
)
_TEST: Final = 'acl connector_{number} {kind} "{path}"\nhttp_access deny connector_{number}\n'


class Squid:
    """The command that runs Squid's program."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = Command(command, package="squid", option="squid")

    def test_lists(self, kinds: Mapping[Path, str]) -> None:
        """Raise UnavailableError unless Squid takes each of these files, by its kind of list."""
        lists = [
            _TEST.format(number=number, kind=kind, path=path)
            for number, (path, kind) in enumerate(kinds.items())
        ]
        with tempfile.TemporaryDirectory(prefix="connector-squid-") as folder:
            Path(folder).chmod(0o755)
            config = Path(folder) / "squid.conf"
            config.write_text("visible_hostname connector\n" + "".join(lists), encoding="utf-8")
            self._run("-k", "parse", "-f", str(config))

    def take_up(self, paths: Sequence[Path]) -> None:
        """Have the running Squid read its configuration, which names these files, anew.

        The whole configuration is tested before: what Squid does not take would end it.
        """
        said = self._run("-k", "parse")
        if missing := [path for path in paths if f'"{path}"' not in said]:
            raise UnavailableError(f'no acl of squid.conf names the file "{missing[0]}"')
        self._run("-k", "reconfigure")

    def _run(self, *options: str) -> str:
        ran = self._command.run(*options)
        if not ran.succeeded:
            raise UnavailableError(f"squid {' '.join(options[:2])}: {_complaint(ran)}")
        return ran.output + ran.complaint


def _complaint(ran: Ran) -> str:
    """Return what Squid complains about; the last complaint is the one that ended it."""
    found = _COMPLAINT.findall("\n".join(ran.lines))
    return found[-1] if found else (ran.lines or [ran.words])[-1]
