"""The warninglists that apply by default, on blocklists only, and what each contains."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["BY_EXACT_NAME", "DEFAULT", "DEFAULT_LISTS", "SHARED_LISTS"]

# The word for the set in `allowlist.warninglists`.
DEFAULT: Final = "default"
DEFAULT_LISTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "microsoft": "Microsoft's names: log-on, updates, mail",
        "microsoft-office365": "names that Microsoft 365 needs, including certificate status",
        "microsoft-office365-ip": "addresses of Microsoft 365",
        "microsoft-win10-connection-endpoints": "names that Windows needs, including updates",
        "google": "Google's names",
        "google-gmail-sending-ips": "addresses that send Google's mail",
        "apple": "Apple's addresses",
        "captive-portals": "names that devices use to find out whether they are online",
        "mozilla-CA": "root certificates of public authorities",
        "mozilla-IntermediateCA": "intermediate certificates of public authorities",
        "common-ioc-false-positive": "hashes of files that are everywhere",
        "ti-falsepositives": "hashes of harmless files that reports mention",
        "cisco_top5k": "most requested names, by Cisco Umbrella",
        "moz-top500": "sites with the most links from other sites, by Moz",
        "tranco10k": "most visited sites, by Tranco",
    }
)
# Anyone can get a name below a popular one, so only the popular names themselves are protected.
BY_EXACT_NAME: Final = frozenset({"tranco10k"})
SHARED_LISTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cloudflare": "Cloudflare's front ends",
        "fastly": "Fastly's front ends",
    }
)
