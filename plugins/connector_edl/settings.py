"""Options of a polled list."""

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

_ONE_FAMILY: Final = "a file holds one family of kinds, as its readers are told none"


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
        description="The one family of kinds that this file holds, as its readers are told none: "
        "addresses (ipv4-addr, ipv6-addr) or one other type. When left out, plain holds what the "
        "output's `types` or its list's selection narrow to; where these are of several families, "
        "the first of them: addresses, if they are among them. panos and fortigate want to be "
        "told: addresses, domain-name, url, or for fortigate one kind of hash.",
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

    def family(self, offered: frozenset[ObservableType]) -> frozenset[ObservableType]:
        """Return the types that the file holds of those that it is offered."""
        return families_of(offered)[0] if self.types is None else self.types

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
    def _one_family(self) -> Self:
        kinds = KINDS[self.format]
        if self.format is Format.PLAIN:
            if self.types and len(families_of(self.types)) > 1:
                raise ValueError(
                    f"{_ONE_FAMILY}: set types to [ipv4-addr, ipv6-addr] or to one other type, and "
                    "give each other family a file of its own"
                )
        elif self.types is None or not any(self.types <= kind for kind in kinds):
            choices = " or ".join(f"[{', '.join(sorted(kind))}]" for kind in kinds)
            raise ValueError(f"format {self.format} holds one kind a file: set types to {choices}")
        if self.comments and not has_room_for_comments(self.format, self.types or ADDRESSES):
            raise ValueError(
                "comments need lines with room for them: panos addresses or fortigate hashes"
            )
        return self
