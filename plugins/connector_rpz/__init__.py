"""Entries in a response policy zone of name servers, by dynamic update (RFC 2136) with TSIG.

The zone is made once by its administrator; docs/outputs/rpz.md has the lines.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from connector.adapter import (
    ADDRESSES,
    Adapter,
    Batch,
    ConfigError,
    Entry,
    EntryAdapter,
    Held,
    Later,
    Observable,
    ObservableType,
    Outcome,
    Outcomes,
    OutputContext,
    Refused,
    RefusedError,
    Settings,
    Subject,
    UnavailableError,
    import_extra,
)

from .names import observable_at, owner_of, why_unfit
from .options import RpzSettings, server_of
from .triggers import held_at, said
from .zone_file import RpzFileAdapter

if TYPE_CHECKING:
    from .server import Server

__all__ = ["RpzAdapter", "RpzFileAdapter", "RpzSettings"]

_BESIDE: Final = 22  # bytes of a record beside its name and data; an address may double its length
_FEW: Final = 200  # names that are looked up rather than read with the whole zone
Change = Callable[["Server", Sequence[str]], str]


class RpzAdapter(EntryAdapter[RpzSettings]):
    """Keeps triggers in a policy zone, beside the records of others; all servers alike."""

    settings_type = RpzSettings
    supports = frozenset({*ADDRESSES, ObservableType.DOMAIN_NAME})
    batch = Batch(entries=1000, bytes=50_000)

    def __init__(self, settings: RpzSettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        import_extra("dns", "threat-feed-connector[rpz]")
        from .server import Server  # noqa: PLC0415

        secret = settings.key_secret.reveal() if settings.key_secret else ""
        key = (settings.key_name or "", secret, settings.key_algorithm)
        try:
            self._servers = [
                Server(server_of(one), settings.zone, key, settings.timeout)
                for one in settings.servers
            ]
        except ValueError:
            raise ConfigError(["key_secret should be base64, as tsig-keygen prints it"]) from None

    @classmethod
    def variant(cls, settings: Settings) -> type[Adapter[Any]]:
        """Return the class for the mode."""
        in_file = isinstance(settings, RpzSettings) and settings.mode == "file"
        return RpzFileAdapter if in_file else cls

    def as_held(self, entry: Entry) -> Entry:
        """Return the entry with the action that the zone has for it."""
        return Entry(entry.observable, {"action": said(self.settings.records)})

    def weigh(self, entry: Entry | Held) -> int:
        """Return at most how many bytes of a message an entry takes."""
        data = sum(len(text) + 2 for _, text in self.settings.records)
        return (3 + len(self.settings.records)) * (len(entry.value) + _BESIDE) + data

    def stamp(self) -> str:
        """Return the serials, which each change raises."""
        return " ".join(str(server.serial()) for server in self._servers)

    def read(self) -> Iterable[Held]:
        """Yield the triggers of all servers; one that they do not agree on differs from ours."""
        found = [server.zone_records() for server in self._servers]
        for owner in dict.fromkeys(owner for zone in found for owner in zone):
            if one := observable_at(owner):
                yield held_at(one, [zone.get(owner, ()) for zone in found])

    def holds(self, observables: Collection[Observable]) -> Iterable[Held]:
        """Return those that any server has; a server that is away leaves that unknown."""
        asked = [one for one in observables if not why_unfit(one, self.settings.zone)]
        if len(asked) > _FEW:
            wanted = frozenset(asked)
            return [held for held in self.read() if held.observable in wanted]
        owners = {owner_of(one): one for one in asked}
        found = [server.look_up(list(owners)) for server in self._servers if owners]
        there = {
            owner: one for owner, one in owners.items() if any(owner in zone for zone in found)
        }
        return [held_at(one, [zone.get(at, ()) for zone in found]) for at, one in there.items()]

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        """Write the records of each entry at all servers; a name that does not fit is refused."""
        refused: dict[Subject, Outcome] = {}
        fitting = []
        for entry in entries:
            if words := why_unfit(entry.observable, self.settings.zone):
                refused[entry.observable] = Refused(words)
            else:
                fitting.append(entry)
        return refused | self._at_all(fitting, self._write)

    def remove(self, held: Sequence[Held]) -> Outcomes:
        """Delete their records at all servers."""
        fitting = [one for one in held if not why_unfit(one.observable, self.settings.zone)]
        return self._at_all(fitting, self._remove)

    def _write(self, server: "Server", owners: Sequence[str]) -> str:
        return server.write(owners, self.settings.records, self.settings.ttl)

    def _remove(self, server: "Server", owners: Sequence[str]) -> str:
        return server.remove(owners, self.settings.records)

    def _at_all(self, ones: Sequence[Entry | Held], change: Change) -> dict[Subject, Outcome]:
        """Change each server, also where another one fails; return what is refused.

        What some of them took and others refuse is tried again: it is ours where it was taken.
        """
        failed: RefusedError | UnavailableError | None = None
        refused: dict[Subject, list[str]] = {}
        for server in self._servers if ones else ():
            try:
                for one, words in self._at(server, ones, change):
                    refused.setdefault(one, []).append(words)
            except (RefusedError, UnavailableError) as error:
                failed = failed or error
        if failed is not None:
            raise failed
        everywhere = len(self._servers)
        return {
            one: Refused(words[0]) if len(words) == everywhere else Later(words[0])
            for one, words in refused.items()
        }

    def _at(
        self, server: "Server", ones: Sequence[Entry | Held], change: Change
    ) -> Iterator[tuple[Subject, str]]:
        """Yield what a server refuses, with its words; the others of a batch are changed."""
        words = change(server, [owner_of(one.observable) for one in ones])
        if not words:
            return
        if len(ones) == 1:
            yield ones[0].observable, words
            return
        half = len(ones) // 2
        yield from self._at(server, ones[:half], change)
        yield from self._at(server, ones[half:], change)
