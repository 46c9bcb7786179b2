"""The options of a DNS blocklist."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final, Self

from pydantic import field_validator, model_validator

from connector.adapter import Field, FilePath, Settings

__all__ = ["DnsblSettings"]

_NAME: Final = r"^$|^[a-z0-9_][a-z0-9_.-]*[a-z0-9]$"
_CODE: Final = r"^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$"


class DnsblSettings(Settings):
    """Which data files rbldnsd reads, and what it answers for what they list."""

    ipv4: FilePath | None = Field(
        None, description="File of an `ip4trie`: addresses and prefixes of version 4."
    )
    ipv6: FilePath | None = Field(
        None, description="File of an `ip6trie`: addresses and prefixes of version 6."
    )
    domains: FilePath | None = Field(None, description="File of a `dnset`: domain names.")
    address_zone: str = Field(
        "", pattern=_NAME, max_length=200, description="Zone of `ipv4` and `ipv6`."
    )
    domain_zone: str = Field("", pattern=_NAME, max_length=200, description="Zone of `domains`.")
    address_code: str = Field(
        "127.0.0.2", pattern=_CODE, description="Answer for an address that is listed."
    )
    domain_code: str = Field(
        "127.0.1.2", pattern=_CODE, description="Answer for a name that is listed."
    )
    text: str = Field(
        "Listed by threat-feed-connector: $",
        pattern=r"^[ -~]*$",
        max_length=200,
        description="What a sender is told; `$` stands for what is listed.",
    )
    ttl: int = Field(60, ge=1, le=86_400, description="Seconds that an answer may be cached.")
    server: str | None = Field(
        None,
        description="Address of rbldnsd, with `#PORT` where it is not 53: it is asked after each "
        "change, and nothing is `written` before it serves it.",
    )

    @property
    def files(self) -> Mapping[str, FilePath]:
        """The files that are named, by option."""
        found = {"ipv4": self.ipv4, "ipv6": self.ipv6, "domains": self.domains}
        return {option: path for option, path in found.items() if path is not None}

    @property
    def places_by_option(self) -> Mapping[str, tuple[object, ...]]:
        """Each of the files."""
        return {option: ("DNS blocklist", path) for option, path in self.files.items()}

    def zone_of(self, option: str) -> str:
        """Return the zone that a file is of."""
        return self.domain_zone if option == "domains" else self.address_zone

    def code_of(self, option: str) -> str:
        """Return the answer for what a file lists."""
        return self.domain_code if option == "domains" else self.address_code

    @field_validator("address_code", "domain_code")
    @classmethod
    def _is_an_answer(cls, code: str) -> str:
        try:
            ip_address(code)
        except ValueError:
            raise ValueError("should be an address within 127.0.0.0/8") from None
        if code == "127.0.0.1":
            raise ValueError("should not be 127.0.0.1, which such lists never answer")
        return code

    @field_validator("address_zone", "domain_zone")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if name and not all(0 < len(label) < 64 for label in name.split(".")):
            raise ValueError("should have labels of 1 to 63 characters")
        return name

    @field_validator("server")
    @classmethod
    def _is_an_address(cls, server: str | None) -> str | None:
        host, _, port = (server or "127.0.0.1").partition("#")
        try:
            ip_address(host)
            found = int(port or "53")
        except ValueError:
            found = 0
        if not 0 < found < 65_536:
            raise ValueError("should be an address, such as 127.0.0.1#5353")
        return server

    @model_validator(mode="after")
    def _check_files(self) -> Self:
        if not self.files:
            raise ValueError("name at least one file: ipv4, ipv6 or domains")
        if len(set(self.files.values())) < len(self.files):
            raise ValueError("ipv4, ipv6 and domains should be different files")
        if self.server is not None and not all(map(self.zone_of, self.files)):
            raise ValueError("server needs address_zone and domain_zone, each where it has a file")
        return self
