"""The Judge: verdicts asked of the store once, anew when time or news says so, and never wider."""

from collections.abc import Iterator
from typing import Any

import pytest
from policy_case import MARKINGS, NOW, claim, listed
from store_samples import indicator

from connector.decisions.decide import verdict_key
from connector.decisions.records import ClaimKind, ClaimRow, ObjectState
from connector.decisions.verdict import Verdict
from connector.indicators.markings.acs import ACS_EXTENSION
from connector.indicators.markings.definition import Definition, KnownMarking, read_marking
from connector.ingest.versions import read_version
from connector.model import UNMARKED, Context, Reason, Tlp, Word
from connector.store.feeds.markings import FeedMarkings
from connector.store.interning import Interned
from connector.store.store import Store
from connector.sync import judge as judging
from connector.sync.judge import Judge

GREEN, RED = MARKINGS[Tlp.GREEN], MARKINGS[Tlp.RED]
OWN = "marking-definition--00000000-0000-4000-8000-000000000001"
STATEMENT = KnownMarking(None)
PERMITS = "urn:isa:policy:acs:ns:v3.0?privdefault=permit&sharedefault=permit"


def disposed_of(day: str) -> KnownMarking:
    """Return an ACS marking that permits everything until its disposition date."""
    body = {
        "identifier": "isa:guide.19001.ACS3-00000000-0000-4000-8000-000000000001",
        "create_date_time": "1970-01-01T00:00:00Z",
        "responsible_entity_custodian": "USA.DHS",
        "policy_reference": PERMITS,
        "control_set": {"classification": "U", "formal_determination": ["PUBREL"]},
        "resource_disposition": {"disposition_date": f"{day}T00:00:00Z"},
    }
    return read_marking({"id": OWN, "extensions": {ACS_EXTENSION: body}})


class Bench:
    """A judge of one list over a store, and what its two feeds said."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.feeds = [store.objects.feed_number(name) for name in ("ais", "isac")]
        self.now = NOW
        self.judge = Judge(listed().policy, store, lambda: self.now)

    def receive(self, number: int, *markings: str, **fields: Any) -> ClaimRow:
        """Take in an indicator of the first feed; return the claim that it makes."""
        collection = self.store.objects.runs.collection(self.feeds[0], "key", "title")
        raw = indicator(number, object_marking_refs=list(markings), **fields)
        versions = [read_version(raw, "ais")]
        self.store.objects.store_page(
            self.feeds[0], collection, versions, "c", whole=False, now=NOW
        )
        with self.store.database.read() as transaction:
            attributes = transaction.one("SELECT max(attributes) FROM objects")
        return claim(number, attributes=attributes)

    def define(self, marking: KnownMarking) -> None:
        """Take in a definition of the first feed's own marking, as a poll does."""
        with self.store.database.write() as transaction:
            given = {OWN: Definition(marking)}
            self.store.objects.definitions.put(transaction, self.feeds[0], given)
        if self.store.markings.of(self.feeds[0]).look_again({OWN}):
            self.judge.forget_verdicts()

    def context(self, *words: Word) -> int:
        """Return the number of a context that says this."""
        with self.store.database.write() as transaction:
            interned: Interned[Context] = Interned("contexts")
            (number,) = interned.of(transaction, {Context(words)}).values()
        return number

    def verdict(self, said: ClaimRow, now: int = NOW) -> Verdict:
        return self.judge.verdicts([said], now)[verdict_key(said)]


@pytest.fixture
def bench() -> Iterator[Bench]:
    store = Store("sqlite://")
    store.database.migrate()
    yield Bench(store)
    store.close()


def test_all_that_share_attributes_feed_and_context_share_a_verdict(bench: Bench) -> None:
    first = bench.receive(1, GREEN)
    said = [first, first._replace(number=2, modified=5), first._replace(number=3, feed=2)]
    found = bench.judge.verdicts(said, NOW)
    assert set(found) == {(first.attributes, 1, 0), (first.attributes, 2, 0)}
    assert {verdict.level for verdict in found.values()} == {Tlp.GREEN}


