"""Options of a published text list."""

from typing import Final, Self

from pydantic import model_validator

from connector.adapter import (
    ADDRESSES,
    Family,
    Field,
    ObservableType,
    PublishedName,
    Settings,
    families_of,
)
from connector_edl.capacity import Device, form_of, room_of
from connector_edl.cover import collapsed
from connector_edl.dialect import Arranged, Dialect, Empty
from connector_edl.dialects import DIALECTS, Format

_ONE_FAMILY: Final = "a file has one family of types, because its lines do not name theirs"


class EdlSettings(Settings):
    """Where a list is published and in which format."""

    file: PublishedName = Field(
        description="Name below publish_folder, such as perimeter.txt or edge/perimeter.txt."
    )
    format: Format = Field(
        Format.PLAIN,
        description="plain: one value a line; panos: Palo Alto Networks; fortigate: Fortinet; "
        "checkpoint: a custom feed of Check Point; fmc: Cisco Secure Firewall, with .md5; "
        "hosts, dnsmasq, unbound: for resolvers; squid, nginx: for proxies; suricata-dataset, "
        "suricata-iprep, zeek, snort: for sensors; spamassassin, exim: for mail gateways; "
        "csv (a column for each mapped field), jsonl: for programs; stix: a STIX 2.1 bundle of "
        "the indicators themselves, as received, where their markings allow it.",
    )
    types: frozenset[ObservableType] | None = Field(
        None,
        min_length=1,
        description="The one family of types in this file, because its lines do not name theirs: "
        "addresses (ipv4-addr, ipv6-addr) or one other type. When left out, a plain file has the "
        "types of the output's `types` or of its list's selection; of several families it has the "
        "first, which is addresses where they are selected. Every other format that offers more "
        "than one family requires it; lines of zeek, checkpoint, csv, jsonl and stix name "
        "their types, so a file has them all.",
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

    widen: bool = Field(
        False,
        description="Write a domain name also where the format can only say more: squid and "
        "unbound cannot say all names below a domain without the domain itself, fmc no domain "
        "without all names below. Without it such a name is `rejected`, unless the list has both.",
    )
    device: Device | None = Field(
        None,
        description="Device that reads the list: what it cannot hold is `over_capacity`, in place "
        "of being cut there. A device that shares its room among several lists needs "
        "`limits.max_entries`, too.",
    )
    collapse: bool = Field(
        False,
        description="Write addresses as the fewest prefixes that have exactly these addresses.",
    )

    @property
    def dialect(self) -> Dialect:
        """How the format says its entries."""
        return DIALECTS[self.format]

    @property
    def wants_originals(self) -> bool:
        """A bundle has the indicators themselves."""
        return self.dialect.objects

    def family(self, offered: Family) -> Family:
        """Return the types that the file has, of those that its list may have."""
        if self.types is not None:
            return self.types
        families = self.dialect.families
        return families[0] if len(families) == 1 else families_of(offered)[0]

    def arranged(self, types: Family) -> Arranged | None:
        """Return what says all lines at once, where one depends on others; else None."""
        if self.collapse:
            return collapsed
        return (self.dialect.arranged or {}).get(_whole(types))

    @property
    def form(self) -> str:
        """What decides on the lines beside the entries; it stands in the record."""
        said = {"with comments": self.comments, "widened": self.widen, "collapsed": self.collapse}
        return " ".join([self.format, *(words for words, chosen in said.items() if chosen)])

    @property
    def when_empty(self) -> Empty:
        """How a list without entries is published."""
        return self.empty or self.dialect.empty

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """The file, whatever its format, and its checksum."""
        names = [self.file, *([f"{self.file}.md5"] if self.dialect.checksum else [])]
        return frozenset(("published file", name) for name in names)

    @model_validator(mode="after")
    def _one_family(self) -> Self:
        families = self.dialect.families
        if self.format is Format.PLAIN:
            if self.types and len(families_of(self.types)) > 1:
                raise ValueError(
                    f"{_ONE_FAMILY}: set types to [ipv4-addr, ipv6-addr] or to one other type, and "
                    "publish each other family to a file of its own"
                )
        elif self.types is None:
            if len(families) > 1:
                raise ValueError(f"{self._one_type}: set types to {self._choices}")
        elif not any(self.types <= family for family in families):
            raise ValueError(f"{self._one_type}: set types to {self._choices}")
        return self

    @model_validator(mode="after")
    def _options_of_the_format(self) -> Self:
        types = self.types or ADDRESSES
        if self.comments and not self.dialect.has_room_for_comments(types):
            raise ValueError(
                "only lines of panos addresses and fortigate hashes have room for comments"
            )
        if self.empty is Empty.COMMENT and not self.dialect.remarks:
            raise ValueError(f"empty: a file of {self.format} has no comments")
        if self.empty is Empty.SENTINEL and self.dialect.objects:
            raise ValueError("empty: a bundle has only what feeds sent, and no sentinel")
        if self.collapse and self.dialect.objects:
            raise ValueError("collapse: a bundle has indicators, not prefixes")
        if self.device is not None:
            self._check_device(self.device)
        if self.collapse and self.types is not None and not self.types <= ADDRESSES:
            raise ValueError("collapse: only addresses can be written as prefixes")
        return self

    def _check_device(self, device: Device) -> None:
        if form_of(device) is not self.format:
            raise ValueError(f"device: {device} reads format {form_of(device)}, not {self.format}")
        if self.types is not None and room_of(device, self.types) is None:
            raise ValueError(f"device: what {device} holds of these types is not known")

    @property
    def _one_type(self) -> str:
        several = len(self.dialect.families) > 1
        return f"format {self.format} has {'one type a file' if several else 'other types'}"

    @property
    def _choices(self) -> str:
        return " or ".join(f"[{', '.join(sorted(kind))}]" for kind in self.dialect.families)


def _whole(types: Family) -> Family:
    return ADDRESSES if types <= ADDRESSES else types
