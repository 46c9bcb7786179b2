"""The warninglists in force: those that hold on every list, and those on blocklists only."""

from dataclasses import dataclass

from connector.decisions.allowlist.protection import Protection
from connector.decisions.allowlist.warninglists import WarninglistIndex
from connector.model import Observable, Purpose


@dataclass(frozen=True, slots=True)
class KeptLists:
    """Answers which warninglist protects an observable, from indexes that were read before."""

    everywhere: WarninglistIndex | None = None
    off_blocks: WarninglistIndex | None = None

    def protects(self, observable: Observable, purpose: Purpose) -> Protection | None:
        """Return the warninglist that protects an observable from lists of this purpose."""
        found = self.everywhere.protects(observable) if self.everywhere else None
        if found is None and self.off_blocks is not None and purpose is Purpose.BLOCK:
            found = self.off_blocks.protects(observable)
        return found
