"""A list's entries with their STIX objects as received, where these may be passed on whole."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from msgspec.structs import replace

from connector.decisions.records import ClaimRow
from connector.decisions.selection import IndicatorAttributes, MarkedPart
from connector.indicators.identity import key_of_id
from connector.indicators.markings.tlp_definitions import TLP_CLEAR, tlp_definition
from connector.indicators.pattern.reader import read_pattern
from connector.indicators.stix import StixObject, Unreadable, read_object
from connector.indicators.strict_json import read_strictly
from connector.instants import to_datetime
from connector.model import Entry, Observable, Original
from connector.store.lists.wanted import WantedRow
from connector.store.store import Store
from connector.store.transaction import Transaction
from connector.sync.judge import Judge
from connector.sync.listing import Listing

_PART: Final = 500
_FIELD: Final = "original"
Withheld = Callable[[int, str], None]


@dataclass(frozen=True, slots=True)
class OriginalReader:
    """Gives entries the indicators that carry them, read in one snapshot.

    `withheld` is told the number of each whose indicator must stay here, and why.
    """

    listing: Listing
    store: Store
    transaction: Transaction
    withheld: Withheld = lambda _number, _why: None
    _refusals: dict[tuple[int, int], str] = field(default_factory=dict)
    _beside: dict[tuple[int, str], Original | str | None] = field(default_factory=dict)

    def entries(
        self, described: Iterable[tuple[WantedRow, Entry]]
    ) -> Iterator[tuple[WantedRow, Entry]]:
        """Yield the rows whose indicators may be passed on, each entry with its original."""
        iterator = iter(described)
        while part := list(islice(iterator, _PART)):
            claims = [row.claim.number for row, _entry in part]
            raw = self.store.originals_of_claims(self.transaction, claims)
            for row, entry in part:
                found = self._original(row, raw.get(row.claim.number))
                if isinstance(found, str):
                    self.withheld(row.number, found)
                    continue
                fields = {**entry.fields, _FIELD: found.mark}
                yield row, replace(entry, fields=fields, original=found)

    def _original(self, row: WantedRow, raw: bytes | None) -> Original | str:
        """Return the indicator that carries an entry, or why it must stay here."""
        said = read_object(raw) if raw is not None else None
        if raw is None or said is None or isinstance(said, Unreadable):
            return "what was received is no longer kept"
        claim = row.claim
        if words := self._refusal(claim) or self._protected(row, said) or _unsound(raw):
            return words
        beside = self._beside_of(claim, said)
        if isinstance(beside, str):
            return beside
        return Original(said.id, raw, to_datetime(claim.modified), beside)

    def _refusal(self, claim: ClaimRow) -> str:
        key = claim.attributes, claim.feed
        if key not in self._refusals:
            attributes = self.store.attributes(claim.attributes)
            self._refusals[key] = self.listing.judge.refusal_of_whole(attributes, claim.feed)
        return self._refusals[key]

    def _protected(self, row: WantedRow, said: StixObject) -> str:
        """Return what else the pattern names that whoever reads it must not stop."""
        allowlist, policy = self.listing.allowlist(), self.listing.policy
        version = said.pattern_version or said.spec_version or "2.0"
        for claim in read_pattern(said.pattern or "", version):
            one = claim.observable
            if not isinstance(one, Observable) or one == row.observable:
                continue
            by = allowlist.protects(one, self.listing.judge.moment, policy.purpose)
            if by is not None:
                return f"its pattern also names what {by.group} protects: {by.value}"
        return ""

    def _beside_of(self, claim: ClaimRow, said: StixObject) -> tuple[Original, ...] | str:
        """Return its marking definitions, then its producer, or why one of the former stays here.

        Its markings without their definitions would be half of what was said.
        """
        attributes = self.store.attributes(claim.attributes)
        refs = dict.fromkeys((*attributes.markings, *(ref for ref, _ in attributes.partly)))
        asked = sorted(refs)
        judge = self.listing.judge
        if said.created_by_ref and judge.producer_name(attributes, claim.feed, judge.hides(claim)):
            asked.append(said.created_by_ref)
        missing = [one for one in asked if (claim.feed, one) not in self._beside]
        if missing:
            self._beside.update(self._read(claim.feed, missing))
        beside: list[Original] = []
        for one in asked:
            found = self._beside[claim.feed, one]
            if isinstance(found, str) and one in refs:
                return f"its marking {one} must stay here: {found}"
            if isinstance(found, Original):
                beside.append(found)
        return tuple(beside)

    def _read(self, feed: int, ids: list[str]) -> Mapping[tuple[int, str], Original | str | None]:
        keys = {key_of_id(one): one for one in ids}
        raw = self.store.originals_of_feed(self.transaction, feed, list(keys))
        judge = self.listing.judge
        return {(feed, one): _readable(raw.get(key), feed, judge) for key, one in keys.items()}


def _readable(raw: bytes | None, feed: int, judge: Judge) -> Original | str | None:
    """Return what stands beside an indicator, None where it is unknown, or why it stays here.

    TLP is told in the words of OASIS, whatever a feed sends under its ids.
    """
    said = read_object(raw) if raw is not None else None
    if raw is None or said is None:
        return None
    if (published := tlp_definition(said.id)) is not None:
        return Original(said.id, published)
    if isinstance(said, Unreadable):
        return said.why
    words = _unsound(raw) or judge.refusal_of_whole(_attributes(said), feed)
    return words or Original(said.id, raw, said.modified)


def _attributes(said: StixObject) -> IndicatorAttributes:
    """Return what an object beside an indicator says of itself.

    A marking definition that bears no marking is for whoever sees what it marks.
    """
    partly = tuple(
        MarkedPart(part.marking_ref, part.selectors)
        for part in said.granular_markings or ()
        if part.marking_ref is not None
    )
    own = (TLP_CLEAR,) if said.type == "marking-definition" else ()
    markings = (*(said.object_marking_refs or ()), *own)
    return IndicatorAttributes(said.created_by_ref or "", markings=markings, partly=partly)


def _unsound(raw: bytes) -> str:
    """Return why readers may refuse an object or read something else in it; or nothing."""
    read = read_strictly(raw)
    return read if isinstance(read, str) else ""
