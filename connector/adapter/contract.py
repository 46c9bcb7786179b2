"""The bases of adapters: of a whole list, of single entries, of rules."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Generic, TypeVar

from connector.adapter.batch import Batch
from connector.adapter.context import OutputContext
from connector.adapter.fields import FieldSpec
from connector.adapter.held import Held, observable_of
from connector.adapter.http import Http
from connector.adapter.outcomes import Outcomes
from connector.model import Entry, Observable, ObservableType, Rule, RuleLanguage
from connector.settings import Settings

__all__ = ["Adapter", "EntryAdapter", "ListAdapter", "RuleAdapter", "StagedAdapter"]

S = TypeVar("S", bound=Settings)


class Adapter(ABC, Generic[S]):
    """Keeps one list at one target; subclass `ListAdapter`, `EntryAdapter` or `RuleAdapter`.

    `supports` names the types that the target can store; an adapter whose options narrow that
    overrides `accepts`. `fields` says what a mapping may fill besides the value, and
    `default_mapping` fills it where the file has no mapping. `rate` is how many calls in which time
    the vendor allows, such as `8/5s`, where the file has no option of that name. One object serves
    an output as long as its configuration is in force.
    """

    settings_type: ClassVar[type[Settings]]
    supports: ClassVar[frozenset[ObservableType]]
    takes_rules: ClassVar[frozenset[RuleLanguage]] = frozenset()
    capacity: ClassVar[int | None] = None
    rate: ClassVar[str | None] = None
    fields: ClassVar[Mapping[str, FieldSpec]] = {}
    default_mapping: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init__(self, settings: S, context: OutputContext) -> None:
        self.settings = settings
        self.context = context

    @classmethod
    def variant(cls, _settings: Settings) -> "type[Adapter[Any]]":
        """Return the class that serves these options, where one name stands for two bases.

        Such as a zone that is written as a file, or changed entry by entry. It has the same
        options and types.
        """
        return cls

    @property
    def http(self) -> Http:
        """The client made from this output's options, which must be an `HttpSettings`."""
        return self.context.http

    def accepts(self, observable: Observable) -> bool:
        """Return whether the target, as configured, can store this observable."""
        return observable.type in self.supports

    def held_as(self, observable: Observable) -> Hashable:
        """Return what the observable becomes at the target: of one key there is one row.

        Such as a URL without its scheme, where the target drops it: a text, a number, or a tuple
        of them. The best ranked entry of a row is written, and the row goes with the last; `read`,
        `holds` and `remove` may name it by any of its observables. A row that stops more than the
        observable should be a value (a text such as `203.0.113.0/24`, or an `Observable`): it is
        not written where the allowlist protects something of it.
        """
        return observable

    def pools(self) -> Mapping[str, int | None]:
        """Return how many entries fit into each part of the target; None where nobody knows.

        An adapter whose target has tables of their own for kinds of entries names them here.
        """
        return {"": self.capacity}

    def pool_of(self, _observable: Observable) -> str:
        """Return which of the `pools` an observable takes its room from."""
        return ""

    def doubts(self) -> Sequence[str]:
        """Return warnings about valid options that are hardly intended, for `connector check`."""
        return ()

    def as_held(self, entry: Entry) -> Entry:
        """Return the entry as `read` will return it, where the target changes its fields.

        Asked of entries without fields too: a target may fill in one of its own.
        """
        return entry

    def shares(self) -> str:
        """Return the name of the device, where outputs at one share it; nothing by default.

        Outputs of one adapter and name work one after the other, and have one `context.session`.
        """
        return ""

    def known_as(self) -> Collection[str]:
        """Return what the target itself calls all that this keeps, by whatever way it is reached.

        Such as its serial number with the list's name. Asked before a place that an output left is
        emptied: what has one of these names is the new place by another way. Nothing by default.
        """
        return ()

    def stamp(self) -> str | None:
        """Return a text that changes when the target forgets, or others change what it holds.

        Asked in each cycle, so it must be cheap: a few milliseconds. A text other than at the end
        of our last cycle has the core read the target back. None says that there is no such text:
        then it is read back at every `verify_every` alone.
        """
        return None

    @abstractmethod
    def read(self) -> Iterable[Held] | Iterable[Rule]:
        """Return what is at the target now; raise UnavailableError when unsure."""

    def close(self) -> None:
        """Close connections; called once, after the last use."""


