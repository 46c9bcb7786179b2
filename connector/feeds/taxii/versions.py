"""The two versions of TAXII, and the media types that distinguish them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from connector.http.response import HttpResponse


class TaxiiVersion(StrEnum):
    """Which TAXII version to speak; `auto` tries 2.1 and falls back to 2.0."""

    AUTO = "auto"
    V20 = "2.0"
    V21 = "2.1"


@dataclass(frozen=True, slots=True)
class TaxiiDialect:
    """Media types: `resources` for discovery, collections and manifests, `objects` for objects.

    `ranged`: pages are ranges of positions in a bundle, not envelopes that say `more`.
    """

    version: TaxiiVersion
    resources: str
    objects: str
    ranged: bool


V21: Final = TaxiiDialect(
    TaxiiVersion.V21,
    "application/taxii+json;version=2.1",
    "application/taxii+json;version=2.1",
    ranged=False,
)
V20: Final = TaxiiDialect(
    TaxiiVersion.V20,
    "application/vnd.oasis.taxii+json; version=2.0",
    "application/vnd.oasis.stix+json; version=2.0",
    ranged=True,
)
DIALECTS: Final = {
    TaxiiVersion.AUTO: (V21, V20),
    TaxiiVersion.V21: (V21,),
    TaxiiVersion.V20: (V20,),
}


def answers_in_older(answer: HttpResponse) -> bool:
    """Return whether the response is TAXII 2.0: some of these servers ignore `Accept`."""
    return answer.headers.get("Content-Type", "").lower().startswith("application/vnd.oasis.")
