"""The warninglists of a configuration: those on every list, and those on blocklists only."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import NamedTuple

import msgspec

from connector.config.default_lists import BY_EXACT_NAME, DEFAULT, DEFAULT_LISTS, SHARED_LISTS
from connector.config.warninglist_files import ListFile, dated, version_of
from connector.decisions.allowlist.groups import BuiltinGroup


class ChosenLists(msgspec.Struct, frozen=True):
    """The warninglists to read: for every list, and for blocklists only with our shared ranges."""

    everywhere: tuple[ListFile, ...] = ()
    off_blocks: tuple[ListFile, ...] = ()
    shared: bool = False


def choose(
    named: Sequence[str], groups_left_out: Sequence[str], files: Mapping[str, ListFile]
) -> ChosenLists:
    """Return the warninglists that a file asks for; those it names apply to every list."""
    own = tuple(dict.fromkeys(name for name in named if name != DEFAULT))
    shared = BuiltinGroup.SHARED_HOSTING not in groups_left_out
    group = BuiltinGroup.SHARED_HOSTING.value
    off_blocks = [replace(files[name], group=group) for name in SHARED_LISTS if shared]
    if DEFAULT in named:
        off_blocks += [
            replace(files[name], exact=name in BY_EXACT_NAME)
            for name in DEFAULT_LISTS
            if name not in own
        ]
    return ChosenLists(tuple(files[name] for name in own), tuple(off_blocks), shared)


class ListAge(NamedTuple):
    """How old a list is: its version, and the date if the version is one."""

    file: ListFile
    version: int | None
    dated: date | None
    everywhere: bool


def ages(chosen: ChosenLists) -> list[ListAge]:
    """Return how old each list is; one that cannot be read has no version."""
    found = []
    for files, everywhere in ((chosen.everywhere, True), (chosen.off_blocks, False)):
        for file in files:
            try:
                version = version_of(file.path)
            except (OSError, ValueError, msgspec.MsgspecError):
                version = None  # reading the list reports what is wrong with it
            found.append(ListAge(file, version, dated(version), everywhere))
    return found
