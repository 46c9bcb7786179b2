"""Options of a TAXII feed, and profiles: defaults that suit a known server.

| profile   | sets (besides version 2.1)                    | because                      |
|-----------|-----------------------------------------------|------------------------------|
| ais       | roots public, window 47h, read_timeout 30m    | answers 48 h back, slowly    |
| medallion | page_size 100                                 | its own most                 |
| opentaxii | page_size 1000                                | unasked, its pages are large |
| opencti   | page_size 500, overlap 1h                     | many objects with one date   |
| attack    | page_size 5000, overlap 24h, read_timeout 15m | few and large releases       |

A profile only sets defaults: an option in the file overrides it.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from pydantic import model_validator

from connector.feed import Duration, Field, HttpSettings, Window
from connector.feeds.taxii.paging_21 import LARGEST_LIMIT
from connector.feeds.taxii.versions import TaxiiVersion


class Profile(StrEnum):
    """Servers with known behaviour."""

    AIS = "ais"
    MEDALLION = "medallion"
    OPENTAXII = "opentaxii"
    OPENCTI = "opencti"
    ATTACK = "attack"


PROFILES: Final[Mapping[Profile, Mapping[str, Any]]] = MappingProxyType(
    {
        Profile.AIS: {
            "version": "2.1",
            "roots": ("public",),
            "window": "47h",
            "read_timeout": "30m",
        },
        Profile.MEDALLION: {"version": "2.1", "page_size": 100},
        Profile.OPENTAXII: {"version": "2.1", "page_size": 1000},
        Profile.OPENCTI: {"version": "2.1", "page_size": 500, "overlap": "1h"},
        Profile.ATTACK: {
            "version": "2.1",
            "page_size": 5000,
            "overlap": "24h",
            "read_timeout": "15m",
        },
    }
)


class TaxiiSettings(HttpSettings):
    """Options of a TAXII feed."""

    url: str = Field(
        pattern=r"^https?://[^\s/]+",
        description="Address of the discovery service, usually ending in /taxii2/, or of one API "
        "root.",
    )
    profile: Profile | None = Field(
        None,
        description="Kind of server, for defaults that suit it: `ais` (TAXII 2.1, root public, "
        "window 47h, read_timeout 30m), `medallion` (page_size 100), `opentaxii` (page_size 1000), "
        "`opencti` (page_size 500, overlap 1h), `attack` (page_size 5000, overlap 24h, "
        "read_timeout 15m), all of them 2.1. Options in the file override these defaults.",
    )
    version: TaxiiVersion = Field(
        TaxiiVersion.AUTO,
        description='TAXII version: "2.1", "2.0", or `auto`, which tries 2.1 first and falls back '
        "to 2.0.",
    )
    collections: tuple[str, ...] = Field(
        (), description="Collections to read, by id, alias or title; by default all readable ones."
    )
    roots: tuple[str, ...] = Field(
        (),
        description="API roots to use, by the last part of their address or by full address; by "
        "default all that discovery lists on the same host.",
    )
    window: Window = None
    overlap: Duration = Field(
        timedelta(minutes=10),
        description="How far before the newest known object to read again, for objects that appear "
        "late.",
    )
    reconcile_every: Duration | None = Field(
        None,
        description="How often to compare the server's manifests with what was read. An object "
        "missing in two comparisons was deleted there and is withdrawn. Off by default, and "
        "always off with window: what such a server drops is not deleted.",
    )
    page_size: int = Field(1000, ge=1, le=LARGEST_LIMIT, description="Objects to request per page.")
    max_pages: int = Field(
        10_000,
        ge=1,
        le=1_000_000,
        description="Maximum number of pages per collection and run. If there are more, the feed "
        "reports an error and the next poll continues from there.",
    )
    read_timeout: Duration = Field(
        timedelta(seconds=600),
        description="How long to wait for the next byte from the server; a whole response may take "
        "ten times as long.",
    )

    @model_validator(mode="before")
    @classmethod
    def _with_profile(cls, given: Any) -> Any:
        """Apply the given options over the profile's defaults; its own field reports a bad name."""
        if not isinstance(given, Mapping) or given.get("profile") not in tuple(Profile):
            return given
        return {**PROFILES[Profile(given["profile"])], **given}
