"""Addresses, prefixes and endpoints in ipsets of the running Linux kernel, and a file for its boot.

The administrator's rules name the sets, once; docs/outputs/ipset.md has the lines.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Final, Self

from pydantic import PrivateAttr

from connector.adapter import (
    ADDRESSES,
    Entry,
    Field,
    FieldValue,
    FilePath,
    Held,
    ListAdapter,
    Observable,
    ObservableType,
    Outcome,
    Outcomes,
    OutputContext,
    Refused,
    Settings,
    Subject,
    TextFile,
    held_twice,
)

from .program import Ipset
from .sets import KINDS, LARGEST, SetKind, place

__all__ = ["IpsetAdapter", "IpsetSettings"]

_SMALL: Final = 5_000  # elements of a set that is looked at as a whole in each cycle
_NO_FIELDS: Final[Mapping[str, FieldValue]] = {}


class IpsetSettings(Settings):
    """Which sets are ours, and the file that a machine starts with."""

    set: str = Field(
        "connector",
        pattern=r"^[a-zA-Z][a-zA-Z0-9_]{0,17}$",
        description="Beginning of the names of our sets: SET_v4, SET_v6, SET_v4_port, SET_v6_port.",
    )
    file: FilePath = Field(
        description="File of the same sets for `ipset restore`, which the machine's start loads "
        "before the network is up."
    )
    netns: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="Named network namespace (ip netns), instead of that of the service.",
    )
    ipset: Path = Field(Path("ipset"), description="The ipset command.")

    # Of a place that was left: what of it no output keeps any more.
    _only: frozenset[tuple[object, ...]] = PrivateAttr(default=frozenset())

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """The sets, and the file."""
        return self._only or frozenset({self._sets, self._on_disk})

    @property
    def _sets(self) -> tuple[object, ...]:
        return ("ipset", self.netns, self.set)

    @property
    def _on_disk(self) -> tuple[object, ...]:
        return ("ipset file", self.file)

    @property
    def has_sets(self) -> bool:
        """Whether the sets of the kernel are of this place."""
        return self._sets in self.places

    @property
    def has_file(self) -> bool:
        """Whether the file is of this place."""
        return self._on_disk in self.places

    def narrowed(self, places: Collection[tuple[object, ...]]) -> Self | None:
        """Return the options for the sets alone, or for the file alone."""
        only = self.places.intersection(places)
        if only == self.places:
            return self
        options = self.model_copy()
        options._only = only
        return options if only else None


class IpsetAdapter(ListAdapter[IpsetSettings]):
    """Keeps four sets, which are ours alone, and the file that loads them when the machine starts.

    A packet never meets an empty set: single elements come and go, and a set is made anew aside.
    """

    settings_type = IpsetSettings
    supports = frozenset({*ADDRESSES, ObservableType.ENDPOINT})
    capacity = LARGEST

    def __init__(self, settings: IpsetSettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        self._file = TextFile(settings.file)
        self._ipset = Ipset(settings.ipset, settings.netns)

    def accepts(self, observable: Observable) -> bool:
        """Return whether a set can have this observable."""
        try:
            return bool(place(observable))
        except ValueError:
            return False

    def pools(self) -> dict[str, int | None]:
        """Return how much each set may have."""
        return {kind.name(self.settings.set): LARGEST for kind in KINDS}

    def pool_of(self, observable: Observable) -> str:
        """Return the set that an observable belongs to."""
        kind, _element = place(observable)
        return kind.name(self.settings.set)

    def known_as(self) -> Collection[str]:
        """Return the sets as the kernel describes them, each with its seed."""
        if not self.settings.has_sets:
            return ()
        there = (self._ipset.about(kind.name(self.settings.set)) for kind in KINDS)
        return [about.text for about in there if about.exists]

    def stamp(self) -> str:
        """Return what tells our sets and their file from any others: each set has a seed."""
        told = [self._file.stamp()] if self.settings.has_file else []
        for kind in KINDS if self.settings.has_sets else ():
            name = kind.name(self.settings.set)
            about = self._ipset.about(name)
            told.append(about.text)
            if about.entries <= _SMALL:
                told += sorted(self._ipset.elements(name)) if about.entries else ()
        return blake2b("\n".join(told).encode(), digest_size=16).hexdigest()

    def read(self) -> Iterable[Held]:
        """Yield what the sets and the file have; `where` shows what one of them alone has."""
        on_disk = self._on_disk()
        for kind in KINDS:
            running = self._running(kind) if self.settings.has_sets else on_disk[kind]
            there = on_disk[kind] if self.settings.has_file else running
            yield from held_twice(
                dict.fromkeys(running, _NO_FIELDS),
                dict.fromkeys(there, _NO_FIELDS),
                kind.observable,
            )

    def publish(self, entries: Iterable[Entry]) -> Outcomes:
        """Write the file that a machine starts with, in one step."""
        refused: dict[Subject, Outcome] = {}
        if not self.settings.has_file:
            return refused
        with self._file.draft() as draft:
            for kind in KINDS:
                name = kind.name(self.settings.set)
                draft.write([kind.create(name), f"flush {name}"])
            draft.write(self._lines(entries, refused))
            draft.publish()
        return refused

    def _lines(self, entries: Iterable[Entry], refused: dict[Subject, Outcome]) -> Iterator[str]:
        adding = {kind: f"add {kind.name(self.settings.set)} " for kind in KINDS}
        for entry in entries:
            try:
                kind, element = place(entry.observable)
            except ValueError as error:
                refused[entry.observable] = Refused(str(error))
            else:
                yield adding[kind] + element

    def activate(self) -> None:
        """Give the kernel what the file has: single elements, or a new set in place of the old."""
        wanted = self._on_disk()
        for kind in KINDS if self.settings.has_sets else ():
            name = kind.name(self.settings.set)
            if self._ipset.about(name).is_like(kind):
                self._change(kind, name, wanted[kind])
            else:
                self._make_anew(kind, name, wanted[kind])

    def _change(self, kind: SetKind, name: str, wanted: set[str]) -> None:
        """Add before anything is removed: what a prefix takes over from its hosts stays stopped.

        To add what is there as an exception makes an element of it.
        """
        running = self._running(kind)
        coming = (f"add {name} {element}" for element in wanted - running)
        others = {element.partition(" ")[0] for element in running - wanted}
        going = (f"del {name} {element}" for element in others - wanted)
        self._ipset.restore(chain(coming, going))

    def _make_anew(self, kind: SetKind, name: str, wanted: set[str]) -> None:
        """Fill a set aside and swap the two: rules that name the set go on with the new one."""
        aside = f"{name}_new"
        if self._ipset.about(aside).exists:
            self._ipset.restore([f"destroy {aside}"])
        if not self._ipset.about(name).exists:
            self._ipset.restore([kind.create(name)])
        self._ipset.restore(
            chain(
                [kind.create(aside)],
                (f"add {aside} {element}" for element in wanted),
                [f"swap {aside} {name}", f"destroy {aside}"],
            )
        )

    def _running(self, kind: SetKind) -> set[str]:
        """Return the elements of a set in our spelling; others' stay as they are."""
        return set(map(kind.respell, self._ipset.elements(kind.name(self.settings.set))))

    def _on_disk(self) -> dict[SetKind, set[str]]:
        by_name = {kind.name(self.settings.set): kind for kind in KINDS}
        found: dict[SetKind, set[str]] = {kind: set() for kind in KINDS}
        for line in self._file.lines() if self.settings.has_file else ():
            verb, _, rest = line.partition(" ")
            name, _, element = rest.partition(" ")
            if verb == "add" and name in by_name:
                found[by_name[name]].add(element)
        return found
