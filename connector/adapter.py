"""The output contract, and all that a plugin ever imports."""

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
    """What an adapter reads of an answer."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def content(self) -> bytes: ...


class Http(Protocol):
    """The one HTTP client: TLS, proxy, credentials, timeouts and redaction are its own concern."""

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
    """Where an output stands: what an adapter may need to know beside its own options.

    `types` are those that the file has it write; where it names none, all there are.
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

    `supports` names the observables that the target can hold; an adapter whose options narrow
    that overrides `accepts`. `fields` names what a mapping may fill beside the value, and
    `default_mapping` fills it where the file says nothing.
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
        """The client built from this output's options; they must be an `HttpSettings`."""
        if self._http is None:
            raise RuntimeError("an adapter that speaks HTTP derives its options from HttpSettings")
        return self._http

    @property
    def place(self) -> Place:
        """Where this output stands."""
        if self._place is None:
            raise RuntimeError("this adapter was made without its place")
        return self._place

    def accepts(self, observable: Observable) -> bool:
        """Return whether the target can hold this observable, as configured."""
        return observable.type in self.supports

    def doubts(self) -> Sequence[str]:
        """Return what these options allow and hardly anybody means, for `connector check`."""
        return ()

    def as_held(self, entry: Entry) -> Entry:
        """Return the entry as `read` will give it back, where the target bends its fields."""
        return entry

    @abstractmethod
    def read(self) -> Iterable[Entry] | Iterable[Rule]:
        """Return what the target holds now; raise UnavailableError when unsure."""

    def close(self) -> None:
        """Let go of connections; called once, after the last use."""


class ListAdapter(Adapter[S]):
    """For targets that take the whole list at once: a file, a lookup, a hosted list."""

    @abstractmethod
    def read(self) -> Iterable[Entry]:
        """Return what the target holds now; raise UnavailableError when unsure."""

    @abstractmethod
    def publish(self, entries: Iterable[Entry]) -> None:
        """Replace the list in one step, from a sorted stream; readers see the old or the new.

        Raise EntryRejectedError after publishing the rest when some entries cannot be written.
        """


class EntryAdapter(Adapter[S]):
    """For targets that take single changes; the core batches, orders and retries."""

    batch_size: ClassVar[int] = 500

    @abstractmethod
    def read(self) -> Iterable[Entry]:
        """Return what the target holds now; raise UnavailableError when unsure."""

    @abstractmethod
    def add(self, entries: Sequence[Entry]) -> None:
        """Add or update entries; adding one that is there is no error."""

    @abstractmethod
    def remove(self, entries: Sequence[Entry]) -> None:
        """Remove entries; removing one that is gone is no error."""

    def holds(self, observables: Collection[Observable]) -> Collection[Observable]:
        """Return those of these that are at the target now, whoever put them there.

        The core asks before it adds what it never wrote and did not read the target for: what is
        there by then stays others'. An adapter of a large target asks for just these instead.
        """
        asked = frozenset(observables)
        return {entry.observable for entry in self.read() if entry.observable in asked}

    def commit(self) -> None:
        """Make staged changes live, where the target has such a step."""


class RuleAdapter(Adapter[S]):
    """For targets that take detection rules: Snort, Suricata, YARA, Sigma; always the whole set.

    An output of such an adapter gets rules and no entries. `takes_rules` names the languages; an
    adapter whose options narrow that overrides `takes`.
    """

    supports: ClassVar[frozenset[ObservableType]] = frozenset()

    def takes(self, language: RuleLanguage) -> bool:
        """Return whether the target takes rules of this language, as configured."""
        return language in self.takes_rules

    @abstractmethod
    def read(self) -> Iterable[Rule]:
        """Return what the target holds now; raise UnavailableError when unsure."""

    @abstractmethod
    def publish(self, rules: Iterable[Rule]) -> None:
        """Replace the set in one step, from a stream; readers see the old or the new.

        Rules come in the order in which they were first seen: of two that cannot stand beside
        each other take the first. Raise EntryRejectedError, by the rules' `key`, after
        publishing the rest when some rules cannot be written: name all, also those refused before.
        Indicators of two feeds may have one id, and bear two rules.
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
