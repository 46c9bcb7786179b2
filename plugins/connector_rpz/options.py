"""The options of a response policy zone."""

from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, Literal, Self

from pydantic import field_validator, model_validator

from connector.adapter import Field, FilePath, Secret, Settings

__all__ = ["ANSWER", "RpzSettings", "server_of"]

ANSWER: Final = "127.0.0.2"  # of the name that tells a version of a zone file
_TARGETS: Final = {"nxdomain": ".", "nodata": "*.", "drop": "rpz-drop."}
_NAME: Final = r"^[a-z0-9_][a-z0-9_.-]*[a-z0-9]$"


class RpzSettings(Settings):
    """Which zone at which servers, and what resolvers answer for what it lists."""

    mode: Literal["update", "file"] = Field(
        "update",
        description="How the zone is written: `update` is RFC 2136 with TSIG, entry by entry; "
        "`file` is a zone file of ours alone, which resolvers on this machine load.",
    )
    zone: str = Field(
        pattern=_NAME, max_length=200, description="Name of the policy zone; a short one."
    )
    servers: tuple[str, ...] = Field(
        (),
        max_length=16,
        description="For `update`: primaries, all kept alike: addresses, each with `:PORT` or "
        "`#PORT` where it is not 53 (`192.0.2.53`, `192.0.2.53#5353`, `2001:db8::53#5353`).",
    )
    key_name: str | None = Field(
        None, pattern=_NAME, max_length=200, description="For `update`: name of the TSIG key."
    )
    key_secret: Secret | None = Field(
        None, description="For `update`: the TSIG key in base64, as `tsig-keygen` prints it."
    )
    key_algorithm: Literal["hmac-sha256", "hmac-sha384", "hmac-sha512"] = Field(
        "hmac-sha256", description="Algorithm of the TSIG key."
    )
    action: Literal["nxdomain", "nodata", "drop", "sinkhole"] = Field(
        "nxdomain",
        description="What a client gets: no such name, no data, no answer, or a host of yours.",
    )
    sinkhole: tuple[str, ...] = Field(
        (),
        max_length=8,
        description="For `sinkhole`: your addresses, or one name of yours.",
    )
    ttl: int = Field(60, ge=1, le=86_400, description="Seconds that resolvers may cache an answer.")
    file: FilePath | None = Field(
        None, description="For `file`: the zone file; its folder must exist."
    )
    check: tuple[str, ...] = Field(
        ("named-checkzone", "-i", "none", "-k", "ignore"),
        min_length=1,
        description="For `file`: command that tests the zone before it is put in place; the "
        "zone's name and the file are added.",
    )
    reload: tuple[str, ...] = Field(
        (),
        description="For `file`: command that has the resolver load the zone anew, such as "
        "[unbound-control, auth_zone_reload, rpz.example]; none where the resolver watches it.",
    )
    resolvers: tuple[str, ...] = Field(
        (),
        max_length=16,
        description="For `file`: resolvers that load it, named as `servers` are. Each is asked for "
        "a name that this version of the zone alone has; nothing is `written` before it answers.",
    )
    timeout: int = Field(10, ge=1, le=300, description="Seconds to wait for a server.")

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """The zone at each of the servers, or its file."""
        if self.file is not None:
            return frozenset({("zone file", self.file)})
        return frozenset(map(self._place_of, self.servers))

    def narrowed(self, places: Collection[tuple[object, ...]]) -> Self | None:
        """Return the options for some of the servers."""
        if frozenset(places) == self.places:
            return self
        kept = tuple(one for one in self.servers if self._place_of(one) in places)
        return self.model_copy(update={"servers": kept}) if kept else None

    def _place_of(self, server: str) -> tuple[object, ...]:
        return ("policy zone", *server_of(server), self.zone)

    @property
    def credentials_are_for(self) -> object:
        """The servers: the key is used with no other."""
        return frozenset(map(server_of, self.servers))

    @property
    def records(self) -> tuple[tuple[str, str], ...]:
        """The records of each entry, by type."""
        if self.action != "sinkhole":
            return (("CNAME", _TARGETS[self.action]),)
        found = [(_type(one), one) for one in self.sinkhole]
        return tuple(sorted((kind, _canonical(kind, one)) for kind, one in found))

    @field_validator("zone", "key_name")
    @classmethod
    def _is_a_name(cls, name: str | None) -> str | None:
        if name is not None and not all(0 < len(label) < 64 for label in name.split(".")):
            raise ValueError("should have labels of 1 to 63 characters")
        return name

    @field_validator("servers", "resolvers")
    @classmethod
    def _are_addresses(cls, servers: tuple[str, ...]) -> tuple[str, ...]:
        for one in servers:
            try:
                server_of(one)
            except ValueError:
                raise ValueError(f"{one} should be an address, such as 192.0.2.53#5353") from None
        if len(set(map(server_of, servers))) < len(servers):
            raise ValueError("should name each server once")
        return servers

    @model_validator(mode="after")
    def _check_mode(self) -> Self:
        by_update = (self.servers, self.key_name, self.key_secret)
        if self.mode == "file" and (self.file is None or any(by_update)):
            raise ValueError("mode file needs file, and neither servers nor a key")
        if self.mode == "update" and (not all(by_update) or self.file is not None):
            raise ValueError("mode update needs servers, key_name and key_secret, and no file")
        if self.mode == "update" and self.resolvers:
            raise ValueError("resolvers are asked in mode file alone")
        return self

    @model_validator(mode="after")
    def _check_sinkhole(self) -> Self:
        if (self.action == "sinkhole") != bool(self.sinkhole):
            raise ValueError("action sinkhole and the option sinkhole go together")
        kinds = [_type(one) for one in self.sinkhole]
        if "CNAME" in kinds and len(kinds) > 1:
            raise ValueError("sinkhole should be addresses, or one name alone")
        return self


def server_of(text: str) -> tuple[str, int]:
    """Return the address and port of a server; ValueError where the text names none."""
    host, _, port = text.partition("#")
    if not port and text.count(":") == 1:
        host, _, port = text.partition(":")
    number = int(port or "53")
    if not 0 < number < 65_536:
        raise ValueError(text)
    return str(ip_address(host)), number


def _type(text: str) -> str:
    try:
        address: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:
        return "CNAME"
    return "A" if address.version == 4 else "AAAA"


def _canonical(kind: str, text: str) -> str:
    return f"{text.rstrip('.').lower()}." if kind == "CNAME" else str(ip_address(text))
