"""Which warninglists hold without being named, on blocklists only, and why each does."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["BY_EXACT_NAME", "DEFAULT", "DEFAULT_LISTS", "SHARED_LISTS"]

# The word that stands for the set in `allowlist.warninglists`.
DEFAULT: Final = "default"
DEFAULT_LISTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "microsoft": "names of Microsoft: log-on, updates, mail",
        "microsoft-office365": "names that Microsoft 365 needs, certificate status among them",
        "microsoft-office365-ip": "addresses of Microsoft 365",
        "microsoft-win10-connection-endpoints": "names that Windows needs, updates among them",
        "google": "names of Google",
        "google-gmail-sending-ips": "addresses that Google's mail comes from",
        "apple": "addresses of Apple",
        "captive-portals": "names by which devices find out whether they are online",
        "mozilla-CA": "root certificates of public authorities",
        "mozilla-IntermediateCA": "intermediate certificates of public authorities",
        "common-ioc-false-positive": "digests of files that are everywhere",
        "ti-falsepositives": "digests that reports name though the files are harmless",
        "cisco_top5k": "names that most people ask for, by Cisco Umbrella",
        "moz-top500": "sites that most other sites point to, by Moz",
        "tranco10k": "sites that most people visit, by Tranco",
    }
)
# Anybody has a name below a popular one: only the popular names themselves are kept.
BY_EXACT_NAME: Final = frozenset({"tranco10k"})
SHARED_LISTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cloudflare": "front ends of Cloudflare",
        "fastly": "front ends of Fastly",
    }
)
