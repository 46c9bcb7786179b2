"""The output contract: everything that an adapter imports."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from connector.errors import (
    BatchTooLargeError,
    ConfigError,
    EntryRejectedError,
    RefusedError,
    UnavailableError,
)
from connector.indicators.observables.kinds import (
    ADDRESSES,
    Family,
    as_prefix,
    families_of,
    misreading,
)
from connector.model import Entry, FieldValue, Observable, ObservableType, Rule, RuleLanguage
from connector.published import Draft, Published, PublishedName, failures_typed
from connector.settings import (
    Auth,
    Duration,
    Field,
    FilePath,
    HttpSettings,
    Secret,
    SecretValue,
    Settings,
)

__all__ = [
    "ADDRESSES",
    "Adapter",
    "Auth",
    "BatchTooLargeError",
    "ConfigError",
    "Draft",
    "Duration",
    "Entry",
    "EntryAdapter",
    "EntryRejectedError",
    "Family",
    "Field",
    "FieldValue",
    "FilePath",
    "Http",
    "HttpSettings",
    "ListAdapter",
    "Observable",
    "ObservableType",
    "Place",
    "Published",
    "PublishedName",
    "RefusedError",
    "Response",
    "Rule",
    "RuleAdapter",
    "RuleLanguage",
    "Secret",
    "SecretValue",
    "Settings",
    "UnavailableError",
    "as_prefix",
    "failures_typed",
    "families_of",
    "import_extra",
    "misreading",
]

S = TypeVar("S", bound=Settings)


class Response(Protocol):
    """The part of an HTTP response that an adapter reads."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def content(self) -> bytes: ...


class Http(Protocol):
    """The one HTTP client: it takes care of TLS, proxy, credentials, timeouts and redaction."""

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        accept_statuses: frozenset[int] = frozenset(),
    ) -> Response: ...


class Place:
    """The surroundings of an output: what an adapter may need to know besides its options.

    `types` are the types of observable that the output writes; all where the file names none.
    """

    __slots__ = ("output", "publish_folder", "types")

    def __init__(
        self,
        output: str,
        publish_folder: Path,
        types: frozenset[ObservableType] = frozenset(ObservableType),
    ) -> None:
        self.output = output
        self.publish_folder = publish_folder
        self.types = types


class Adapter(ABC, Generic[S]):
    """Keeps one list at one target; subclass `ListAdapter`, `EntryAdapter` or `RuleAdapter`.

    `supports` names the types that the target can store; an adapter whose options narrow that
    overrides `accepts`. `fields` names what a mapping may fill besides the value, and
    `default_mapping` fills it where the file has no mapping.
    """

    settings_type: ClassVar[type[Settings]]
    supports: ClassVar[frozenset[ObservableType]]
    takes_rules: ClassVar[frozenset[RuleLanguage]] = frozenset()
    capacity: ClassVar[int | None] = None
    fields: ClassVar[frozenset[str]] = frozenset()
    default_mapping: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init__(self, settings: S, http: Http | None = None, place: Place | None = None) -> None:
        self.settings = settings
        self._http = http
        self._place = place

    @property
    def http(self) -> Http:
        """The client made from this output's options, which must be an `HttpSettings`."""
        if self._http is None:
            raise RuntimeError("an adapter that uses HTTP needs options derived from HttpSettings")
        return self._http

    @property
    def place(self) -> Place:
        """The surroundings of this output."""
        if self._place is None:
            raise RuntimeError("this adapter was made without a place")
        return self._place

    def accepts(self, observable: Observable) -> bool:
        """Return whether the target, as configured, can store this observable."""
        return observable.type in self.supports

    def doubts(self) -> Sequence[str]:
        """Return warnings about valid options that are hardly intended, for `connector check`."""
        return ()

    def as_held(self, entry: Entry) -> Entry:
        """Return the entry as `read` will return it, where the target changes its fields."""
        return entry

    @abstractmethod
    def read(self) -> Iterable[Entry] | Iterable[Rule]:
        """Return what is at the target now; raise UnavailableError when unsure."""

    def close(self) -> None:
        """Close connections; called once, after the last use."""


class ListAdapter(Adapter[S]):
    """For targets that take the whole list at once: a file, a lookup, a hosted list."""

    @abstractmethod
    def read(self) -> Iterable[Entry]:
        """Return what is at the target now; raise UnavailableError when unsure."""

    @abstractmethod
    def publish(self, entries: Iterable[Entry]) -> None:
        """Replace the list in one step, from a sorted stream; readers see the old or the new.

        Raise EntryRejectedError, after publishing the rest, when some entries cannot be written.
        """


class EntryAdapter(Adapter[S]):
    """For targets that take single changes; the core batches, orders and retries."""

    batch_size: ClassVar[int] = 500

    @abstractmethod
    def read(self) -> Iterable[Entry]:
        """Return what is at the target now; raise UnavailableError when unsure."""

    @abstractmethod
    def add(self, entries: Sequence[Entry]) -> None:
        """Add or update entries; adding an existing entry is no error."""

    @abstractmethod
    def remove(self, entries: Sequence[Entry]) -> None:
        """Remove entries; removing an absent entry is no error."""

    def holds(self, observables: Collection[Observable]) -> Collection[Observable]:
        """Return those observables that are at the target now, whoever added them.

        The core asks before it adds entries that it never wrote and has not read the target for:
        those already there belong to others. An adapter of a large target asks for these only.
        """
        asked = frozenset(observables)
        return {entry.observable for entry in self.read() if entry.observable in asked}

    def commit(self) -> None:
        """Make staged changes live, where the target has such a step."""


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
    def publish(self, rules: Iterable[Rule]) -> None:
        """Replace the set in one step, from a stream; readers see the old or the new.

        Rules come in the order in which they were first seen: of two that exclude each other, take
        the first. Raise EntryRejectedError, by the rules' `key`, after publishing the rest, when
        some rules cannot be written: name all of them, including those refused before. Indicators
        of two feeds may have the same id and different rules.
        """


def import_extra(module: str, install: str) -> Any:
    """Return a module that not every installation has.

    Raises ConfigError with the command that installs it: `install` is what pip is to install.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        text = f"needs the Python package {module}; install it with: pip install '{install}'"
        raise ConfigError([text]) from error
