"""Runs the ipset command, and explains its failures."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connector.adapter import NEEDS_NET_ADMIN, Command, RefusedError, UnavailableError

from .sets import LARGEST, SetKind

__all__ = ["NOMATCH", "About", "Ipset"]

NOMATCH: Final = "nomatch"

_ENTRIES: Final = re.compile(r"^Number of entries: (\d+)$", re.MULTILINE)
_COUNTED: Final = re.compile(r"^(?:References|Size in memory): .*\n", re.MULTILINE)
_NO_SET: Final = "The set with the given name does not exist"


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
    """The sets of one network namespace, by the ipset command."""

    def __init__(self, program: Path, netns: str | None) -> None:
        self._command = Command(program, package="ipset", option="ipset", netns=netns)

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

    def _run(self, *words: str, script: str = "", absent: str | None = None) -> str:
        ran = self._command.run(*words, text=script)
        if ran.succeeded:
            return ran.output
        if absent is not None and _NO_SET in ran.complaint:
            return absent
        raise _failure(ran.words)


def _failure(words: str) -> Exception:
    if "Operation not permitted" in words:
        return RefusedError(f"ipset: {NEEDS_NET_ADMIN}")
    if "their type does not match" in words:
        return UnavailableError(
            "ipset: a set of our name has another type; rename it, or name another one in the "
            "option set"
        )
    return UnavailableError(f"ipset: {words.partition(': ')[2] or words}")