@pytest.mark.parametrize(
    "fields",
    [
        {"state": ObjectState.REVOKED}, {"state": ObjectState.WITHDRAWN}, {"valid_until": NOW},
        {"state": ObjectState.DISPUTED}, {"state": ObjectState.DISPOSED},
        {"kind": ClaimKind.WATCH_ONLY},
    ],
)  # fmt: skip
def test_what_has_its_reason_already_is_not_judged(bench: Bench, fields: dict[str, Any]) -> None:
    said = bench.receive(1, OWN)
    assert bench.judge.verdicts([said._replace(**fields)], NOW) == {}
    assert not bench.store.markings.of(1).look_again({OWN}), "nobody asked for its marking"


def test_a_verdict_holds_until_a_marking_arrives_that_was_asked_for_in_vain(bench: Bench) -> None:
    said = bench.receive(1, OWN)
    assert bench.verdict(said).reason is Reason.WITHHELD
    bench.define(STATEMENT)
    assert bench.verdict(said).reason is None


def test_a_verdict_is_judged_anew_when_its_time_has_come(bench: Bench) -> None:
    said = bench.receive(1, OWN)
    bench.define(disposed_of("1970-01-03"))
    before = bench.verdict(said)
    assert (before.reason, before.until) == (None, 2 * 86_400_000_000)
    assert before.until is not None
    assert bench.verdict(said, before.until - 1) is before
    after = bench.verdict(said, before.until)
    assert (after.reason, after.until) == (Reason.EXPIRED, None)


def test_whoever_decides_says_as_of_when(bench: Bench) -> None:
    """The clock beside it only serves to describe entries: one decision has one now."""
    said = bench.receive(1, OWN)
    bench.define(disposed_of("1970-01-03"))
    bench.now = 9 * 86_400_000_000
    assert bench.verdict(said).reason is None


def test_a_verdict_found_while_verdicts_are_forgotten_is_forgotten_as_well(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A marking arrives just as its objects are judged without it."""
    said = bench.receive(1, OWN)
    find = FeedMarkings._find

    def arrives_after(kept: FeedMarkings, asked: str) -> KnownMarking | None:
        found = find(kept, asked)
        if found is None:
            bench.define(STATEMENT)
        return found

    monkeypatch.setattr(FeedMarkings, "_find", arrives_after)
    assert bench.verdict(said).reason is Reason.WITHHELD
    assert bench.verdict(said).reason is None


def test_verdicts_do_not_grow_without_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "_VERDICTS_HELD", 2)
    said = bench.receive(1, GREEN)
    for number in range(9):
        context = bench.context(Word("malware", f"Rat {number}"))
        assert bench.verdict(said._replace(context=context)).reason is None
    assert len(bench.judge._known.verdicts) <= 3


@pytest.mark.parametrize(
    ("markings", "told"),
    [
        ((), True),
        ((GREEN,), True),
        ((GREEN, UNMARKED), True),
        ((GREEN, RED), False),
        ((OWN,), False),
    ],
)
def test_a_list_gets_what_every_marking_on_the_path_allows(
    bench: Bench, markings: tuple[str, ...], told: bool
) -> None:
    context = bench.context(Word("malware", "Rat", (), markings))
    assert bench.judge.words(0, 1, "malware") == ()
    assert bench.judge.words(context, 1, "campaign") == ()
    for _ in range(2):
        assert bench.judge.words(context, 1, "malware") == (("Rat",) if told else ())


def test_what_ends_is_told_until_then(bench: Bench) -> None:
    bench.define(disposed_of("1970-01-03"))
    context = bench.context(Word("malware", "Rat", (), (OWN,)))
    assert bench.judge.words(context, 1, "malware") == ("Rat",)
    bench.now = 2 * 86_400_000_000
    assert bench.judge.words(context, 1, "malware") == ()


def test_a_word_is_told_once_its_marking_has_arrived(bench: Bench) -> None:
    context = bench.context(Word("malware", "Rat", (), (OWN,)))
    assert bench.judge.words(context, 1, "malware") == ()
    bench.define(STATEMENT)
    assert bench.judge.words(context, 1, "malware") == ("Rat",)
