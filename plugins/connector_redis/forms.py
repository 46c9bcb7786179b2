"""What a key of Redis may be: a set, a hash or a sorted set, with the commands of each."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from connector.adapter import (
    Entry,
    FieldValue,
    Held,
    Observable,
    ObservableType,
    RedisServer,
    observable_of,
    utc_now,
)

__all__ = ["FORMS", "Form"]

_ODD: Final = "\0"  # no value of any type begins so


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
            one = Observable(kind, row[0].decode())
        except UnicodeDecodeError:
            return None
        if observable_of(kind, one.value) != one:  # the core would take it for what it means
            one = Observable(kind, f"{_ODD}{one.value}")
        return Held(one, self.fields(row), partly=self.lack(row))

    def fields(self, _row: Sequence[Any]) -> Mapping[str, FieldValue]:
        """Return what a member says besides."""
        return {}

    def lack(self, _row: Sequence[Any]) -> str:
        """Return why readers do not find a member, though it is there; nothing if they do."""
        return ""


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

    def lack(self, row: Sequence[Any]) -> str:
        """Return that a member has ended: of ours, others have moved the end."""
        return "its score says that it has ended" if float(row[1]) <= utc_now().timestamp() else ""


def _as_json(fields: Mapping[str, FieldValue]) -> str:
    return json.dumps(dict(fields), ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _score(entry: Entry) -> str:
    return "+inf" if entry.expires is None else f"{entry.expires.timestamp():.0f}"


FORMS: Final[Mapping[str, Form]] = {"set": Form(), "hash": _Hash(), "sorted_set": _SortedSet()}
