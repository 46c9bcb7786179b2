"""A feed, a list and a clock over a store: what tests of lists and outputs do by hand."""

import zlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

from connector.decisions.allowlist.allowlist import Allowlist
from connector.decisions.allowlist.groups import BuiltinGroup
from connector.decisions.policy import ListPolicy
from connector.decisions.selection import FeedDefaults, Select
from connector.indicators.markings.acs_policy import Organisation
from connector.indicators.markings.applied import Viewer
from connector.ingest.versions import read_version
from connector.model import Audience, Purpose, Reason, RuleLanguage, Tlp
from connector.store.lists.entry_rows import RefreshResult
from connector.store.lists.reason_blocks import BLOCK
from connector.store.store import Store
from connector.store.tallies import LIST_TALLY, tallies
from connector.sync.cycle import refresh
from connector.sync.judge import Judge
from connector.sync.listing import Listing

DAY = 86_400_000_000
START = 1_767_225_600_000_000  # 2026-01-01


NOTHING_PROTECTED = Allowlist.build(without=tuple(BuiltinGroup))


@dataclass
class Hand:
    """One feed, one list and a clock over a store."""

    store: Store
    purpose: Purpose = Purpose.BLOCK
    least: int = 0
    now: int = START + DAY
    whole: bool = False
    name: str = "perimeter"
    feed: int = 0
    rules: frozenset[RuleLanguage] = frozenset()
    allowlist: Allowlist = NOTHING_PROTECTED

    def __post_init__(self) -> None:
        self.feed = self.store.objects.feed_number("ais")
        self.collection = self.store.objects.runs.collection(self.feed, "key", "title")

    def give(self, *raw: bytes) -> None:
        versions = [read_version(each, "feed") for each in raw]
        self.store.objects.store_page(
            self.feed, self.collection, versions, "c", whole=self.whole, now=self.now
        )

    def run(self, *raw: bytes) -> None:
        self.whole = True
        self.collection = self.store.objects.runs.begin_run(self.collection)
        self.give(*raw)
        with self.store.database.write() as transaction:
            self.store.objects.runs.end_run(transaction, self.collection)

    def listing(self, name: str = "") -> Listing:
        policy = ListPolicy(
            name=self.name, purpose=self.purpose, select=Select(min_confidence=self.least),
            viewer=Viewer(Organisation(), Audience.OWN, Tlp.AMBER),
            rank_by=("confidence", "newest"), rules=self.rules,
            defaults={self.feed: FeedDefaults("ais", unmarked=Tlp.GREEN)},
        )  # fmt: skip
        number = self.store.lists.open(name or self.name).number
        judge = Judge(policy, self.store, lambda: self.now)
        return Listing(number, policy, judge, lambda: self.allowlist)

    def refresh(self, *, everything: bool = False, name: str = "") -> RefreshResult:
        lists = self.store.lists
        return refresh(self.listing(name), lists, everything=everything, now=self.now)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.store.database.read() as transaction:
            return [tuple(row) for row in transaction.rows(sql, values)]

    @property
    def number(self) -> int:
        return self.store.lists.open(self.name).number

    @property
    def seq(self) -> int:
        return self.store.lists.open(self.name).seq

    def wanted(self, name: str = "") -> dict[str, tuple[int, int, int]]:
        """Return value -> carrying claim, rank and stamp."""
        number = self.store.lists.open(name or self.name).number
        sql = (
            "SELECT b.value, e.claim, e.rank, e.stamp FROM entries e JOIN observables b "
            "ON b.number = e.observable WHERE e.list = ? AND e.wanted = 1"
        )
        return {row[0]: row[1:] for row in self.rows(sql, number)}

    def codes(self, name: str = "") -> dict[int, int]:
        """Return the reason byte of every claim, from the blocks."""
        number = self.store.lists.open(name or self.name).number
        blocks = self.rows("SELECT block, packed FROM buckets WHERE list = ?", number)
        return {
            block * BLOCK + place: code
            for block, packed in blocks
            for place, code in enumerate(zlib.decompress(packed))
            if code
        }

    def counts(self) -> dict[Reason, int]:
        with self.store.database.read() as transaction:
            return self.store.lists.counts(transaction, self.number)

    def assert_counted(self) -> None:
        """Every claim is in one bucket, and the counts are those of the bytes."""
        with self.store.database.read() as transaction:
            counted = tallies(transaction, LIST_TALLY, self.number)
        assert {code: count for code, count in counted.items() if count} == Counter(
            self.codes().values()
        )
        claims = self.rows("SELECT number FROM claims")
        assert sorted(self.codes()) == sorted(number for (number,) in claims)
