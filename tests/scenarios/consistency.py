"""Whether a service's records agree with each other, with its policy and with its targets."""

import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from connector.decisions.records import CODES, OURS, ClaimKind, ClaimRow, LedgerState, reason_of
from connector.model import Reason, Rule, Subject
from connector.service.service import Service
from connector.store import queries as questions
from connector.store.feeds.claims import CLAIM_COLUMNS
from connector.store.interning import subject
from connector.store.lists.reason_blocks import BLOCK
from connector.store.tallies import LIST_TALLY, OUTPUT_TALLY, tallies
from connector.store.transaction import Transaction
from connector.sync.listing import Listing
from connector.sync.output import Output

__all__ = ["Held", "assert_consistent", "inconsistencies"]

_STATIC = {
    ClaimKind.UNREADABLE: Reason.UNREADABLE,
    ClaimKind.UNSUPPORTED: Reason.UNSUPPORTED_PATTERN,
    ClaimKind.NOT_ENFORCEABLE: Reason.NOT_ENFORCEABLE,
}
_ALLOWLISTED = CODES[Reason.ALLOWLISTED]
_ABSENT = frozenset(
    {
        LedgerState.REJECTED,
        LedgerState.UNSUPPORTED,
        LedgerState.OVER_CAPACITY,
        LedgerState.OVER_SHARE,
        LedgerState.WITHHELD,
    }
)


@dataclass(frozen=True, slots=True)
class Held:
    """What a target holds in truth, and what of it was put there by other hands than ours."""

    entries: Collection[Subject]
    by_hand: Collection[Subject] = ()


Targets = Mapping[str, Callable[[], Held]]


def assert_consistent(
    service: Service,
    targets: Targets | None = None,
    *,
    settled: bool = True,
    decided: bool | None = None,
) -> None:
    """Fail with every contradiction between records, decisions and targets.

    `targets` tells by output what its target holds; where it says nothing the adapter is asked.
    `decided` says that every claim is decided as of now, and `settled` that every target holds
    what its list wants as well. Otherwise only what must hold at any instant is checked.
    """
    decided = settled if decided is None else decided
    found = list(inconsistencies(service, targets or {}, settled=settled, decided=decided))
    assert not found, "\n".join(found)


def inconsistencies(
    service: Service, targets: Targets, *, settled: bool, decided: bool
) -> Iterator[str]:
    """Yield every contradiction as a sentence."""
    with service.store.database.read() as transaction:
        claims = questions.claim_count(transaction)
        for name, listing in service.lists.items():
            for problem in _of_list(service, transaction, listing, claims, decided=decided):
                yield f"list {name}: {problem}"
        for name, output in service.outputs.items():
            row = questions.output_rows(transaction).get(name)
            if row is not None:
                found = _of_output(service, transaction, output, row, claims, settled=settled)
                for problem in found:
                    yield f"output {name}: {problem}"
    for name, output in service.outputs.items():
        held = targets[name]() if name in targets else _read(output)
        with service.store.database.read() as transaction:
            for problem in _of_target(service, transaction, output, held, settled=settled):
                yield f"output {name}: {problem}"


def _read(output: Output) -> Held:
    lines = output.adapter.read()
    return Held([line.ref if isinstance(line, Rule) else line.observable for line in lines])


def _of_list(
    service: Service, transaction: Transaction, listing: Listing, claims: int, *, decided: bool
) -> Iterator[str]:
    counted = tallies(transaction, LIST_TALLY, listing.number)
    bytes_of = _codes(service, transaction, listing.number)
    recounted = Counter(bytes_of.values())
    counted = {code: count for code, count in counted.items() if count}
    if counted != dict(recounted):
        yield f"tallies say {counted}, its blocks say {dict(recounted)}"
    reasons = questions.list_reasons(transaction, listing.number, claims)
    yield from _sums(reasons, claims)
    if not decided:
        return
    sql = "SELECT count(*) FROM entries WHERE list = ? AND wanted = 1"
    wanted = transaction.one(sql, (listing.number,))
    if wanted != reasons.get(Reason.WANTED, 0):
        yield f"{wanted} entries are wanted, the claims say {reasons.get(Reason.WANTED, 0)}"
    anew, protectors = _decided(service, transaction, listing)
    for claim in sorted(anew.keys() | bytes_of.keys()):
        kept, should = bytes_of.get(claim), anew.get(claim)
        if (kept and reason_of(kept)) != (should and reason_of(should)):
            yield f"claim {claim} is kept as {kept}, and is {should} when decided anew"
    kept_off = questions.suppressed(transaction, listing.number)
    if kept_off != dict(protectors):
        yield f"kept off by {kept_off}, when decided anew by {dict(protectors)}"


def _codes(service: Service, transaction: Transaction, number: int) -> dict[int, int]:
    """Return the reason byte of every claim that has one, from the blocks themselves."""
    sql = "SELECT block, packed FROM buckets WHERE list = ?"
    rows = transaction.rows(sql, (number,))
    return {
        block * BLOCK + at: code
        for block, packed in rows
        for at, code in enumerate(zlib.decompress(packed))
        if code
    }


