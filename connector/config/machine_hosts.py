"""The name and time servers of this machine, read from its own files."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from connector.decisions.allowlist.values import Kind, read_allow_value

__all__ = ["MACHINE_FILES", "is_host", "machine_hosts"]

_LARGEST: Final = 1 << 20
_RESOLVER: Final = re.compile(r"nameserver\s+(\S+)")
# systemd-timesyncd.conf(5), resolved.conf(5): several on a line, separated by spaces; a port, an
# interface and a TLS name may follow a name server.
_SYSTEMD: Final = re.compile(r"(?:NTP|FallbackNTP|DNS|FallbackDNS)\s*=\s*(.*)")
# chrony.conf(5), ntp.conf(5): `server HOST options`.
_TIME: Final = re.compile(r"(?:server|pool|peer)\s+(\S+)")
_BEHIND: Final = re.compile(r"[#%].*")


def _resolvers(line: str) -> list[str]:
    return _RESOLVER.findall(line)


def _systemd(line: str) -> list[str]:
    found = _SYSTEMD.fullmatch(line)
    return found[1].split() if found else []


def _time_servers(line: str) -> list[str]:
    return _TIME.findall(line)


MACHINE_FILES: Final[Mapping[Path, Callable[[str], list[str]]]] = MappingProxyType(
    {
        Path("/etc/resolv.conf"): _resolvers,
        Path("/run/systemd/resolve/resolv.conf"): _resolvers,  # what is behind 127.0.0.53
        Path("/etc/systemd/timesyncd.conf"): _systemd,
        Path("/etc/systemd/resolved.conf"): _systemd,
        Path("/etc/chrony/chrony.conf"): _time_servers,
        Path("/etc/chrony.conf"): _time_servers,
        Path("/etc/ntp.conf"): _time_servers,
        Path("/etc/ntpsec/ntp.conf"): _time_servers,
    }
)


def machine_hosts(
    files: Mapping[Path, Callable[[str], list[str]]] | None = None,
) -> frozenset[str]:
    """Return the name and time servers in these files; a missing file has none."""
    known = MACHINE_FILES if files is None else files
    return frozenset(host for path, read in known.items() for host in _hosts(path, read))


def _hosts(path: Path, read: Callable[[str], list[str]]) -> Iterator[str]:
    try:
        with path.open("rb") as opened:
            text = opened.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return
    for line in map(str.strip, text.splitlines()):
        if line.startswith(("#", ";", "!")):
            continue
        for word in read(line):
            host = _BEHIND.sub("", word).strip("[]")
            if is_host(host):
                yield host


def is_host(text: str) -> bool:
    """Return whether a text is a name or address that an allowlist can hold."""
    try:
        return read_allow_value(text).kind in {Kind.NAME, Kind.NETWORK}
    except ValueError:
        return False
