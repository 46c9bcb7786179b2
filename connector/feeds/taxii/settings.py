"""Options of a TAXII feed, and profiles: the defaults that suit a server that is known.

| profile   | sets (besides version 2.1)                    | because                      |
|-----------|-----------------------------------------------|------------------------------|
| ais       | roots public, window 47h, read_timeout 30m    | answers 48 h back, slowly    |
| medallion | page_size 100                                 | its own most                 |
| opentaxii | page_size 1000                                | unasked, its pages are large |
| opencti   | page_size 500, overlap 1h                     | many objects with one date   |
| attack    | page_size 5000, overlap 24h, read_timeout 15m | few and large releases       |

A profile sets nothing but these options' defaults: what the file says of an option counts.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from pydantic import model_validator

from connector.feed import Duration, Field, HttpSettings
from connector.feeds.taxii.paging import LARGEST_LIMIT
from connector.feeds.taxii.versions import TaxiiVersion


class Profile(StrEnum):
    """Servers whose ways are known."""

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
        "read_timeout 15m), all of them 2.1. What the file says of an option counts.",
    )
    version: TaxiiVersion = Field(
        TaxiiVersion.AUTO,
        description='TAXII version: "2.1", "2.0", or `auto`, which asks for 2.1 first and takes '
        "2.0 where the server speaks no other.",
    )
    collections: tuple[str, ...] = Field(
        (), description="Collections to read, by id, alias or title; all readable when left out."
    )
    roots: tuple[str, ...] = Field(
        (),
        description="API roots to use, by the last part of their address or by whole address; all "
        "that discovery names on the same host when left out.",
    )
    window: Duration | None = Field(
        None, description="How far back the server answers; what is older is lost to us."
    )
    overlap: Duration = Field(
        timedelta(minutes=10),
        description="How far before the newest object known to read again, for objects that show "
        "up late.",
    )
    reconcile_every: Duration | None = Field(
        None,
        description="How often to compare what the server's manifests list with what was read; "
        "what two comparisons miss was deleted there and is withdrawn. Off when left out, and "
        "wherever window is set: what such a server forgets is not deleted.",
    )
    page_size: int = Field(
        1000, ge=1, le=LARGEST_LIMIT, description="Objects asked for in one page."
    )
    max_pages: int = Field(
        10_000,
        ge=1,
        le=1_000_000,
        description="Pages read of a collection in one run. A server that has more is told as a "
        "fault, and the next poll goes on from there.",
    )
    read_timeout: Duration = Field(
        timedelta(seconds=600),
        description="How long to wait for the server between two bytes; a whole answer may take "
        "ten times as long.",
    )

    @model_validator(mode="before")
    @classmethod
    def _with_profile(cls, given: Any) -> Any:
        """Lay what was given over the profile's defaults; a wrong name is told by its own field."""
        if not isinstance(given, Mapping) or given.get("profile") not in tuple(Profile):
            return given
        return {**PROFILES[Profile(given["profile"])], **given}
