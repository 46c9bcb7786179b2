"""Hosts that the project keeps as text: each with what it is for and a document on it.

A section begins with `[what it is for] address of the document`. Each line below holds values, and
says before a name how far its protection reaches: plain, the name and all below it with what is at
them; `~`, the same names but not what is at them; `=`, this host alone; `^`, this name alone but
not what many have at it. Comments say what was read of the document, and what none confirmed.
"""

import re
from collections.abc import Iterable, Iterator
from importlib.resources import files
from typing import Final, NamedTuple

from connector.decisions.allowlist.protection import Scope

__all__ = ["KeptHost", "kept_hosts", "parse_kept_hosts"]

_SECTION: Final = re.compile(r"\[([^\]]+)\] (https?://\S+)")
_SCOPES: Final = {"~": Scope.NAMES, "=": Scope.HOST, "^": Scope.SHARED}


class KeptHost(NamedTuple):
    """A name, address or network, what it is for, and where that is written."""

    value: str
    scope: Scope
    why: str
    source: str


def kept_hosts(file: str) -> Iterator[KeptHost]:
    """Yield what a file of this package holds."""
    text = files("connector.decisions.allowlist").joinpath(file).read_text("utf-8")
    return parse_kept_hosts(file, text.splitlines())


def parse_kept_hosts(file: str, lines: Iterable[str]) -> Iterator[KeptHost]:
    """Yield the hosts of lines; raise ValueError for a line outside of all sections."""
    why = source = ""
    for number, line in enumerate(lines, start=1):
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = _SECTION.fullmatch(line)
            if section is None:
                raise ValueError(f"{file}:{number}: should be [what it is for] and a document")
            why, source = section.groups()
            continue
        if not source:
            raise ValueError(f"{file}:{number}: is below no document that says why")
        for word in line.split():
            scope = _SCOPES.get(word[0])
            yield KeptHost(word[1:] if scope else word, scope or Scope.TREE, why, source)
