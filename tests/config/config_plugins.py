"""Small adapters and a feed with options of every kind, for tests of the configuration."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from connector.adapter import (
    ALL_WRITTEN,
    Entry,
    EntryAdapter,
    FieldSpec,
    Held,
    ListAdapter,
    ObservableType,
    Outcomes,
    Text,
)
from connector.feed import Collection, Duration, Feed, Field, FilePath, HttpSettings, Page, Settings
from connector.registry import Registry


class PagesSettings(HttpSettings):
    """Options of a feed that is read page by page."""

    url: str = Field(pattern="^https?://", description="Where the pages are.")
    collections: tuple[str, ...] = Field((), description="Which ones to read.")
    page_size: int = Field(100, ge=1, le=1000, description="Objects in a page.")
    verify: bool = Field(True, description="Check each page.")
    window: Duration | None = Field(None, description="How far back the pages reach.")
    either: int | str | None = Field(None, description="A number or its name.")
    odd: int | None = Field(None, multiple_of=2, description="An even number, whatever its name.")


class PagesFeed(Feed[PagesSettings]):
    """Pages from a server."""

    settings_type = PagesSettings

    def collections(self) -> Sequence[Collection]:
        return [Collection(self.settings.url, "all")]

    def pages(self, collection: Collection, cursor: str | None) -> Iterator[Page]:
        yield Page((), "0", last=True)


class TextSettings(Settings):
    """Options of a text file."""

    file: FilePath = Field(description="The file.")
    format: Literal["plain", "csv"] = Field("plain", description="Form of a line.")


class TextAdapter(ListAdapter[TextSettings]):
    """Keeps addresses in a text file.

    More is said below the first line.
    """

    settings_type = TextSettings
    supports = frozenset({ObservableType.IPV4_ADDR, ObservableType.IPV6_ADDR})
    capacity = 1000
    fields: ClassVar[Mapping[str, FieldSpec]] = {"comment": Text(), "severity": Text()}
    default_mapping: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "comment": {"template": "from {feed.name}"}
    }

    def read(self) -> Iterable[Held]:
        return []

    def publish(self, entries: Iterable[Entry]) -> Outcomes:
        self.settings.file.write_text("".join(f"{entry.value}\n" for entry in entries))
        return ALL_WRITTEN


class RemoteSettings(HttpSettings):
    """Options of a target behind HTTP."""

    url: str = Field(description="Where the target is.")


class RemoteAdapter(EntryAdapter[RemoteSettings]):
    """Sends entries one by one."""

    settings_type = RemoteSettings
    supports = frozenset({ObservableType.DOMAIN_NAME})

    def read(self) -> Iterable[Held]:
        return []

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        self.http.request("POST", self.settings.url)
        return ALL_WRITTEN

    def remove(self, held: Sequence[Held]) -> Outcomes:
        self.http.request("DELETE", self.settings.url)
        return ALL_WRITTEN


def registry() -> Registry:
    """Return a registry of exactly these."""
    adapters = {"text": TextAdapter, "addresses": TextAdapter, "remote": RemoteAdapter}
    return Registry(adapters, {"pages": PagesFeed})


GOLDEN = Path(__file__).parent.parent / "golden" / "config"
