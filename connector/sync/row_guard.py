"""Rows of a target that would stop what the allowlist protects: none of their entries is written.

A list says of each entry whether it may be stopped; a target's row may stop more than its entry.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from connector.adapter import Adapter
from connector.decisions.allowlist.allowlist import Allowlist, Protection
from connector.decisions.allowlist.protection import lasting
from connector.decisions.allowlist.rows import value_of_row
from connector.instants import EPOCH
from connector.model import Observable, Purpose
from connector.sync.folding import row_named

_LONGEST_ROW: Final = 80


class RowGuard:
    """Says who protects the rows of a target, as of a `moment`."""

    def __init__(self, adapter: Adapter[Any], allowlist: Allowlist, purpose: Purpose) -> None:
        self.allowlist = allowlist
        self.moment: datetime = EPOCH
        self._adapter = adapter
        self._purpose = purpose

    def protection(self, observable: Observable) -> Protection | None:
        """Return who protects what the row of an observable would stop besides it."""
        key = self._adapter.held_as(observable)
        row = value_of_row(observable, key)
        found: Protection | None = None
        for one in (*([row] if row else []), *self._named.get(row_named(key), ())):
            if one != observable:
                by = self.allowlist.protects(one, self.moment, self._purpose)
                found = lasting(found, by)
        return found

    def words(self, observable: Observable, by: Protection) -> str:
        """Return why an observable is not written, in words for people."""
        key = self._adapter.held_as(observable)
        row = f" as {key[:_LONGEST_ROW]}" if isinstance(key, str) else " in one row with others"
        return f"the target keeps it{row}, which would stop more: {by.group} protects {by.value}"

    @cached_property
    def _named(self) -> Mapping[int, Sequence[Observable]]:
        """The observables that the allowlist names, by the rows that they would be."""
        rows: dict[int, list[Observable]] = {}
        for one in self.allowlist.named():
            if self._adapter.accepts(one):
                rows.setdefault(row_named(self._adapter.held_as(one)), []).append(one)
        return rows
