"""Senders, domains and clients in lookup files of Exim, which sees a change with the next command.

The administrator names them in an ACL, once; docs/outputs/exim.md has the lines.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import ClassVar, Final, Literal, Self

from pydantic import field_validator

from connector.adapter import (
    Entry,
    Field,
    FieldSpec,
    FieldValue,
    FilePath,
    Held,
    ListAdapter,
    Observable,
    Outcome,
    Outcomes,
    OutputContext,
    Refused,
    Settings,
    Subject,
    Text,
)

from .keys import MAPS, MapName, keys_of, map_of, observable_in
from .maps import CdbMap, LinesMap, Map

__all__ = ["EximAdapter", "EximSettings"]

_LONGEST_TEXT: Final = 80
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9 ._:/-]+")


class EximSettings(Settings):
    """Where the maps are, and of which kind."""

    folder: FilePath = Field(description="Folder of the maps, such as /etc/exim4/connector.")
    maps: tuple[MapName, ...] = Field(
        tuple(MAPS),
        min_length=1,
        description="Maps to keep, each for its types: senders (email-addr), domains "
        "(domain-name), clients (ipv4-addr, ipv6-addr).",
    )
    type: Literal["lsearch", "cdb"] = Field(
        "lsearch",
        description="lsearch: text, which Exim walks through at each look-up; cdb: senders and "
        "domains as constant databases, for more than 50,000. Clients are text in both.",
    )

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """Each of the maps."""
        return frozenset(map(self.place_of, self.maps))

    def place_of(self, name: MapName) -> tuple[object, ...]:
        """Return where one map is."""
        return ("exim map", self.path_of(name))

    def path_of(self, name: MapName) -> FilePath:
        """Return the file of one map."""
        cdb = self.type == "cdb" and name != "clients"
        return self.folder / (f"{name}.cdb" if cdb else name)

    def narrowed(self, places: Collection[tuple[object, ...]]) -> Self | None:
        """Return the options for some of the maps."""
        kept = tuple(name for name in self.maps if self.place_of(name) in places)
        return self.model_copy(update={"maps": kept}) if kept else None

    @field_validator("maps")
    @classmethod
    def _each_once(cls, maps: tuple[MapName, ...]) -> tuple[MapName, ...]:
        if len(set(maps)) < len(maps):
            raise ValueError("should name each map once")
        return maps


class EximAdapter(ListAdapter[EximSettings]):
    """Keeps maps that are ours alone.

    A blocked sender may see the field `text`, so no mapping fills it by default.
    """

    settings_type = EximSettings
    supports = frozenset(kind for kinds in MAPS.values() for kind in kinds)
    fields: ClassVar[Mapping[str, FieldSpec]] = {"text": Text(max_length=_LONGEST_TEXT)}

    def __init__(self, settings: EximSettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        self._maps: dict[MapName, Map] = {}
        for name in settings.maps:
            path = settings.path_of(name)
            self._maps[name] = CdbMap(path) if path.suffix == ".cdb" else LinesMap(path)

    def accepts(self, observable: Observable) -> bool:
        """Return whether there is a map for this observable."""
        return map_of(observable.type) in self._maps

    def as_held(self, entry: Entry) -> Entry:
        """Return the entry with its text as the map has it."""
        return Entry(entry.observable, _fields(_plain(entry)))

    def stamp(self) -> str:
        """Return what tells the maps from any others in their place."""
        return ", ".join(one.stamp() for one in self._maps.values())

    def read(self) -> Iterable[Held]:
        """Yield the entries of the maps."""
        for name, one in self._maps.items():
            for key, text in one.pairs():
                if (observable := observable_in(name, key)) is not None:
                    yield Held(observable, _fields(text))

    def publish(self, entries: Iterable[Entry]) -> Outcomes:
        """Replace the maps, each in one step."""
        refused: dict[Subject, Outcome] = {}
        wanted: dict[MapName, dict[str, str]] = {name: {} for name in self._maps}
        for entry in entries:
            name, keys = map_of(entry.type), keys_of(entry.observable)
            if name not in self._maps:
                refused[entry.observable] = Refused(f"the options name no map for {entry.type}")
            elif not keys:
                refused[entry.observable] = Refused(f"is no {entry.type} that a map can have")
            else:
                wanted[name] |= dict.fromkeys(keys, _plain(entry))
        for name, one in self._maps.items():
            one.replace(wanted[name].items())
        return refused


def _plain(entry: Entry) -> str:
    """Return its text reduced to what is harmless even if Exim expands it."""
    text = str(entry.fields.get("text", ""))
    return " ".join(_UNSAFE.sub(" ", text).split())[:_LONGEST_TEXT].rstrip()


def _fields(text: str) -> Mapping[str, FieldValue]:
    return MappingProxyType({"text": text} if text else {})
