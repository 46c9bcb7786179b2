"""Keeps addresses in a map of a running HAProxy, by its runtime socket."""

import re
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Final

from connector.adapter import (
    ADDRESSES,
    Batch,
    Entry,
    EntryAdapter,
    Field,
    FieldSpec,
    FilePath,
    Held,
    Observable,
    ObservableType,
    Outcomes,
    Refused,
    RefusedError,
    Settings,
    Text,
    UnavailableError,
    observable_of,
)

_LONGEST_LINE: Final = 12_000  # HAProxy takes lines of tune.bufsize, 16 kB by default
_GONE: Final = {"", "Key not found."}
_UNSAFE: Final = re.compile(r"[^\w.:/@-]+", re.ASCII)
_STARTED: Final = re.compile(r"^(?:Pid|Start_time_sec): \d+$", re.MULTILINE)


class HaproxyMapSettings(Settings):
    """Where the socket is, and which of the maps is ours."""

    socket: FilePath = Field(description="Path of a `stats socket` that the service may use.")
    map: str = Field(
        pattern=r"^/[\w./-]+$",
        description="The map's file, as haproxy.cfg writes it in map_ip(...).",
    )


class HaproxyMapAdapter(EntryAdapter[HaproxyMapSettings]):
    """Keeps addresses and prefixes in a map, beside those that others put there.

    HAProxy forgets them at each restart and reload, which its stamp tells.
    """

    settings_type = HaproxyMapSettings
    supports = frozenset(ADDRESSES)
    batch = Batch(entries=2_000)
    fields: ClassVar[Mapping[str, FieldSpec]] = {"reason": Text(max_length=80)}
    default_mapping: ClassVar = {"reason": {"from": "indicator.id"}}

    def as_held(self, entry: Entry) -> Entry:
        """Return the entry with its reason as one word, as the map has it."""
        return Entry(entry.observable, {"reason": _word(entry)})

    def stamp(self) -> str:
        """Return what changes with each start of HAProxy, and with the map's size."""
        info, maps = self._ask(["show info", "show map"])
        (ours,) = [line for line in maps.splitlines() if f"({self.settings.map})" in line] or [""]
        return " ".join([*_STARTED.findall(info), ours.partition("curr_ver=")[2]])

    def read(self) -> Iterable[Held]:
        """Return what the map has; of an address that is there twice, the one that counts."""
        found: dict[Observable, Held] = {}
        (listed,) = self._ask([f"show map {self.settings.map}"])
        for line in listed.splitlines():
            if not line.startswith("0x"):
                raise UnavailableError(f"{self.settings.map}: {line}")
            _reference, key, reason = f"{line} ".split(" ", 2)
            if one := observable_of(ObservableType.IPV4_ADDR, key):
                found.setdefault(one, Held(one, {"reason": reason.strip()}))
        return found.values()

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        """Add each address that is not there, and change each that is: `add` would repeat it."""
        there = {held.observable for held in self.read()}
        answers = self._ask(
            f"{'set' if one.observable in there else 'add'} map {self.settings.map} "
            f"{one.value} {_word(one)}"
            for one in entries
        )
        said = zip(entries, answers, strict=True)
        return {one.observable: Refused(words) for one, words in said if words}

    def remove(self, held: Sequence[Held]) -> Outcomes:
        """Delete each address; of one that is gone HAProxy says that it did not find it."""
        answers = self._ask(f"del map {self.settings.map} {one.value}" for one in held)
        said = zip(held, answers, strict=True)
        return {one.observable: Refused(words) for one, words in said if words not in _GONE}

    def _ask(self, commands: Iterable[str]) -> list[str]:
        """Return the answer to each command; empty where HAProxy has nothing to say."""
        return [answer for line in _lines(commands) for answer in self._answers(line)]

    def _answers(self, line: list[str]) -> list[str]:
        path = self.settings.socket
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(30)
                connection.connect(str(path))
                connection.sendall(";".join(line).encode() + b"\n")
                said = b"".join(iter(lambda: connection.recv(65_536), b"")).decode()
        except PermissionError as error:
            raise RefusedError(f"{path}: the service may not use this socket") from error
        except OSError as error:
            raise UnavailableError(f"{path}: {error}") from error
        *answers, rest = re.split(r"(?:(?<=\n)|^)\n", said)
        if rest or len(answers) != len(line):
            raise UnavailableError(f"{path}: HAProxy broke off its answer")
        return [answer.strip() for answer in answers]


def _word(entry: Entry) -> str:
    """Return the reason as one word: `;`, space and backslash mean something to HAProxy."""
    return _UNSAFE.sub("_", str(entry.fields.get("reason", ""))) or "listed"


def _lines(commands: Iterable[str]) -> Iterator[list[str]]:
    """Yield commands in lines as long as HAProxy takes them."""
    line: list[str] = []
    for command in commands:
        if line and sum(map(len, line)) + len(line) + len(command) > _LONGEST_LINE:
            yield line
            line = []
        line.append(command)
    if line:
        yield line
