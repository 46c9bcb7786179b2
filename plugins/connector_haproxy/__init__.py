"""Addresses and names in maps of a running HAProxy, and in the files that it starts with.

The administrator names the maps in haproxy.cfg, once; docs/outputs/haproxy.md has the lines.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from pydantic import PrivateAttr, model_validator

from connector.adapter import (
    ADDRESSES,
    Entry,
    Field,
    FieldSpec,
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
    Text,
    TextFile,
    held_twice,
    observable_of,
)

from .runtime import Runtime

__all__ = ["HaproxyAdapter", "HaproxySettings"]

_LONGEST_REASON: Final = 80
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9 ._:/-]+")
_NO_REASON: Final = "listed"
_SMALL: Final = 1 << 19  # bytes of a file whose map is looked at as a whole in each cycle


class HaproxySettings(Settings):
    """Where HAProxy is, and which of its maps are ours."""

    socket: FilePath = Field(
        description="Path of a `stats socket` that the service's user may use."
    )
    addresses: FilePath | None = Field(
        None, description="Map of addresses and prefixes, as haproxy.cfg names it in map_ip(...)."
    )
    names: FilePath | None = Field(
        None, description="Map of host names that mean just that name, in map_str(...)."
    )
    names_below: FilePath | None = Field(
        None,
        description="Map of domains that mean every name below them, in map_str(...) for each "
        "parent of a host name.",
    )

    @property
    def maps(self) -> Mapping[str, FilePath]:
        """The maps that are named, by option."""
        found = {"addresses": self.addresses, "names": self.names, "names_below": self.names_below}
        return {option: path for option, path in found.items() if path is not None}

    # Of a place that was left: maps whose files are kept by now for another HAProxy.
    _without_file: frozenset[Path] = PrivateAttr(default=frozenset())

    @property
    def places_by_option(self) -> Mapping[str, tuple[object, ...]]:
        """Each of the maps, in the HAProxy at that socket."""
        return {option: ("haproxy map", self.socket, path) for option, path in self.maps.items()}

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """The maps, and the files that HAProxy starts with: another one may read the same."""
        files = (_on_disk(path) for path in self.maps.values() if self.has_file(path))
        return frozenset((*self.places_by_option.values(), *files))

    def narrowed(self, places: Collection[tuple[object, ...]]) -> Self | None:
        """Return the options for some of the maps, each with or without its file."""
        options = super().narrowed(places)
        if options is not None and options is not self:
            kept = (path for path in options.maps.values() if _on_disk(path) not in places)
            options._without_file = frozenset(kept)
        return options

    def has_file(self, path: Path) -> bool:
        """Return whether the file of a map is of this place as well."""
        return path not in self._without_file

    @model_validator(mode="after")
    def _check_maps(self) -> Self:
        if not self.maps:
            raise ValueError("name at least one map: addresses, names or names_below")
        if len(set(self.maps.values())) < len(self.maps):
            raise ValueError("addresses, names and names_below should be different maps")
        if wrong := [path for path in self.maps.values() if re.search(r"[\s;\\\"'#]", str(path))]:
            raise ValueError(f"{wrong[0]}: a map's path should have no spaces, quotes, `;` or `#`")
        return self


def _on_disk(path: Path) -> tuple[object, ...]:
    return ("haproxy map file", path)


class HaproxyAdapter(ListAdapter[HaproxySettings]):
    """Keeps the maps of one HAProxy, which are ours alone, and the files that it starts with.

    A restart finds the same entries in the files, so nothing is open until the next cycle.
    """

    settings_type = HaproxySettings
    supports = frozenset({*ADDRESSES, ObservableType.DOMAIN_NAME})
    fields: ClassVar[Mapping[str, FieldSpec]] = {"reason": Text(max_length=_LONGEST_REASON)}
    default_mapping: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "reason": {"from": "indicator.id"}
    }

    def __init__(self, settings: HaproxySettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        self._runtime = Runtime(settings.socket)
        self._files = {option: TextFile(path) for option, path in settings.maps.items()}

    def accepts(self, observable: Observable) -> bool:
        """Return whether there is a map for this observable."""
        return observable.type in self.supports and _map_of(observable) in self._files

    def as_held(self, entry: Entry) -> Entry:
        """Return the entry with its reason as the map has it."""
        return Entry(entry.observable, {"reason": _reason(entry)})

    def known_as(self) -> Collection[str]:
        """Return the maps by the process that has them."""
        started = self._runtime.started()
        return [f"{started} {file.path}" for file in self._files.values()]

    def stamp(self) -> str:
        """Return what tells this start of HAProxy, its maps and their files from any others."""
        told = [self._runtime.started()]
        for file in self._files.values():
            name, on_disk = str(file.path), file.stamp()
            told += [on_disk, self._runtime.described(name)]
            if file.size() <= _SMALL:
                there = "\n".join(self._runtime.lines(name)).encode()
                told.append(blake2b(there, digest_size=16).hexdigest())
        return blake2b("\n".join(told).encode(), digest_size=16).hexdigest()

    def read(self) -> Iterable[Held]:
        """Yield what maps and files have; the field `where` shows what is in one of them alone."""
        for option, file in self._files.items():
            running = _pairs(line.partition(" ")[2] for line in self._runtime.lines(str(file.path)))
            kept = self.settings.has_file(file.path)
            on_disk = _pairs(file.lines()) if kept else running
            yield from held_twice(running, on_disk, partial(_observable, option))

    def publish(self, entries: Iterable[Entry]) -> Outcomes:
        """Write the files that HAProxy starts with, each in one step."""
        refused: dict[Subject, Outcome] = {}
        with ExitStack() as opened:
            drafts = {
                option: opened.enter_context(file.draft())
                for option, file in self._files.items()
                if self.settings.has_file(file.path)
            }
            for entry in entries:
                one = entry.observable
                if observable_of(one.type, one.value) != one or not self.accepts(one):
                    refused[one] = Refused(f"is no {one.type} that a map of HAProxy can have")
                    continue
                drafts[_map_of(one)].write([f"{_key(one)} {_reason(entry)}"])
            for draft in drafts.values():
                draft.publish()
        return refused

    def activate(self) -> None:
        """Give the running HAProxy the same maps, each in one step."""
        for file in self._files.values():
            lines = file.lines() if self.settings.has_file(file.path) else ()
            self._runtime.replace(str(file.path), lines)


def _map_of(one: Observable) -> str:
    if one.type in ADDRESSES:
        return "addresses"
    return "names_below" if one.below else "names"


def _key(one: Observable) -> str:
    return one.value.removeprefix("*.")


def _reason(entry: Entry) -> str:
    """Return the reason reduced to what is harmless in a line; a map has no entry without one."""
    text = str(entry.fields.get("reason", ""))
    return " ".join(_UNSAFE.sub(" ", text).split())[:_LONGEST_REASON].rstrip() or _NO_REASON


def _pairs(lines: Iterable[str]) -> dict[str, Mapping[str, FieldValue]]:
    """Return reasons by key; of a key that is there twice, that nothing of ours reads so."""
    found: dict[str, Mapping[str, FieldValue]] = {}
    for line in lines:
        key, _, value = line.strip().partition(" ")
        found[key] = {"reason": "twice" if key in found else value.strip()}
    return found


def _observable(option: str, key: str) -> Observable:
    """Return what a key means; one that means nothing here is a text, which no list of ours has."""
    if option == "addresses":
        found = observable_of(ObservableType.IPV4_ADDR, key)
    else:
        text = f"*.{key}" if option == "names_below" else key
        found = observable_of(ObservableType.DOMAIN_NAME, text)
    return found or Observable(ObservableType.MUTEX, key)
