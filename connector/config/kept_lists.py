"""The warninglists of a configuration: those on every list, and those on blocklists only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain
from typing import Final, NamedTuple

import msgspec

from connector.config.default_lists import (
    BY_EXACT_NAME,
    DEFAULT,
    DEFAULT_LISTS,
    SHARED_LISTS,
)
from connector.config.warninglist_files import ListFile, dated, read_warninglists, version_of
from connector.decisions.allowlist.builtin import SHARED_HOSTING_FILE, BuiltinGroup
from connector.decisions.allowlist.kept_hosts import kept_hosts
from connector.decisions.allowlist.kept_lists import KeptLists
from connector.decisions.allowlist.protection import Protection
from connector.decisions.allowlist.values import Kind, read_allow_value
from connector.decisions.allowlist.warninglists import ListKind, Warninglist, WarninglistIndex
from connector.log import log
from connector.model import Observable, Purpose

__all__ = ["ChosenLists", "ListAge", "ListsOnDemand", "ages", "choose", "read_lists"]

_OF_ADDRESSES: Final = frozenset({"ip-src", "ip-dst"})


@dataclass(frozen=True, slots=True)
class ChosenLists:
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


def read_lists(chosen: ChosenLists) -> KeptLists:
    """Read lists into their indexes; the entries that cannot be used are logged.

    Raises ConfigError where a list is broken.
    """
    ranges = [_shared_ranges(len(chosen.off_blocks))] if chosen.shared else []
    return KeptLists(_index(chosen.everywhere), _index(chosen.off_blocks, ranges))


class ListsOnDemand:
    """The warninglists for a look at one value: read only where nothing else protects it."""

    def __init__(self, chosen: ChosenLists) -> None:
        self._chosen = chosen
        self._kept: KeptLists | None = None

    def protects(self, observable: Observable, purpose: Purpose) -> Protection | None:
        """Return the warninglist that protects an observable; raise ConfigError as `read_lists`."""
        if self._kept is None:
            self._kept = read_lists(self._chosen)
        return self._kept.protects(observable, purpose)


def _index(
    files: Sequence[ListFile], beside: Sequence[Warninglist] = ()
) -> WarninglistIndex | None:
    if not files and not beside:
        return None
    index = WarninglistIndex(chain(read_warninglists(files), beside))
    for sentence in index.unread:
        log.warning("allowlist.unread", what=sentence)
    return index


def _shared_ranges(number: int) -> Warninglist:
    """Return the ranges of shared hosting that this project maintains itself."""
    values = [host.value for host in kept_hosts(SHARED_HOSTING_FILE)]
    ranges = [value for value in values if read_allow_value(value).kind is Kind.NETWORK]
    group = BuiltinGroup.SHARED_HOSTING.value
    return Warninglist(number, group, ListKind.CIDR, _OF_ADDRESSES, iter(ranges), group)
