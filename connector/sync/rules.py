"""A list's rules for outputs that take rules: their texts, as received."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from connector.indicators.markings.sharing import Part
from connector.indicators.stix import Unreadable, read_object
from connector.instants import to_datetime
from connector.model import Rule, RuleRef
from connector.store.lists.wanted import WantedRow
from connector.store.store import Store
from connector.store.transaction import Transaction
from connector.sync.judge import Judge

_PART: Final = 200


@dataclass(frozen=True, slots=True)
class RuleReader:
    """Turns wanted rows into the rules of their indicators, read in one snapshot."""

    judge: Judge
    store: Store
    transaction: Transaction

    def rules(self, rows: Iterable[WantedRow]) -> Iterator[tuple[WantedRow, Rule]]:
        """Yield each wanted row with its rule; every row must be one."""
        iterator = iter(rows)
        while part := list(islice(iterator, _PART)):
            claims = [row.claim.number for row in part]
            originals = self.store.originals_of_claims(self.transaction, claims)
            for row in part:
                yield row, self._rule(row, originals[row.claim.number])

    def _rule(self, row: WantedRow, raw: bytes) -> Rule:
        claim, ref = row.claim, row.observable
        said = read_object(raw)
        if not isinstance(ref, RuleRef) or isinstance(said, Unreadable):
            raise TypeError(f"{ref.value} has no rule")
        hides = self.judge.hides(claim)
        return Rule(
            indicator=ref.shown,
            language=ref.type,
            text=said.pattern or "",
            name="" if Part.NAME in hides else said.name or "",
            feed=ref.feed,
            modified=None if Part.DATES in hides else to_datetime(claim.modified),
        )
