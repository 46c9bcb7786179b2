"""The built-in groups of the allowlist, by name."""

from enum import StrEnum
from types import MappingProxyType
from typing import Final


class BuiltinGroup(StrEnum):
    """The built-in groups, by the names that `allowlist.builtin.except` takes."""

    SPECIAL_PURPOSE = "special_purpose"
    DOCUMENTATION = "documentation"
    PUBLIC_RESOLVERS = "public_resolvers"
    PUBLIC_SUFFIXES = "public_suffixes"
    MAIL_PROVIDERS = "mail_providers"
    EMPTY_FILES = "empty_files"
    WIDE_PREFIXES = "wide_prefixes"
    OWN_HOSTS = "own_hosts"
    SYSTEM_FILES = "system_files"
    SHARED_HOSTING = "shared_hosting"
    VITAL = "vital"


MEANINGS: Final = MappingProxyType(
    {
        BuiltinGroup.SPECIAL_PURPOSE: "private and reserved addresses and names",
        BuiltinGroup.DOCUMENTATION: "addresses and names for documentation",
        BuiltinGroup.PUBLIC_RESOLVERS: "name servers that anyone may use",
        BuiltinGroup.PUBLIC_SUFFIXES: "names below which the public can register",
        BuiltinGroup.MAIL_PROVIDERS: "public mail and file services",
        BuiltinGroup.EMPTY_FILES: "hashes of files without content",
        BuiltinGroup.WIDE_PREFIXES: "prefixes that cover many innocent parties",
        BuiltinGroup.OWN_HOSTS: "hosts with which this service and machine communicate",
        BuiltinGroup.SYSTEM_FILES: "file names of the operating systems",
        BuiltinGroup.SHARED_HOSTING: "shared front ends; watched, not blocked",
        BuiltinGroup.VITAL: "log-on, updates, certificates, time, names, emergency services",
    }
)