class ListAdapter(Adapter[S]):
    """For targets that take the whole list at once: a file, a lookup, a hosted list."""

    @abstractmethod
    def read(self) -> Iterable[Held]:
        """Return what is at the target now; raise UnavailableError when unsure."""

    @abstractmethod
    def publish(self, entries: Iterable[Entry]) -> Outcomes:
        """Replace the list in one step, from a sorted stream; readers see the old or the new.

        Return what became of the entries that were not written; nothing where all were.
        """

    def activate(self) -> None:
        """Have the target take up what was published: a reload, a transfer.

        Nothing counts as written before. It is tried again by itself, also after a crash.
        """


class EntryAdapter(Adapter[S]):
    """For targets that take single changes; the core batches, orders and retries.

    Where the target ends entries by itself, `expires` asks for the end of each (`Entry.expires`),
    and `ttl_bound` says how far ahead that may be at most: the core renews what ends too early.
    """

    batch: ClassVar[Batch] = Batch()
    expires: bool = False
    ttl_bound: ClassVar[timedelta | None] = None

    @abstractmethod
    def read(self) -> Iterable[Held]:
        """Return what is at the target now; raise UnavailableError when unsure."""

    @abstractmethod
    def add(self, entries: Sequence[Entry]) -> Outcomes:
        """Add or update entries; adding an existing entry is no error.

        Return what became of the entries that were not written; nothing where all were.
        """

    @abstractmethod
    def remove(self, held: Sequence[Held]) -> Outcomes:
        """Remove what we wrote, each with its handle; removing what is gone is no error.

        Return what became of the entries that are still there; nothing where none is.
        """

    def weigh(self, entry: Entry | Held) -> int:
        """Return how many bytes an entry takes in a request; asked where `batch` bounds bytes."""
        fields = (f"{name}{value}" for name, value in entry.fields.items())
        return sum(len(text.encode()) for text in (entry.value, entry.handle, *fields))

    def holds(self, observables: Collection[Observable]) -> Iterable[Held]:
        """Return those observables that are at the target now, whoever added them.

        The core asks before it adds entries that it never wrote and has not read the target for:
        those already there belong to others. An adapter of a large target asks for these only.
        """
        named = frozenset(observables)
        asked = {self.held_as(observable) for observable in named}

        def is_asked(there: Observable) -> bool:
            if there in named:
                return True
            meant = observable_of(there.type, there.value)  # others may have spelled it otherwise
            return meant is not None and self.held_as(meant) in asked

        return [held for held in self.read() if is_asked(held.observable)]


class StagedAdapter(EntryAdapter[S]):
    """For targets where changes are staged, and become live together with a commit.

    Nothing in a unit of work counts as written before its commit went well. A unit that failed is
    abandoned and done again as a whole, a few times: the target may have lost what was staged.
    """

    @abstractmethod
    def begin(self) -> None:
        """Open a unit of work: log in, lock, start a session."""

    @abstractmethod
    def commit(self) -> None:
        """Make the unit's changes live; `context.wait` waits where that takes minutes."""

    @abstractmethod
    def abandon(self) -> None:
        """Drop the unit's changes, after a failure of any step, also of `begin` and `commit`."""


class RuleAdapter(Adapter[S]):
    """For targets that take detection rules (Snort, Suricata, YARA, Sigma), always the whole set.

    An output of such an adapter gets rules instead of entries. `takes_rules` names the languages;
    an adapter whose options narrow that overrides `takes`.
    """

    supports: ClassVar[frozenset[ObservableType]] = frozenset()

    def takes(self, language: RuleLanguage) -> bool:
        """Return whether the target, as configured, takes rules of this language."""
        return language in self.takes_rules

    @abstractmethod
    def read(self) -> Iterable[Rule]:
        """Return what is at the target now; raise UnavailableError when unsure."""

    @abstractmethod
    def publish(self, rules: Iterable[Rule]) -> Outcomes:
        """Replace the set in one step, from a stream; readers see the old or the new.

        Rules come in the order in which they were first seen: of two that exclude each other, take
        the first. Return by the rules' `ref` what became of those that were not written: name all
        of them, including those refused before. Indicators of two feeds may have the same id and
        different rules.
        """

    def activate(self) -> None:
        """Have the target take up what was published: a reload, a transfer.

        Nothing counts as written before. It is tried again by itself, also after a crash.
        """
