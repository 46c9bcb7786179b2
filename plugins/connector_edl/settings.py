"""Options of a polled list."""

from enum import StrEnum
from typing import Self

from pydantic import model_validator

from connector.adapter import Field, ObservableType, PublishedName, Settings
from connector_edl.forms import KINDS, Format, has_room_for_comments


class Empty(StrEnum):
    """What to publish for a list without entries."""

    SERVE_EMPTY = "serve-empty"
    COMMENT = "comment"
    SENTINEL = "sentinel"
    HOLD = "hold"


class EdlSettings(Settings):
    """Where a list is published and in which dialect."""

    file: PublishedName = Field(
        description="Name inside publish_folder, such as perimeter.txt or edge/perimeter.txt."
    )
    format: Format = Field(
        Format.PLAIN,
        description="plain: one value a line; panos: Palo Alto Networks; fortigate: Fortinet.",
    )
    types: frozenset[ObservableType] | None = Field(
        None,
        min_length=1,
        description="Types this file holds; plain holds all of them when left out, while panos and "
        "fortigate hold one kind a file: addresses (ipv4-addr, ipv6-addr), domain-name, url, or "
        "for fortigate one kind of hash.",
    )
    comments: bool = Field(
        False,
        description="Write the mapped `severity` and `comment` after each value; only panos "
        "addresses and fortigate hashes have room for them.",
    )
    empty: Empty | None = Field(
        None,
        description="A list without entries is published as no line (serve-empty, the default of "
        "plain), as `# empty list` (comment), as one reserved value that nothing matches "
        "(sentinel, the default of panos and fortigate), or is not served (hold: devices keep "
        "their last copy, also of what was withdrawn since).",
    )

    @property
    def held_types(self) -> frozenset[ObservableType]:
        """Types that the file takes."""
        return frozenset(ObservableType) if self.types is None else self.types

    @property
    def when_empty(self) -> Empty:
        """What to publish for a list without entries."""
        default = Empty.SERVE_EMPTY if self.format is Format.PLAIN else Empty.SENTINEL
        return self.empty or default

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """The file, in whatever dialect."""
        return frozenset({("published file", self.file)})

    @model_validator(mode="after")
    def _one_kind_for_devices(self) -> Self:
        kinds = KINDS.get(self.format)
        if kinds and (self.types is None or not any(self.types <= kind for kind in kinds)):
            choices = " or ".join(f"[{', '.join(sorted(kind))}]" for kind in kinds)
            raise ValueError(f"format {self.format} holds one kind a file: set types to {choices}")
        if self.comments and not has_room_for_comments(self.format, self.held_types):
            raise ValueError(
                "comments need lines with room for them: panos addresses or fortigate hashes"
            )
        return self
