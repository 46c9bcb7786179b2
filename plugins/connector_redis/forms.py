"""What a key of Redis may be: a set, a hash or a sorted set, with the commands of each."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from connector.adapter import Entry, FieldValue, Held, Observable, ObservableType, RedisServer

__all__ = ["FORMS", "Form"]


class Form:
    """A set: the values alone."""

    kind = RedisServer.SET

    def ask(self, key: str, some: Sequence[Observable]) -> tuple[str, ...]:
        """Return the command that asks for members."""
        return ("SMISMEMBER", key, *(one.value for one in some))

    def add(self, key: str, some: Sequence[Entry]) -> tuple[str, ...]:
        """Return the command that adds members, or writes their values anew."""
        return ("SADD", key, *(entry.value for entry in some))

    def remove(self, key: str, some: Sequence[Observable]) -> tuple[str, ...]:
        """Return the command that removes members."""
        return ("SREM", key, *(one.value for one in some))

    def held(self, kind: ObservableType, row: Sequence[Any]) -> Held | None:
        """Return the entry of a member and its value; None for what is no text."""
        try:
            return Held(Observable(kind, row[0].decode()), self.fields(row))
        except UnicodeDecodeError:
            return None

    def fields(self, _row: Sequence[Any]) -> Mapping[str, FieldValue]:
        """Return what a member says besides."""
        return {}


class _Hash(Form):
    kind = RedisServer.HASH

    def ask(self, key: str, some: Sequence[Observable]) -> tuple[str, ...]:
        return ("HMGET", key, *(one.value for one in some))

    def add(self, key: str, some: Sequence[Entry]) -> tuple[str, ...]:
        pairs = ((entry.value, _as_json(entry.fields)) for entry in some)
        return ("HSET", key, *(part for pair in pairs for part in pair))

    def remove(self, key: str, some: Sequence[Observable]) -> tuple[str, ...]:
        return ("HDEL", key, *(one.value for one in some))

    def fields(self, row: Sequence[Any]) -> Mapping[str, FieldValue]:
        """Return the fields; those that others changed differ from any of ours."""
        try:
            found = json.loads(row[1])
        except ValueError:
            found = None
        if isinstance(found, dict) and _as_json(found).encode() == row[1]:
            return found
        return {"altered": row[1].decode("utf-8", "replace")}


class _SortedSet(Form):
    kind = RedisServer.SORTED_SET

    def ask(self, key: str, some: Sequence[Observable]) -> tuple[str, ...]:
        return ("ZMSCORE", key, *(one.value for one in some))

    def add(self, key: str, some: Sequence[Entry]) -> tuple[str, ...]:
        pairs = ((_score(entry), entry.value) for entry in some)
        return ("ZADD", key, *(part for pair in pairs for part in pair))

    def remove(self, key: str, some: Sequence[Observable]) -> tuple[str, ...]:
        return ("ZREM", key, *(one.value for one in some))


def _as_json(fields: Mapping[str, FieldValue]) -> str:
    return json.dumps(dict(fields), ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _score(entry: Entry) -> str:
    return "+inf" if entry.expires is None else f"{entry.expires.timestamp():.0f}"


FORMS: Final[Mapping[str, Form]] = {"set": Form(), "hash": _Hash(), "sorted_set": _SortedSet()}
