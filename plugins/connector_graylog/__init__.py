"""A lookup of Graylog: a file of keys and labels that its data adapter `dsvhttp` fetches."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar, Final, Self

from pydantic import model_validator

from connector.adapter import (
    ADDRESSES,
    Draft,
    Entry,
    Field,
    FieldSpec,
    Held,
    ListAdapter,
    Observable,
    ObservableType,
    Outcome,
    Outcomes,
    OutputContext,
    Published,
    PublishedName,
    Refused,
    Settings,
    Subject,
    Text,
    failures_typed,
    families_of,
    misreading,
    observable_of,
)

__all__ = ["GraylogAdapter", "GraylogSettings"]

_T: Final = ObservableType
_PAGE: Final = 10_000
# A line is a key, a tab and a label. What ends a line or a column for its reader, and what it
# trims: two keys that are one to it make it refuse the whole file.
_SPLITS: Final = re.compile("[\\x00-\\x1f\\x7f-\\x9f\u2028\u2029]")
_COMMENT: Final = "#"
_HEAD: Final = "# key, tab, label: kept by threat-feed-connector; changes made here are lost\n"
_NO_LABEL: Final = "listed"  # a line that ends with its key is skipped


class GraylogSettings(Settings):
    """The file, and what it has."""

    file: PublishedName = Field(
        description="File below `publish_folder`, which the list server serves as /lists/FILE."
    )
    types: frozenset[ObservableType] | None = Field(
        None,
        min_length=1,
        description="The one family of types in this file, because its keys do not name theirs: "
        "addresses (ipv4-addr, ipv6-addr) or one other type. By default the first family of the "
        "output's `types` or of its list's selection.",
    )

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """The file."""
        return frozenset({("published file", self.file)})

    @model_validator(mode="after")
    def _one_family(self) -> Self:
        if self.types is not None and len(families_of(self.types)) > 1:
            raise ValueError("types should be [ipv4-addr, ipv6-addr] or one other type")
        return self


class GraylogAdapter(ListAdapter[GraylogSettings]):
    """Publishes a list as keys that Graylog looks up, each with a label."""

    settings_type = GraylogSettings
    supports = frozenset(ObservableType)
    fields: ClassVar[Mapping[str, FieldSpec]] = {"label": Text()}
    default_mapping: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "label": {"template": "{feed.name} {indicator.id}"}
    }

    def __init__(self, settings: GraylogSettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        self._types = settings.types or families_of(context.types)[0]
        self._published = Published(context.publish_folder / settings.file)

    def accepts(self, observable: Observable) -> bool:
        """Return whether a lookup finds it: by exactly its key, so no prefix, and no name below."""
        prefix = observable.type in ADDRESSES and "/" in observable.value
        return observable.type in self._types and not (prefix or observable.below)

    def doubts(self) -> Sequence[str]:
        """Return a warning where the list may have types that this file silently leaves out."""
        if self.settings.types is not None or self.context.types <= self._types:
            return ()
        kept = " and ".join(sorted(self._types))
        return (
            f"types: a file has one family of types, as its keys do not name theirs: only {kept} "
            "are written. Set `types` to confirm, or choose others",
        )

    def as_held(self, entry: Entry) -> Entry:
        """Return the entry with its label as the file shows it."""
        return Entry(entry.observable, {"label": _label(entry)})

    def stamp(self) -> str:
        """Return what tells the file from any other in its place."""
        return self._published.stamp()

    def read(self) -> Iterator[Held]:
        """Yield the entries of the file, as its reader finds them."""
        path = self._published.path
        with failures_typed(path):
            try:
                file = path.open(encoding="utf-8", errors="replace", newline="\n")
            except FileNotFoundError:
                return
            with file:
                for line in file:
                    if line.strip() and not line.startswith(_COMMENT):
                        yield self._held(line.removesuffix("\n"))

    def publish(self, entries: Iterable[Entry]) -> Outcomes:
        """Replace the file; Graylog sees either the old list or the new one."""
        refused: dict[Subject, Outcome] = {}
        stream = iter(entries)
        with failures_typed(self._published.path), Draft(self._published) as draft:
            draft.write(_HEAD.encode(), b"")
            while batch := list(islice(stream, _PAGE)):
                lines = []
                for entry in batch:
                    if words := _unfit(entry.observable):
                        refused[entry.observable] = Refused(words)
                    else:
                        lines.append(f"{_key(entry.observable)}\t{_label(entry)}\n")
                draft.write("".join(lines).encode(), b"")
            draft.publish(held_back=False)
        return refused

    def _held(self, line: str) -> Held:
        key, _, label = line.partition("\t")
        kind = min(self._types)
        found = observable_of(kind, key.removeprefix("AS") if kind is _T.AUTONOMOUS_SYSTEM else key)
        return Held(found or Observable(kind, key), {"label": label})


def _key(observable: Observable) -> str:
    bare = observable.type is _T.AUTONOMOUS_SYSTEM
    return f"AS{observable.value}" if bare else observable.value


def _label(entry: Entry) -> str:
    return _SPLITS.sub(" ", str(entry.fields.get("label", ""))).strip() or _NO_LABEL


def _unfit(observable: Observable) -> str | None:
    """Return why a value is no key of its own to the reader; None where it is."""
    key = _key(observable)
    if _SPLITS.search(key):
        return "contains a control character"
    if key.startswith(_COMMENT):
        return "could be read as a comment"
    if key != key.strip():
        return "begins or ends with a space, which the reader drops"
    return misreading(observable.type, key)
