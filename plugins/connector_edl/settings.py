"""Options of a published text list."""

from enum import StrEnum
from typing import Final, Self

from pydantic import model_validator

from connector.adapter import (
    ADDRESSES,
    Field,
    ObservableType,
    PublishedName,
    Settings,
    families_of,
)
from connector_edl.forms import KINDS, Format, has_room_for_comments

_ONE_FAMILY: Final = "a file has one family of types, because its lines do not name theirs"


class Empty(StrEnum):
    """How a list without entries is published."""

    SERVE_EMPTY = "serve-empty"
    COMMENT = "comment"
    SENTINEL = "sentinel"
    HOLD = "hold"


class EdlSettings(Settings):
    """Where a list is published and in which format."""

    file: PublishedName = Field(
        description="Name below publish_folder, such as perimeter.txt or edge/perimeter.txt."
    )
    format: Format = Field(
        Format.PLAIN,
        description="plain: one value a line; panos: Palo Alto Networks; fortigate: Fortinet.",
    )
    types: frozenset[ObservableType] | None = Field(
        None,
        min_length=1,
        description="The one family of types in this file, because its lines do not name theirs: "
        "addresses (ipv4-addr, ipv6-addr) or one other type. When left out, a plain file has the "
        "types of the output's `types` or of its list's selection; of several families it has the "
        "first, which is addresses where they are selected. Required for panos and fortigate: "
        "addresses, domain-name, url, or for fortigate one type of hash.",
    )
    comments: bool = Field(
        False,
        description="Write the mapped `severity` and `comment` after each value; only lines of "
        "panos addresses and fortigate hashes have room for them.",
    )
    empty: Empty | None = Field(
        None,
        description="How a list without entries is published: with no line (serve-empty, the "
        "default of plain), as `# empty list` (comment), as one reserved value that matches "
        "nothing (sentinel, the default of panos and fortigate), or not at all (hold: devices keep "
        "their last copy, including what was withdrawn since).",
    )

    def family(self, offered: frozenset[ObservableType]) -> frozenset[ObservableType]:
        """Return the types that the file has, of those that its list may have."""
        return families_of(offered)[0] if self.types is None else self.types

    @property
    def when_empty(self) -> Empty:
        """How a list without entries is published."""
        default = Empty.SERVE_EMPTY if self.format is Format.PLAIN else Empty.SENTINEL
        return self.empty or default

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """The file, whatever its format."""
        return frozenset({("published file", self.file)})

    @model_validator(mode="after")
    def _one_family(self) -> Self:
        kinds = KINDS[self.format]
        if self.format is Format.PLAIN:
            if self.types and len(families_of(self.types)) > 1:
                raise ValueError(
                    f"{_ONE_FAMILY}: set types to [ipv4-addr, ipv6-addr] or to one other type, and "
                    "publish each other family to a file of its own"
                )
        elif self.types is None or not any(self.types <= kind for kind in kinds):
            choices = " or ".join(f"[{', '.join(sorted(kind))}]" for kind in kinds)
            raise ValueError(f"format {self.format} has one type a file: set types to {choices}")
        if self.comments and not has_room_for_comments(self.format, self.types or ADDRESSES):
            raise ValueError(
                "only lines of panos addresses and fortigate hashes have room for comments"
            )
        return self
