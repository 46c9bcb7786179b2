"""Multimaps of Rspamd: files that it watches, lists that it fetches, or hashes in its Redis.

The administrator names them in multimap.conf, once; docs/outputs/rspamd.md has the lines.
"""

from collections.abc import Collection, Iterable
from typing import Final, Literal, Self

from pydantic import field_validator, model_validator

from connector.adapter import (
    Entry,
    Field,
    FilePath,
    Held,
    ListAdapter,
    Observable,
    Outcome,
    Outcomes,
    OutputContext,
    PublishedName,
    RedisServer,
    RedisUrl,
    Refused,
    Subject,
    TlsSettings,
    failures_typed,
)

from .files import MapFiles
from .hashes import MapHashes
from .keys import MAPS, MapName, map_of, observable_in, why_not

__all__ = ["RspamdAdapter", "RspamdSettings"]

_OF_MODES: Final = {"folder": "file", "url": "redis"}
_FOLDER_MODE: Final = 0o750


class RspamdSettings(TlsSettings):
    """Where the maps are; `auth` and `ca` are for Redis."""

    mode: Literal["file", "http", "redis"] = Field(
        "file",
        description="file: files that Rspamd watches; http: files below publish_folder that it "
        "fetches from our list server; redis: hashes that it asks.",
    )
    maps: tuple[MapName, ...] = Field(
        tuple(MAPS),
        min_length=1,
        description="Maps to keep, each for its types: senders (email-addr), domains "
        "(domain-name), addresses, urls, hashes (file-md5 to file-sha512), subjects, file_names.",
    )
    folder: FilePath | None = Field(
        None, description="With mode file, folder of the files, such as /etc/rspamd/connector."
    )
    name: PublishedName = Field(
        "rspamd", description="With mode http, folder of the files below publish_folder."
    )
    url: RedisUrl | None = Field(
        None,
        description="With mode redis, the Redis of Rspamd: `rediss://HOST:PORT/DB`, "
        "`redis://HOST:PORT/DB` or `unix:///PATH?db=DB`.",
    )
    key: str = Field(
        "connector:rspamd",
        pattern=r"^[A-Za-z0-9{][A-Za-z0-9_.:{}-]{0,99}$",
        description="With mode redis, start of the hashes, such as `connector:rspamd:senders`.",
    )

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """Each of the maps."""
        return frozenset(map(self.place_of, self.maps))

    def place_of(self, name: MapName) -> tuple[object, ...]:
        """Return where one map is."""
        if self.url is not None:
            return ("redis keys", *RedisServer.place(self.url), f"{self.key}:{name}")
        if self.folder is not None:
            return ("rspamd map", self.folder / f"{name}.map")
        return ("published file", f"{self.name}/{name}.map")

    def narrowed(self, places: Collection[tuple[object, ...]]) -> Self | None:
        """Return the options for some of the maps."""
        kept = tuple(name for name in self.maps if self.place_of(name) in places)
        return self.model_copy(update={"maps": kept}) if kept else None

    @property
    def credentials_are_for(self) -> object:
        """The Redis: a password for it is shown to no other."""
        return None if self.url is None else RedisServer.place(self.url)[:-1]

    @field_validator("maps")
    @classmethod
    def _each_once(cls, maps: tuple[MapName, ...]) -> tuple[MapName, ...]:
        if len(set(maps)) < len(maps):
            raise ValueError("should name each map once")
        return maps

    @model_validator(mode="after")
    def _of_the_mode(self) -> Self:
        for option, mode in _OF_MODES.items():
            if self.mode == mode and getattr(self, option) is None:
                raise ValueError(f"mode {mode} needs the option {option}")
            if self.mode != mode and getattr(self, option) is not None:
                raise ValueError(
                    f"{option} is an option of mode {mode}, and the mode is {self.mode}"
                )
        return self


class RspamdAdapter(ListAdapter[RspamdSettings]):
    """Keeps maps that are ours alone; Rspamd sees a change by itself, and needs no reload."""

    settings_type = RspamdSettings
    supports = frozenset(kind for kinds in MAPS.values() for kind in kinds)

    def __init__(self, settings: RspamdSettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        self._published = None
        if settings.url is not None:
            server = RedisServer(settings.url, settings.auth, lambda: context.tls)
            keys = {name: f"{settings.key}:{name}" for name in settings.maps}
            self._maps: MapFiles | MapHashes = MapHashes(server, keys)
            return
        folder = settings.folder
        if folder is None:
            folder = self._published = context.publish_folder / settings.name
        self._maps = MapFiles({name: folder / f"{name}.map" for name in settings.maps})

    def accepts(self, observable: Observable) -> bool:
        """Return whether there is a map for this observable."""
        return map_of(observable.type) in self.settings.maps

    def known_as(self) -> Collection[str]:
        """Return the hashes by the server that has them; files are known by their path."""
        return self._maps.known_as()

    def stamp(self) -> str:
        """Return what tells the maps from any others in their place."""
        return self._maps.stamp()

    def read(self) -> Iterable[Held]:
        """Yield the entries of the maps."""
        for name, key, fields in self._maps.rows():
            yield Held(observable_in(name, key), fields)

    def publish(self, entries: Iterable[Entry]) -> Outcomes:
        """Replace the maps: files one after the other, hashes in one transaction."""
        refused: dict[Subject, Outcome] = {}
        if self._published is not None:
            with failures_typed(self._published):
                self._published.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
        with self._maps.draft() as draft:
            for one in (entry.observable for entry in entries):
                name = map_of(one.type)
                if name not in self.settings.maps:
                    refused[one] = Refused(f"the options name no map for {one.type}")
                elif words := why_not(one, in_redis=self.settings.mode == "redis"):
                    refused[one] = Refused(words)
                else:
                    draft.put(name, one)
            return {**refused, **draft.publish()}

    def close(self) -> None:
        """Close the connection, where there is one."""
        self._maps.close()
