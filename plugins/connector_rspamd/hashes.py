"""Maps as hashes of Redis, which Rspamd asks for each value that it looks up."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Final

from connector.adapter import (
    FieldValue,
    Full,
    Observable,
    Outcome,
    Outcomes,
    RedisFullError,
    RedisServer,
    Subject,
)

from .keys import MapName

__all__ = ["MapHashes"]

_LISTED: Final = b"1"  # Rspamd reads a number as the factor of the rule's score
_PART: Final = 1000
Command = tuple[str | bytes, ...]


class MapHashes:
    """The hashes of one output."""

    def __init__(self, server: RedisServer, keys: Mapping[MapName, str]) -> None:
        self._server = server
        self._keys = keys
        self._names = {key: name for name, key in keys.items()}

    def known_as(self) -> Collection[str]:
        """Return the hashes by the server that has them."""
        return self._server.known_as(self._names)

    def stamp(self) -> str:
        """Return which start of Redis this is, and what the hashes have."""
        return self._server.stamp(dict.fromkeys(self._names, RedisServer.HASH))

    def rows(self) -> Iterator[tuple[MapName, str, Mapping[str, FieldValue]]]:
        """Yield each map with its keys; another value than ours shows as a field."""
        for name, key, value in self._members():
            fields = {} if value == _LISTED else {"value": value.decode("utf-8", "replace")}
            yield name, key.decode("utf-8", "replace"), fields

    def _members(self) -> Iterator[tuple[MapName, bytes, bytes]]:
        hashes = dict.fromkeys(self._names, RedisServer.HASH)
        for key, (member, value) in self._server.members(hashes):
            yield self._names[key], member, value

    @contextmanager
    def draft(self) -> Iterator["HashDraft"]:
        """Open the next version of all hashes."""
        yield HashDraft(self)

    def close(self) -> None:
        """Close the connection."""
        self._server.close()

    def replace(self, wanted: Mapping[MapName, Mapping[bytes, Observable]]) -> Outcomes:
        """Add what is missing and delete all else, in one transaction if there is room for it."""
        missing: dict[MapName, dict[bytes, Observable]] = {
            name: dict(wanted.get(name, {})) for name in self._keys
        }
        gone: dict[MapName, list[bytes]] = defaultdict(list)
        for name, member, value in self._members():
            if member not in wanted.get(name, {}):
                gone[name].append(member)
            elif value == _LISTED:
                del missing[name][member]
        deletes = [command for name in gone for command in self._deletes(name, gone[name])]
        adds = [part for name in missing for part in self._adds(name, missing[name])]
        try:
            self._server.do([*deletes, *(command for command, _ in adds)])
        except RedisFullError:
            self._server.do(deletes)
            return self._what_fits(adds)
        return {}

    def _deletes(
        self, name: MapName, members: Sequence[bytes]
    ) -> Iterator[tuple[str | bytes, ...]]:
        for at in range(0, len(members), _PART):
            yield ("HDEL", self._keys[name], *members[at : at + _PART])

    def _adds(
        self, name: MapName, members: Mapping[bytes, Observable]
    ) -> Iterator[tuple[Command, Sequence[Observable]]]:
        rest = iter(members.items())
        while part := list(islice(rest, _PART)):
            pairs = (word for member, _ in part for word in (member, _LISTED))
            yield ("HSET", self._keys[name], *pairs), [one for _, one in part]

    def _what_fits(self, adds: Sequence[tuple[Command, Sequence[Observable]]]) -> Outcomes:
        """Add parts until Redis is full; the entries of the others found no room."""
        full: dict[Subject, Outcome] = {}
        for command, observables in adds:
            try:
                if not full:
                    self._server.do([command])
                    continue
            except RedisFullError:
                pass
            full |= dict.fromkeys(observables, Full())
        return full


class HashDraft:
    """The next version of all hashes."""

    def __init__(self, hashes: MapHashes) -> None:
        self._hashes = hashes
        self._wanted: dict[MapName, dict[bytes, Observable]] = defaultdict(dict)

    def put(self, name: MapName, one: Observable) -> None:
        """Add an entry to a map."""
        self._wanted[name][one.value.encode()] = one

    def publish(self) -> Outcomes:
        """Make the hashes what was put here."""
        return self._hashes.replace(self._wanted)