def _decided(
    service: Service, transaction: Transaction, listing: Listing
) -> tuple[dict[int, int], Counter[str]]:
    """Return the reason code of every claim in the store, asked of the policy anew.

    And how many claims each group of the allowlist keeps off.
    """
    now = service.now()
    sql = (
        f"SELECT c.observable, b.type, b.value, {CLAIM_COLUMNS} FROM claims c "  # noqa: S608 - our own columns
        "JOIN objects o ON o.number = c.object LEFT JOIN observables b ON b.number = c.observable "
        "ORDER BY c.observable, c.number"
    )
    codes: dict[int, int] = {}
    protectors: Counter[str] = Counter()
    for number, group in groupby(transaction.rows(sql), itemgetter(0)):
        rows = list(group)
        claims = [ClaimRow._make(row[3:]) for row in rows]
        if number:
            observable = subject(rows[0][1], rows[0][2])
            (decision,) = listing.decide([(observable, claims)], now)
            codes |= dict(zip((claim.number for claim in claims), decision.codes, strict=True))
            if decision.protector:
                protectors[decision.protector] += decision.codes.count(_ALLOWLISTED)
        else:
            codes |= {claim.number: CODES[_STATIC[ClaimKind(claim.kind)]] for claim in claims}
    return codes, +protectors


def _sums(reasons: Mapping[Reason, int], claims: int) -> Iterator[str]:
    if sum(reasons.values()) != claims:
        yield f"its reasons add up to {sum(reasons.values())} of {claims} claims: {reasons}"
    if negative := {reason: count for reason, count in reasons.items() if count < 0}:
        yield f"counts below nothing: {negative}"


def _of_output(
    service: Service,
    transaction: Transaction,
    output: Output,
    row: questions.OutputRow,
    claims: int,
    *,
    settled: bool,
) -> Iterator[str]:
    listed = questions.list_reasons(transaction, output.listing.number, claims)
    reasons = questions.output_reasons(transaction, row, listed)
    yield from _sums(reasons, claims)
    counted = {
        mark: count
        for mark, count in tallies(transaction, OUTPUT_TALLY, row.number).items()
        if count
    }
    sql = "SELECT state, count(*) FROM ledger WHERE output = ? GROUP BY state"
    recounted = dict(map(tuple, transaction.rows(sql, (row.number,))))
    if counted != recounted:
        yield f"tallies say {counted}, its ledger says {recounted}"
    for reason, count in recount(transaction, row).items():
        if settled and reason is not None and count != reasons.get(reason, 0):
            yield f"{reason.value}: status says {reasons.get(reason, 0)}, a recount {count}"


def _of_target(
    service: Service, transaction: Transaction, output: Output, held: Held, *, settled: bool
) -> Iterator[str]:
    marks = _ledger(service, transaction, output.name)
    ours = {observable for observable, mark in marks.items() if mark in OURS}
    there, by_hand = set(held.entries), set(held.by_hand)
    for orphan in sorted(there - by_hand - ours, key=str):
        yield f"{orphan.value} is at the target, and nobody owns it"
    written = {observable for observable, mark in marks.items() if mark == LedgerState.WRITTEN}
    for lost in sorted(written - there, key=str):
        yield f"{lost.value} is written, the ledger says; the target does not have it"
    for taken in sorted(written & by_hand, key=str):
        yield f"{taken.value} was put by hand, and the ledger calls it ours"
    if not settled:
        return
    for observable, mark in marks.items():
        if mark in (LedgerState.INTENDED, LedgerState.REMOVING):
            yield f"{observable.value} is left as {LedgerState(mark).name} after a whole cycle"
    absent = {observable for observable, mark in marks.items() if mark in _ABSENT}
    wanted = _wanted(service, transaction, output.listing.number)
    withheld, kept = _held(transaction, output.name)
    for missing in sorted(wanted - there - absent - withheld, key=str):
        yield f"{missing.value} is wanted, and not at the target"
    for early in sorted(withheld & there - by_hand, key=str):
        yield f"{early.value} waits for a person, and is at the target"
    for left in sorted(there - by_hand - wanted - kept, key=str):
        yield f"{left.value} is at the target, and not wanted"


def _ledger(service: Service, transaction: Transaction, output: str) -> dict[Subject, int]:
    sql = (
        "SELECT b.type, b.value, l.state FROM ledger l JOIN outputs o ON o.number = l.output "
        "JOIN observables b ON b.number = l.observable WHERE o.name = ?"
    )
    rows = transaction.rows(sql, (output,))
    return {subject(code, value): mark for code, value, mark in rows}


def _held(transaction: Transaction, output: str) -> tuple[set[Subject], set[Subject]]:
    """Return what waits at an output to be added, and to be removed."""
    sql = (
        "SELECT c.verb, b.type, b.value FROM held_changes c JOIN outputs o ON o.number = c.output "
        "JOIN observables b ON b.number = c.observable WHERE o.name = ?"
    )
    found: dict[int, set[Subject]] = {1: set(), 2: set()}
    for verb, code, value in transaction.rows(sql, (output,)):
        found[verb].add(subject(code, value))
    return found[1], found[2]


def _wanted(service: Service, transaction: Transaction, number: int) -> set[Subject]:
    rows = service.store.wanted.values_sorted(transaction, number)
    return {observable for _number, observable, _rank in rows}


def recount(transaction: Transaction, output: questions.OutputRow) -> dict[Reason | None, int]:
    """Count an output's wanted entries one by one; None stands for no word in the ledger."""
    sql = (
        "SELECT l.state, c.verb, count(*) FROM entries e LEFT JOIN ledger l ON l.output = ? "
        "AND l.observable = e.observable LEFT JOIN held_changes c ON c.output = ? "
        "AND c.observable = e.observable AND c.verb = 1 AND c.hold IN "
        "(SELECT id FROM holds h WHERE h.output = c.output AND h.state <> 'accepted') "
        "WHERE e.list = ? AND e.wanted = 1 GROUP BY l.state, c.verb"
    )
    counts: dict[Reason | None, int] = {}
    for mark, waits, count in transaction.rows(sql, (output.number, output.number, output.list)):
        bucket = Reason.HELD if waits else questions._BUCKET_OF.get(mark)
        counts[bucket] = counts.get(bucket, 0) + count
    return counts
