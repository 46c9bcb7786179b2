"""The store as one thing: a database and the sides that the service works with."""

from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Final

from connector.decisions.records import ObjectState
from connector.decisions.selection import IndicatorAttributes
from connector.indicators.stix import Unreadable, read_object
from connector.model import Context
from connector.store.database import marks, numbers, parts
from connector.store.drivers import open_database
from connector.store.feeds.compression import Codec
from connector.store.feeds.markings import KeptMarkings
from connector.store.feeds.producers import Producers
from connector.store.interning import Remembered, load_codec
from connector.store.lists.exceptions import Exceptions
from connector.store.lists.lists import ListStore
from connector.store.lists.wanted import WantedEntries
from connector.store.outputs.audit import Audit
from connector.store.outputs.counted import CountedChanges
from connector.store.outputs.drifts import Drifts, Surprises
from connector.store.outputs.ends import Ends
from connector.store.outputs.fetches import Fetches
from connector.store.outputs.folds import Folds
from connector.store.outputs.former import FormerEntries
from connector.store.outputs.holds import Holds
from connector.store.outputs.ledger import Ledger
from connector.store.outputs.outputs import OutputStates
from connector.store.outputs.places import Places
from connector.store.outputs.pools import Pools
from connector.store.outputs.protections import Protections
from connector.store.outputs.rollouts import Rollouts
from connector.store.soundness import Soundness
from connector.store.transaction import Transaction

if TYPE_CHECKING:
    from connector.store.feeds.objects import ObjectStore

_STANDING: Final = numbers((ObjectState.CURRENT, ObjectState.DISPUTED))


class Store:
    """Everything that outlives a process."""

    def __init__(self, url: str) -> None:
        self.database = open_database(url)
        self.soundness = Soundness(self.database)
        self.lists = ListStore(self.database, self.soundness)
        self.wanted = WantedEntries(self.database)
        self.outputs = OutputStates(self.database)
        self.places = Places(self.database)
        self.ledger = Ledger(self.database)
        self.ends = Ends(self.database)
        self.folds = Folds(self.database)
        self.former = FormerEntries(self.database)
        self.holds = Holds(self.database)
        self.pools = Pools(self.database)
        self.protections = Protections(self.database)
        self.rollouts = Rollouts(self.database)
        self.counted = CountedChanges(self.database)
        self.audit = Audit(self.database)
        self.drifts = Drifts(self.database)
        self.fetches = Fetches(self.database)
        self.surprises = Surprises(self.database)
        self.exceptions = Exceptions(self.database)
        self.markings = KeptMarkings(self.database)
        self.producers = Producers(self.database)
        self.attributes = Remembered(self.database, "attributes", IndicatorAttributes)
        self.contexts = Remembered(self.database, "contexts", Context)
        self._codecs: dict[int, Codec] = {}
        self._unpacking = Lock()  # a codec serves one thread at a time

    @cached_property
    def objects(self) -> "ObjectStore":
        """The feeds' side: objects, claims, cursors."""
        from connector.store.feeds.objects import ObjectStore  # noqa: PLC0415 - not for a look

        return ObjectStore(self.database)

    def feeds(self) -> dict[int, str]:
        """Return the names of all feeds that ever gave something, by number."""
        with self.database.read() as transaction:
            rows = transaction.rows("SELECT number, name FROM feeds")
            return dict(map(tuple, rows))

    def originals(self, transaction: Transaction, keys: list[bytes]) -> dict[bytes, bytes]:
        """Return the bytes as received of objects by key."""
        found: dict[bytes, bytes] = {}
        with self._unpacking:  # by who has a transaction: one who waits for one would bar the rest
            for part in parts(keys):
                sql = (
                    "SELECT key, dictionary, packed FROM objects "  # noqa: S608 - only marks
                    f"WHERE packed IS NOT NULL AND key IN ({marks(part)})"
                )
                for key, dictionary, packed in transaction.rows(sql, part):
                    codec = load_codec(transaction, self._codecs, dictionary)
                    found[bytes(key)] = codec.unpack(bytes(packed))
        return found

    def originals_of_feed(
        self, transaction: Transaction, feed: int, keys: list[bytes]
    ) -> dict[bytes, bytes]:
        """Return the bytes as received of a feed's objects by key, of those that still stand."""
        found: dict[bytes, bytes] = {}
        with self._unpacking:
            for part in parts(keys):
                sql = (
                    "SELECT key, dictionary, packed FROM objects "  # noqa: S608 - only marks
                    f"WHERE packed IS NOT NULL AND feed = ? AND state IN ({_STANDING}) "
                    f"AND key IN ({marks(part)})"
                )
                for key, dictionary, packed in transaction.rows(sql, (feed, *part)):
                    codec = load_codec(transaction, self._codecs, dictionary)
                    found[bytes(key)] = codec.unpack(bytes(packed))
        return found

    def originals_of_claims(self, transaction: Transaction, claims: list[int]) -> dict[int, bytes]:
        """Return the bytes as received of the objects that make these claims."""
        found: dict[int, bytes] = {}
        with self._unpacking:
            for part in parts(claims):
                sql = (
                    "SELECT c.number, o.dictionary, o.packed FROM claims c "  # noqa: S608 - only numbers
                    "JOIN objects o ON o.number = c.object AND o.packed IS NOT NULL "
                    f"WHERE c.number IN ({numbers(part)})"
                )
                for number, dictionary, packed in transaction.rows(sql):
                    codec = load_codec(transaction, self._codecs, dictionary)
                    found[number] = codec.unpack(bytes(packed))
        return found

    def names(self, transaction: Transaction, claims: list[int]) -> dict[int, str]:
        """Return the `name` of the objects that make these claims, where they have one."""
        of: dict[int, list[int]] = {}  # one object may make thousands of claims
        for part in parts(claims):
            sql = f"SELECT number, object FROM claims WHERE number IN ({numbers(part)})"  # noqa: S608 - only numbers
            for claim, owner in transaction.rows(sql):
                of.setdefault(owner, []).append(claim)
        first = {claims[0]: claims for claims in of.values()}
        found = {}
        for claim, raw in self.originals_of_claims(transaction, list(first)).items():
            read = read_object(raw)
            if not isinstance(read, Unreadable) and read.name:
                found.update(dict.fromkeys(first[claim], read.name))
        return found

    def close(self) -> None:
        """Close the database."""
        self.database.close()
