"""Addresses, prefixes and endpoints in named sets of the running Linux kernel (nftables)."""

import errno
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeVar

from connector.adapter import (
    ALL_WRITTEN,
    NEEDS_NET_ADMIN,
    Batch,
    Command,
    Entry,
    EntryAdapter,
    Field,
    FieldValue,
    Held,
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
)

from .command import run_transaction
from .frame import Frame, Names, Wish, survey
from .kinds import V4, V6, SetKind, place
from .netlink import Kernel, namespace_number

__all__ = ["NftablesAdapter", "NftablesSettings"]

T = TypeVar("T")
_Placed = dict[SetKind, list[str]]
_FAMILY_VERSIONS = {"inet": (V4, V6), "ip": (V4,), "ip6": (V6,)}


class NftablesSettings(Settings):
    """Where the sets are, and what happens to packets that match them."""

    family: Literal["inet", "ip", "ip6"] = Field("inet", description="Family of the table.")
    table: str = Field(
        "connector",
        pattern=r"^[a-zA-Z][a-zA-Z0-9_]{0,30}$",
        description="Table of our sets; created when it does not exist.",
    )
    set: str = Field(
        "blocklist",
        pattern=r"^[a-zA-Z][a-zA-Z0-9_]{0,20}$",
        description="Beginning of the names of our sets and chains; each output needs its own.",
    )
    drop: bool = Field(
        True,
        description="Drop packets from and to listed addresses. Otherwise the administrator adds "
        "the rules of the chain SET_hit, and the jumps to SET_from and SET_to.",
    )
    hooks: tuple[Literal["input", "forward", "output"], ...] = Field(
        ("input", "forward", "output"), min_length=1, description="Where packets are dropped."
    )
    priority: int = Field(
        -10, ge=-400, le=400, description="Priority of our base chains; the usual filter has 0."
    )
    netns: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="Named network namespace (ip netns), instead of that of the service.",
    )
    nft: Path = Field(Path("nft"), description="The nft command.")

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """The sets, whatever happens to packets that match them."""
        return frozenset({("nftables set", self.netns, self.family, self.table, self.set)})


