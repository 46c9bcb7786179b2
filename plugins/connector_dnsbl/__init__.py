"""Entries in the data files of a DNS blocklist that rbldnsd serves to mail gateways.

The administrator names the files and zones to rbldnsd, once; docs/outputs/dnsbl.md has the lines.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import Final

from connector.adapter import (
    ADDRESSES,
    Entry,
    FieldValue,
    FilePath,
    Held,
    ListAdapter,
    Observable,
    ObservableType,
    Outcome,
    Outcomes,
    OutputContext,
    Refused,
    Subject,
    TextFile,
    failures_typed,
    import_extra,
    observable_of,
)

from .options import DnsblSettings

__all__ = ["DnsblAdapter", "DnsblSettings"]

# RFC 5782: what every such list has, so that whoever asks knows that it works.
_TEST_POINTS: Final = {"ipv4": "127.0.0.2", "ipv6": "::ffff:7f00:2", "domains": "test"}
_READ_AS: Final = {
    "ipv4": ObservableType.IPV4_ADDR,
    "ipv6": ObservableType.IPV6_ADDR,
    "domains": ObservableType.DOMAIN_NAME,
}
_LONGEST: Final = 255
_SERVED_WITHIN: Final = timedelta(minutes=3)
_ASKED_EVERY: Final = timedelta(milliseconds=250)


class DnsblAdapter(ListAdapter[DnsblSettings]):
    """Keeps data files of rbldnsd, which are ours alone and which it reads again by itself."""

    settings_type = DnsblSettings
    supports = frozenset({*ADDRESSES, ObservableType.DOMAIN_NAME})

    def __init__(self, settings: DnsblSettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        self._files = {option: TextFile(path) for option, path in settings.files.items()}
        self._heads = {option: _told(option, self._head(option)) for option in _TEST_POINTS}
        if settings.server is not None:
            import_extra("dns", "threat-feed-connector[dnsbl]")

    def as_held(self, entry: Entry) -> Entry:
        """Return the entry with what its file says of all that it lists."""
        return Entry(entry.observable, {"head": self._heads[_file_of(entry.observable)]})

    def accepts(self, observable: Observable) -> bool:
        """Return whether there is a file for this observable."""
        return observable.type in self.supports and _file_of(observable) in self._files

    def stamp(self) -> str:
        """Return what tells the files from any others in their place."""
        return " ".join(file.stamp() for file in self._files.values())

    def read(self) -> Iterable[Held]:
        """Yield the entries of the files; a line that is none, or says more, is told as a text."""
        for option, file in self._files.items():
            head: list[str] = []
            fields: dict[str, FieldValue] = {}
            for line in file.lines():
                if not fields and (line[0] in "$:" or _is_test(option, line)):
                    head.append(line)
                    continue
                fields = fields or {"head": _told(option, head)}
                one = observable_of(_READ_AS[option], line)
                if one is None or one.value != line or not self.accepts(one):
                    one = Observable(ObservableType.MUTEX, line)
                yield Held(one, fields)

    def publish(self, entries: Iterable[Entry]) -> Outcomes:
        """Write the files, each in one step."""
        refused: dict[Subject, Outcome] = {}
        with ExitStack() as opened:
            drafts = {
                option: opened.enter_context(file.draft()) for option, file in self._files.items()
            }
            listed: dict[str, list[str]] = {option: [] for option in drafts}
            for one in (entry.observable for entry in entries):
                if words := self._why_unfit(one):
                    refused[one] = Refused(words)
                else:
                    listed[_file_of(one)].append(one.value)
            for option, draft in drafts.items():
                draft.write(self._head(option))
                draft.write(listed[option])
                path = self._files[option].path
                before = _second_of(path)
                draft.publish()
                _set_later(path, before)
        return refused

    def activate(self) -> None:
        """Wait until rbldnsd serves what was published, where the options name it."""
        if self.settings.server is not None:
            for option, file in self._files.items():
                told = next((line for line in file.lines() if _is_test(option, line)), "")
                serves = partial(self._serves, option, told.rpartition(":")[2])
                self.context.wait(serves, _SERVED_WITHIN, _ASKED_EVERY)

    def _head(self, option: str) -> Iterator[str]:
        """Yield how the zone answers, and its test point, by which a version is told."""
        ttl, code = self.settings.ttl, self.settings.code_of(option)
        yield f"$TTL {ttl}"
        yield f"$SOA {ttl} localhost. root.localhost. 0 600 300 86400 {ttl}"
        yield f"$NS {ttl} localhost."
        yield f"{_TEST_POINTS[option]} :{code}:list {self.context.version}"
        yield f":{code}:{self.settings.text}"

    def _why_unfit(self, one: Observable) -> str:
        if observable_of(one.type, one.value) != one or not self.accepts(one):
            return f"is no {one.type} that such a list can have"
        option = _file_of(one)
        if one.value == _TEST_POINTS[option]:
            return "is the test point of such a list, which is always listed"
        size = len(one.value) + len(self.settings.zone_of(option)) + 3
        if option == "domains" and size > _LONGEST:
            return f"with the zone's name it has {size} bytes; a name has at most {_LONGEST}"
        return ""

    def _serves(self, option: str, version: str) -> bool:
        """Return whether rbldnsd answers by this version of a file."""
        from .served import text_at  # noqa: PLC0415 - it needs an extra

        assert self.settings.server is not None  # noqa: S101 - asked of such outputs alone
        zone = self.settings.zone_of(option)
        found = text_at(self.settings.server, _TEST_POINTS[option], zone)
        return found == version


def _file_of(one: Observable) -> str:
    if one.type not in ADDRESSES:
        return "domains"
    return "ipv6" if ":" in one.value else "ipv4"


def _told(option: str, head: Iterable[str]) -> str:
    """Return what stands above the entries, but for the version."""
    lines = (line.rpartition(" ")[0] if _is_test(option, line) else line for line in head)
    return "; ".join(lines)


def _is_test(option: str, line: str) -> bool:
    return line.startswith(f"{_TEST_POINTS[option]} ")


def _second_of(path: FilePath) -> int:
    return int(path.stat().st_mtime) if path.exists() else 0


def _set_later(path: FilePath, before: int) -> None:
    """Give a file a later second than the last: rbldnsd tells files by that and by their size."""
    with failures_typed(path):
        if int(path.stat().st_mtime) <= before:
            os.utime(path, (before + 1, before + 1))
