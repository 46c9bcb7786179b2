"""A list's entries with the fields of one output's mapping."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Final

from connector.decisions.mapping import Facts, Input, Mapper
from connector.decisions.records import ClaimRow
from connector.decisions.selection import IndicatorAttributes
from connector.indicators.identity import id_of_key
from connector.indicators.markings.sharing import Part
from connector.instants import NEVER, to_datetime
from connector.model import Entry, Observable, ObservableType, RuleRef
from connector.store.lists.wanted import WantedRow
from connector.store.store import Store
from connector.store.transaction import Transaction
from connector.sync.listing import Listing

_PART: Final = 500
_VICTIMS: Final = "sector"
_PERSONAL: Final = {
    ObservableType.EMAIL_ADDR: Part.EMAIL,
    ObservableType.EMAIL_SUBJECT: Part.SUBJECT,
}


@dataclass(frozen=True, slots=True)
class Describer:
    """Turns wanted rows into entries with an output's fields."""

    output: str
    listing: Listing
    mapper: Mapper | None
    store: Store
    transaction: Transaction

    def entries(self, rows: Iterable[WantedRow]) -> Iterator[tuple[WantedRow, Entry]]:
        """Yield each wanted row with its entry; none may be a rule."""
        mapper = self.mapper
        if mapper is None:
            for row in rows:
                yield row, Entry(_observable(row))
            return
        iterator = iter(rows)
        while part := list(islice(iterator, _PART)):
            names = self._names(part, mapper)
            for row in part:
                facts = self._facts(row, names.get(row.claim.number, ""))
                yield row, Entry(facts.observable, mapper(facts))

    def _names(self, rows: list[WantedRow], mapper: Mapper) -> dict[int, str]:
        if Input.INDICATOR_NAME not in mapper.needs:
            return {}
        return self.store.names(self.transaction, [row.claim.number for row in rows])

    def _facts(self, row: WantedRow, name: str) -> Facts:
        claim, merged = row.claim, row.merged
        policy, judge = self.listing.policy, self.listing.judge
        attributes: IndicatorAttributes = self.store.attributes(claim.attributes)
        hides = judge.hides(claim)
        shown = _without(attributes, hides) if hides else attributes
        told = Part.DATES not in hides
        observable = _observable(row)
        return Facts(
            observable=observable,
            indicator_id=id_of_key(row.indicator),
            indicator_name="" if Part.NAME in hides else name,
            indicator_types=shown.indicator_types or shown.labels,
            labels=shown.labels,
            created_by=shown.created_by,
            modified=to_datetime(claim.modified) if told else None,
            confidence=None if Part.CONFIDENCE in hides else merged.confidence,
            feed=policy.defaults[claim.feed].name,
            list=policy.name,
            output=self.output,
            marking=merged.tlp.label,
            valid_from=_instant(merged.first_seen) if told else None,
            valid_until=_instant(merged.until) if told and merged.until < NEVER else None,
            context=partial(self._words, claim, hides),
            producer=partial(judge.producer_name, attributes, claim.feed, hides),
            hides_value=_PERSONAL.get(observable.type) in hides,
        )

    def _words(self, claim: ClaimRow, hides: Collection[Part], kind: str) -> tuple[str, ...]:
        """Return the context, without the victims if they must not be named."""
        if kind == _VICTIMS and Part.VICTIM in hides:
            return ()
        return self.listing.judge.words(claim.context, claim.feed, kind)


def _observable(row: WantedRow) -> Observable:
    if isinstance(row.observable, RuleRef):
        raise TypeError(f"{row.observable.value} is a rule, which no entry can hold")
    return row.observable


def _without(attributes: IndicatorAttributes, hides: Collection[Part]) -> IndicatorAttributes:
    """Return the attributes without what markings hide from fields that others read."""
    return attributes._replace(
        created_by="" if Part.PRODUCER in hides else attributes.created_by,
        labels=() if Part.LABELS in hides else attributes.labels,
        indicator_types=() if Part.TYPES in hides else attributes.indicator_types,
    )


def _instant(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else to_datetime(microseconds)