class NftablesAdapter(EntryAdapter[NftablesSettings]):
    """Keeps named sets in a table of its own; only the kernel stores them."""

    settings_type = NftablesSettings
    supports = frozenset(
        {ObservableType.IPV4_ADDR, ObservableType.IPV6_ADDR, ObservableType.ENDPOINT}
    )
    batch = Batch(entries=20_000)

    def __init__(self, settings: NftablesSettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        self._nft = Command(settings.nft, package="nftables", option="nft", netns=settings.netns)

    @property
    def _names(self) -> Names:
        return Names(self.settings.family, self.settings.table, self.settings.set)

    @property
    def _wish(self) -> Wish:
        return Wish(self.settings.hooks if self.settings.drop else (), self.settings.priority)

    def accepts(self, observable: Observable) -> bool:
        """Return whether a table of this family has a set for this observable."""
        try:
            kind, _element = place(observable)
        except ValueError:
            return False
        return self._fits(kind)

    def stamp(self) -> str:
        """Return the ruleset's generation in this network namespace: any flush or change raises it.

        So does a change of anybody's other rules; then nothing but our sets is read.
        """
        with self._kernel() as kernel:
            return f"{namespace_number(self.settings.netns)} {kernel.generation()}"

    def read(self) -> Iterable[Held]:
        """Return the elements of our sets; the field `enforced` marks those that no rule uses."""
        with self._kernel() as kernel:
            frame = survey(kernel, self._names)
            enforced = frame.enforced(self._wish, self._names)
            held = [(kind, self._keys(kernel, kind), kind in enforced) for kind in frame.kinds]
        return (entry for kind, keys, real in held for entry in _entries(kind, keys, real))

    def holds(self, observables: Collection[Observable]) -> list[Held]:
        """Return the observables that have an element of their own in our sets.

        A prefix that covers an address is in another set and does not count.
        """
        asked: dict[SetKind, dict[bytes, Observable]] = defaultdict(dict)
        for observable in observables:
            if self.accepts(observable):
                kind, element = place(observable)
                asked[kind][kind.key(element)] = observable
        found: list[Held] = []
        with self._kernel() as kernel:
            for kind in survey(kernel, self._names).kinds & asked.keys():
                found.extend(map(Held, self._there(kernel, kind, asked[kind])))
        return found

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        """Add elements in one transaction, with any missing table, sets and rules."""
        placed, refused = self._sort_into_sets(entries)
        if placed:
            names = self._names
            repairs = self._frame().repairs(frozenset(placed), self._wish, names)
            self._run([*repairs, *_commands("add", placed, names)], placed)
        return refused

    def remove(self, held: Sequence[Held]) -> Outcomes:
        """Remove elements in one transaction; an entry that fits no set is in none."""
        placed, _nowhere = self._sort_into_sets(held)
        names = self._names
        present: _Placed = {}
        with self._kernel() as kernel:
            for kind in survey(kernel, names).kinds & placed.keys():
                by_key = {kind.key(element): element for element in placed[kind]}
                if there := self._there(kernel, kind, by_key):
                    present[kind] = there
        # Deleting an absent element would void the whole transaction, so each is added first: it
        # may have gone since. Adding all absent ones could exceed the size of a full set.
        commands = [*_commands("add", present, names), *_commands("delete", present, names)]
        if commands:
            self._run(commands, present)
        return ALL_WRITTEN

    def _sort_into_sets(self, entries: Sequence[Entry | Held]) -> tuple[_Placed, Outcomes]:
        placed: _Placed = defaultdict(list)
        refused: dict[Subject, Outcome] = {}
        for entry in entries:
            try:
                kind, element = place(entry.observable)
            except ValueError as error:
                refused[entry.observable] = Refused(str(error))
                continue
            if self._fits(kind):
                placed[kind].append(element)
            else:
                words = f"has no set in a table of family {self.settings.family}"
                refused[entry.observable] = Refused(words)
        return placed, refused

    def _fits(self, kind: SetKind) -> bool:
        return kind.version in _FAMILY_VERSIONS[self.settings.family]

    def _keys(self, kernel: Kernel, kind: SetKind) -> AbstractSet[bytes]:
        return kernel.elements(self.settings.table, self._names.of(kind.suffix))

    def _there(self, kernel: Kernel, kind: SetKind, by_key: Mapping[bytes, T]) -> list[T]:
        """Return the values of those keys that have an element in our set."""
        keys = kernel.present(self.settings.table, self._names.of(kind.suffix), by_key)
        return [by_key[key] for key in by_key if key in keys]

    def _frame(self) -> Frame:
        with self._kernel() as kernel:
            return survey(kernel, self._names)

    @contextmanager
    def _kernel(self) -> Iterator[Kernel]:
        try:
            with Kernel(self.settings.family, self.settings.netns) as kernel:
                yield kernel
        except PermissionError:
            raise RefusedError(f"nftables: {NEEDS_NET_ADMIN}") from None
        except OSError as error:
            if error.errno == errno.ENOENT and error.filename:
                raise UnavailableError(
                    f"nftables: no network namespace {self.settings.netns}; create it with "
                    "`ip netns add`, or correct the option netns"
                ) from None
            raise UnavailableError(f"nftables: cannot read the ruleset: {error}") from error

    def _run(self, commands: Sequence[str], placed: _Placed) -> None:
        count = sum(map(len, placed.values()))
        script = "\n".join(commands) + "\n"
        run_transaction(self._nft, script, count)


def _entries(kind: SetKind, keys: AbstractSet[bytes], enforced: bool) -> Iterator[Held]:
    observable_of = kind.reader()
    # It differs from what was written, so the core writes it again, and `add` repairs the rules.
    fields: dict[str, FieldValue] = {} if enforced else {"enforced": False}
    return (Held(observable_of(key), fields) for key in keys)


def _commands(verb: str, placed: _Placed, names: Names) -> Iterator[str]:
    for kind, elements in placed.items():
        listed = ", ".join(elements)
        yield f"{verb} element {names.path} {names.of(kind.suffix)} {{ {listed} }}"
