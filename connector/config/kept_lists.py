"""Reads the warninglists that a configuration asks for into their indexes."""

from collections.abc import Sequence
from itertools import chain
from typing import Final

from connector.config.chosen_lists import ChosenLists
from connector.config.warninglist_files import ListFile, read_warninglists
from connector.decisions.allowlist.builtin import SHARED_HOSTING_FILE
from connector.decisions.allowlist.groups import BuiltinGroup
from connector.decisions.allowlist.kept_hosts import kept_hosts
from connector.decisions.allowlist.kept_lists import KeptLists
from connector.decisions.allowlist.protection import Protection
from connector.decisions.allowlist.values import Kind, read_allow_value
from connector.decisions.allowlist.warninglist import ListKind, Warninglist
from connector.decisions.allowlist.warninglists import WarninglistIndex
from connector.log import log
from connector.model import Observable, Purpose

_OF_ADDRESSES: Final = frozenset({"ip-src", "ip-dst"})


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
