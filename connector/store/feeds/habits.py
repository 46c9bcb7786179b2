"""The character of each feed: the producers and types it has sent, and its recent counts.

All is counted in the transaction that takes a page in, so that a crash counts nothing twice.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b
from typing import Final

from connector.decisions.character import Lately
from connector.decisions.records import ObjectState
from connector.model import Claim
from connector.store.database import Database, marks, parts
from connector.store.feeds.arrivals import Arrivals
from connector.store.transaction import Transaction

_COLUMNS: Final = "kept, came, gone, strangers, claims, odd, twins"
_TWINS: Final = (
    "SELECT count(*) FROM claims c WHERE c.object >= ? AND c.observable > 0 AND EXISTS ("  # noqa: S608 - our own number
    "SELECT 1 FROM claims d JOIN objects o ON o.number = d.object "
    "WHERE d.observable = c.observable AND d.number < c.number AND d.object <> c.object "
    f"AND o.feed = ? AND o.state = {int(ObjectState.CURRENT)} "
    "AND (o.valid_until IS NULL OR o.valid_until > ?))"
)


class Habits:
    """Keeps the character of feeds, in consecutive spans of time."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def begin(self, feed: int, now: int, span: int, *, anew: bool = False) -> None:
        """Start a new span where one has passed, after the first fill, or when asked to."""
        with self._db.write() as transaction:
            sql = (
                "SELECT h.number, h.began, h.kept, h.came - h.gone, f.last_success FROM habits h "
                "JOIN feeds f ON f.number = h.feed WHERE h.feed = ?"
            )
            rows = transaction.rows(sql, (feed,))
            if not rows:
                self._open(transaction, feed, 1, now, 0)
                return
            number, began, kept, more, filled = rows[0]
            first = not kept and more > 0 and filled is not None
            if anew or first or now - began >= span:
                self._open(transaction, feed, number + 1, now, max(0, kept + more))

    def _open(self, transaction: Transaction, feed: int, number: int, now: int, kept: int) -> None:
        transaction.run("DELETE FROM habits WHERE feed = ?", (feed,))
        sql = "INSERT INTO habits (feed, number, began, kept) VALUES (?, ?, ?, ?)"
        transaction.run(sql, (feed, number, now, kept))

    def lately(self, feed: int) -> Lately:
        """Return what a feed has sent in the current span."""
        sql = f"SELECT {_COLUMNS} FROM habits WHERE feed = ?"  # noqa: S608 - our own columns
        with self._db.read() as transaction:
            rows = transaction.rows(sql, (feed,))
        return Lately(*rows[0]) if rows else Lately()

    def note_gone(self, feed: int, gone: int) -> None:
        """Count objects that a feed revoked or no longer showed."""
        if gone:
            with self._db.write() as transaction:
                sql = "UPDATE habits SET gone = gone + ? WHERE feed = ?"
                transaction.run(sql, (gone, feed))

    def note(self, transaction: Transaction, page: Arrivals) -> None:
        """Count what a page brought that is new."""
        sql = "SELECT number, kept FROM habits WHERE feed = ?"
        rows = transaction.rows(sql, (page.feed,))
        if not page.stored.new or not rows:
            return
        number, kept = rows[0]
        kinds = _kinds(said for owner, said in page.claims.items() if owner >= page.first)
        creators = Counter({_name(by): count for by, count in page.creators.items()})
        strange = self._strange(transaction, page.feed, number, [*creators, *kinds])
        twins = 0
        if kept:
            twins = transaction.one(_TWINS, (page.first, page.feed, page.now))
        sql = (
            "UPDATE habits SET came = came + ?, strangers = strangers + ?, claims = claims + ?, "
            "odd = odd + ?, twins = twins + ? WHERE feed = ?"
        )
        counted = (
            page.stored.new, _among(creators, strange), kinds.total(), _among(kinds, strange),
            twins, page.feed,
        )  # fmt: skip
        transaction.run(sql, counted)

    def _strange(
        self, transaction: Transaction, feed: int, span: int, names: Sequence[str]
    ) -> set[str]:
        """Return the names that a feed had not used before this span, and remember them."""
        found: dict[str, int] = {}
        for part in parts(names):
            sql = f"SELECT name, span FROM feed_names WHERE feed = ? AND name IN ({marks(part)})"  # noqa: S608 - only marks
            found.update(map(tuple, transaction.rows(sql, (feed, *part))))
        fresh = [(feed, name, span) for name in names if name not in found]
        sql = "INSERT INTO feed_names (feed, name, span) VALUES (?, ?, ?)"
        transaction.many(sql, fresh)
        return {name for name in names if found.get(name, span) >= span}


def _kinds(claims: Iterable[Sequence[Claim]]) -> Counter[str]:
    found = Counter(
        claim.observable.type for said in claims for claim in said if claim.observable is not None
    )
    return Counter({kind.value: count for kind, count in found.items()})


def _name(creator: str) -> str:
    """Return how a producer is known here: its id may be of any length."""
    return "by " + blake2b(creator.encode(), digest_size=8).hexdigest()


def _among(counted: Counter[str], names: Collection[str]) -> int:
    return sum(count for name, count in counted.items() if name in names)
