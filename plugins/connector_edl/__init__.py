"""External dynamic list (EDL): a text file that a firewall or a proxy polls."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from typing import ClassVar, Final

from connector.adapter import (
    Draft,
    Entry,
    FieldSpec,
    Held,
    ListAdapter,
    Number,
    Observable,
    ObservableType,
    Outcome,
    Outcomes,
    OutputContext,
    Published,
    Refused,
    Subject,
    Text,
    failures_typed,
)
from connector_edl import record
from connector_edl.capacity import room_of
from connector_edl.dialect import Empty, Lines, NotWritableError, comment
from connector_edl.dialects import Format
from connector_edl.found import entry_on
from connector_edl.settings import EdlSettings
from connector_edl.stix import found_in, write_bundle
from connector_edl.tables import csv_head, csv_row

__all__ = ["EdlAdapter", "EdlSettings", "Empty", "Format"]

_PAGE: Final = 10_000
_SENTINELS: Final = {
    ObservableType.IPV4_ADDR: "192.0.2.1",
    ObservableType.IPV6_ADDR: "2001:db8::1",
    ObservableType.ENDPOINT: "192.0.2.1:9/tcp",
    ObservableType.DOMAIN_NAME: "empty.invalid",
    ObservableType.URL: "http://empty.invalid/",
    ObservableType.EMAIL_ADDR: "nobody@empty.invalid",
    ObservableType.AUTONOMOUS_SYSTEM: "64496",
    ObservableType.FILE_MD5: "f" * 32,
    ObservableType.FILE_SHA1: "f" * 40,
    ObservableType.FILE_SHA256: "f" * 64,
    ObservableType.FILE_SHA512: "f" * 128,
    ObservableType.X509_SHA1: "f" * 40,
    ObservableType.X509_SHA256: "f" * 64,
    ObservableType.REGISTRY_KEY: "HKEY_CURRENT_USER\\empty list",
}
_NO_TEXT: Final = "empty list"


class EdlAdapter(ListAdapter[EdlSettings]):
    """Publishes a list as a text file, for the list server or any web server to serve."""

    settings_type = EdlSettings
    supports = frozenset(ObservableType)
    fields: ClassVar[Mapping[str, FieldSpec]] = {
        "severity": Text(),
        "confidence": Text(),
        "name": Text(),
        "indicator": Text(),
        "producer": Text(),
        "marking": Text(),
        "valid_from": Text(),
        "valid_until": Text(),
        "comment": Text(),
        "source": Text(),
        "reference": Text(),
        "score": Number(1, 127),
        "category": Number(1, 59),
    }

    def __init__(self, settings: EdlSettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        self._published = Published(
            self.context.publish_folder / settings.file, checksum=settings.dialect.checksum
        )
        self._types = settings.family(self.context.types)
        self._dialect = settings.dialect
        self._lacks = self._dialect.lacks
        self._writers = {
            kind: write for kind, write in self._dialect.writers.items() if kind in self._types
        }
        self._complete, self._arrange = self._dialect.complete, settings.arranged(self._types)
        self._form, self._head = settings.form, self._dialect.head
        if self._dialect.tabular:
            columns = self.context.mapped
            self._head = csv_head(columns)
            self._complete = partial(csv_row, columns=columns)
            self._form = " ".join([self._form, *columns])

    def accepts(self, observable: Observable) -> bool:
        """Return whether this file accepts the observable's type, and has a line for its like."""
        if observable.type not in self._types:
            return False
        return self._lacks is None or not self._lacks(observable)

    def pools(self) -> Mapping[str, int | None]:
        """Return how many entries the device holds, where that is known."""
        device = self.settings.device
        return {"": None if device is None else room_of(device, self._types)}

    def doubts(self) -> Sequence[str]:
        """Return a warning where the list may have types that this file silently leaves out."""
        if self.settings.types is not None or self.context.types <= self._types:
            return ()
        return (
            "types: a file has one family of types, because its lines do not name theirs. Its list "
            f"may also have {_counted(self.context.types - self._types)}, which are counted as "
            f"unsupported_type; only {' and '.join(sorted(self._types))} are written. Set "
            f"`types: [{', '.join(sorted(self._types))}]` to confirm, or choose others",
        )

    def stamp(self) -> str:
        """Return what tells the file from any other in its place."""
        return self._published.stamp()

    def read(self) -> Iterator[Held]:
        """Yield the entries of the file: from its record while the file is as we left it."""
        with failures_typed(self._published.path):
            digest = self._published.digest()
            if digest is None:
                return
            own = self._published.record(digest)
            form = record.form_of(own)
            if form is not None and not self._published.sums_up():
                form = f"{form} without its checksum"
            if form == self._form:
                yield from map(_held, record.entries(own))
            elif form is None:
                yield from map(_held, self._found())
            else:
                # The entries are there, written with options that have changed since: each differs,
                # so the file is rewritten.
                written = {"comment": f"written as {form}"}
                yield from (Held(entry.observable, written) for entry in record.entries(own))

    def publish(self, entries: Iterable[Entry]) -> Outcomes:
        """Replace the file and its record; the device sees either the old list or the new one."""
        if self._dialect.objects:
            return self._publish_bundle(entries)
        refused: dict[Subject, Outcome] = {}
        seen: set[str] | None = set() if self._dialect.folds(self._types) else None
        entries, arranged = self._arranged(entries)
        stream, filled = iter(entries), False
        with failures_typed(self._published.path), Draft(self._published) as draft:
            draft.write(self._head.encode(), record.first_line(self._form).encode())
            while batch := list(islice(stream, _PAGE)):
                lines, records = self._rendered(batch, refused, arranged)
                filled = filled or bool(lines)
                draft.write(
                    _joined(lines if seen is None else _unseen(lines, seen)), _joined(records)
                )
            if not filled:
                draft.write(_joined(self._filler()), b"")
            draft.publish(held_back=not filled and self.settings.when_empty is Empty.HOLD)
        return refused

    def _publish_bundle(self, entries: Iterable[Entry]) -> Outcomes:
        published = self._published
        with failures_typed(published.path), Draft(published) as draft:
            filled, refused = write_bundle(draft, entries, self._form, published)
            draft.publish(held_back=not filled and self.settings.when_empty is Empty.HOLD)
        return refused

    def _arranged(self, entries: Iterable[Entry]) -> tuple[Iterable[Entry], Lines | None]:
        """Return the entries, and the lines of all where one depends on others."""
        if self._arrange is None:
            return entries, None
        entries = list(entries)
        fitting = (entry.observable for entry in entries if entry.type in self._writers)
        return entries, self._arrange(fitting, self.settings.widen)

    def _rendered(
        self, batch: Sequence[Entry], refused: dict[Subject, Outcome], arranged: Lines | None
    ) -> tuple[list[str], list[str]]:
        """Return the lines of a batch for the file and for its record."""
        lines, records = [], []
        line_of, recorded = self._line, record.line_of
        for entry in batch:
            try:
                if line := line_of(entry, arranged):
                    lines.append(line)
            except NotWritableError as refusal:
                refused[entry.observable] = Refused(str(refusal))
            else:
                records.append(recorded(entry))
        return lines, records

    def _line(self, entry: Entry, arranged: Lines | None) -> str:
        """Return the line of an entry, or several; empty where another line covers it."""
        observable = entry.observable
        write = self._writers.get(observable.type)
        if write is None or (self._lacks is not None and self._lacks(observable)):
            raise NotWritableError(f"has type {observable.type}, which this file does not accept")
        line = write(observable.value) if arranged is None else arranged[observable]
        if isinstance(line, NotWritableError):
            raise line
        if self._complete is not None and line:
            return self._complete(line, observable, entry.fields)
        if self.settings.comments and line and (note := _note(entry)):
            return f"{line} {note}"
        return line

    def _filler(self) -> list[str]:
        """Return the lines of an empty list."""
        if self.settings.when_empty is Empty.COMMENT:
            return ["# empty list"]
        if self.settings.when_empty is not Empty.SENTINEL:
            return []
        kind = min(self._writers)
        sentinel = Entry(Observable(kind, _SENTINELS.get(kind, _NO_TEXT)))
        # Nobody has this name, so it may be said wider.
        arranged = self._arrange and self._arrange([sentinel.observable], True)
        return self._line(sentinel, arranged).split("\n")

    def _found(self) -> Iterator[Entry]:
        """Yield the entries of a file that someone else changed: our lines, then theirs."""
        if self._dialect.objects:
            newest = self._published.records()[:1]
            recorded = chain.from_iterable(map(record.entries, newest))
            yield from found_in(self._published.path, recorded)
            return
        text = self._published.path.read_bytes().decode("utf-8", "replace")
        lines = dict.fromkeys(text.split("\n"))
        shown: set[tuple[ObservableType, str]] = set()
        ours = {*self._filler(), *self._head.split("\n")}
        for entry, written in self._recorded():
            if written <= lines.keys():
                ours |= written
                shown.add((entry.type, entry.value))
                yield entry
        for line in [line for line in lines if line not in ours]:
            theirs = entry_on(line, self._dialect, self._types)
            if theirs and (theirs.type, theirs.value) not in shown:
                shown.add((theirs.type, theirs.value))
                yield theirs

    def _recorded(self) -> Iterator[tuple[Entry, set[str]]]:
        """Yield the entries of the newest record, each with the lines that say it.

        Where a line covers several, they stand or fall with all lines of the list.
        """
        for newest in self._published.records()[:1]:
            entries, arranged = self._arranged(record.entries(newest))
            kept = [(entry, self._lines_of(entry, arranged)) for entry in entries]
            every = {line for _, lines in kept for line in lines}
            for entry, lines in kept:
                yield entry, lines or every

    def _lines_of(self, entry: Entry, arranged: Lines | None) -> set[str]:
        try:
            return set(self._line(entry, arranged).split("\n")) - {""}
        except NotWritableError:
            return {_NO_TEXT}


def _counted(types: frozenset[ObservableType]) -> str:
    named = [kind for kind in ObservableType if kind in types]
    return ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")


def _held(entry: Entry) -> Held:
    return Held(entry.observable, entry.fields)


def _note(entry: Entry) -> str:
    said = (str(entry.fields.get(name, "")) for name in ("severity", "comment"))
    return comment(" ".join(said))


def _unseen(lines: list[str], seen: set[str]) -> list[str]:
    fresh = [line for line in dict.fromkeys(lines) if line not in seen]
    seen.update(fresh)
    return fresh


def _joined(lines: list[str]) -> bytes:
    return "".join([f"{line}\n" for line in lines]).encode()
