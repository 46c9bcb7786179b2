"""Entries in a zone file that resolvers on this machine load as a response policy zone."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Final

from connector.adapter import (
    ADDRESSES,
    Command,
    Entry,
    FieldValue,
    Held,
    ListAdapter,
    Observable,
    ObservableType,
    Outcome,
    Outcomes,
    OutputContext,
    Refused,
    Subject,
    TextFile,
    UnavailableError,
    import_extra,
)

from .names import observable_at, owner_of, why_unfit
from .options import ANSWER, RpzSettings, server_of
from .triggers import Records, said

__all__ = ["RpzFileAdapter"]

_SERVED_WITHIN: Final = timedelta(minutes=1)
_HALF: Final = 1 << 31  # serials are compared on a circle (RFC 1982)
_WHOLE: Final = 1 << 32


class RpzFileAdapter(ListAdapter[RpzSettings]):
    """Keeps a zone file, which is ours alone and tested before it is put in place."""

    settings_type = RpzSettings
    supports = frozenset({*ADDRESSES, ObservableType.DOMAIN_NAME})

    def __init__(self, settings: RpzSettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        assert settings.file is not None  # noqa: S101 - the options say so
        self._file = TextFile(settings.file, comment=";")
        self._check = Command(settings.check, package="bind9-utils", option="check")
        # Below this name, each version has one of its own; resolvers know `.invalid` themselves.
        self._mark = f".served.{settings.zone}"
        told = self._told(self._head(0), 0)
        self._fields: dict[str, FieldValue] = {"action": said(settings.records), "head": told}
        if settings.resolvers:
            import_extra("dns", "threat-feed-connector[rpz]")
        self._reload = Command(settings.reload, package="of your resolver", option="reload")

    def as_held(self, entry: Entry) -> Entry:
        """Return the entry with its action, and what the file says of all that it lists."""
        return Entry(entry.observable, self._fields)

    def stamp(self) -> str:
        """Return what tells the file from any other in its place."""
        return self._file.stamp()

    def read(self) -> Iterable[Held]:
        """Yield the triggers of the file; a line that is none is told as a text."""
        found: dict[str, Records] = {}
        head: list[str] = []
        for line in self._file.lines():
            if not found and self._is_head(line):
                head.append(line)
                continue
            owner, kind, data = (*line.split(None, 2), "", "")[:3]
            found[owner] = (*found.get(owner, ()), (kind, data))
        told = self._told(head, self._serial())
        for owner, records in found.items():
            one = observable_at(owner) or Observable(ObservableType.MUTEX, owner)
            yield Held(one, {"action": said(records), "head": told})

    def publish(self, entries: Iterable[Entry]) -> Outcomes:
        """Write the zone in one step, once its test went well; its serial only grows."""
        refused: dict[Subject, Outcome] = {}
        serial = _later(self.context.version % _WHOLE, self._serial())
        with self._file.draft() as draft:
            draft.write(self._head(serial))
            draft.write(self._lines(entries, refused))
            ran = self._check.run(self.settings.zone, draft.seal())
            if not ran.succeeded:
                words = ran.lines[0] if ran.lines else ran.words
                raise UnavailableError(f"{self.settings.check[0]}: {words}")
            draft.publish()
        return refused

    def activate(self) -> None:
        """Have the resolver load the zone, and wait until it answers by it, as the options say."""
        if self.settings.reload:
            ran = self._reload.run()
            if not ran.succeeded:
                raise UnavailableError(f"{' '.join(self.settings.reload)}: {ran.words}")
        if self.settings.resolvers:
            self.context.wait(self._is_served, _SERVED_WITHIN)

    def _is_served(self) -> bool:
        """Return whether each of the resolvers answers by this version of the zone."""
        from .served import has_mark  # noqa: PLC0415 - it needs an extra

        name = f"v{self._serial()}{self._mark}"
        return all(has_mark(server_of(one), name) for one in self.settings.resolvers)

    def _lines(self, entries: Iterable[Entry], refused: dict[Subject, Outcome]) -> Iterator[str]:
        records = [f" {kind} {data}" for kind, data in self.settings.records]
        for entry in entries:
            if words := why_unfit(entry.observable, self.settings.zone):
                refused[entry.observable] = Refused(words)
            else:
                owner = owner_of(entry.observable)
                yield from (owner + record for record in records)

    def _head(self, serial: int) -> Sequence[str]:
        """Return what stands above the entries."""
        ttl = self.settings.ttl
        return (
            f"$ORIGIN {self.settings.zone}.",
            f"$TTL {ttl}",
            f"@ SOA localhost. root.localhost. {serial} 3600 600 86400 {ttl}",
            "@ NS localhost.",
            f"*.v{serial}{self._mark} A {ANSWER}",
        )

    def _is_head(self, line: str) -> bool:
        return line[0] in "$@" or line.partition(" ")[0].endswith(self._mark)

    def _told(self, head: Sequence[str], serial: int) -> str:
        """Return what stands above the entries, but for its serial."""
        text = "; ".join(head)
        return text.replace(f" {serial} 3600 ", " 3600 ").replace(f" *.v{serial}.", " *.")

    def _serial(self) -> int:
        """Return the serial that the file has; 0 where it has none."""
        for line in self._file.lines():
            if line.startswith("@ SOA "):
                words = line.split()
                return int(words[4]) if words[4:] and words[4].isdecimal() else 0
        return 0


def _later(serial: int, last: int) -> int:
    """Return a serial that is later than the last one: this one, or else the next."""
    later = 0 < (serial - last) % _WHOLE < _HALF
    return serial if later else (last + 1) % _WHOLE
