"""The collections of the TAXII server: objects, stamps, filters and pages."""

import base64
import json
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from threading import Lock
from typing import Any, NamedTuple

MEDIA_TYPE = "application/taxii+json;version=2.1"
STIX_MEDIA_TYPE = "application/stix+json;version=2.1"


def write_stamp(moment: datetime) -> str:
    """Return the moment as TAXII servers write it, with six digits so that text sorts by time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Stored(NamedTuple):
    """One version of one object; rows sort by the time at which they were added."""

    date_added: str
    number: int
    id: str
    type: str
    version: str
    raw: bytes


class Slice(NamedTuple):
    """The rows of one page, and the token of the next page, if any."""

    rows: Sequence[Stored]
    next: str | None


@dataclass
class ServedCollection:
    """A collection and its objects; `root` is its API root."""

    id: str = "11111111-1111-4111-8111-111111111111"
    title: str = "Indicators"
    alias: str | None = None
    can_read: bool = True
    root: str = "public"
    rows: list[Stored] = field(default_factory=list, repr=False)
    _latest: dict[str, str] = field(default_factory=dict, repr=False)
    _versioned: bool = field(default=False, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def resource(self) -> dict[str, Any]:
        """The collection as TAXII describes it."""
        alias = {} if self.alias is None else {"alias": self.alias}
        return {
            "id": self.id,
            "title": self.title,
            **alias,
            "can_read": self.can_read,
            "can_write": True,
            "media_types": [STIX_MEDIA_TYPE],
        }

    def add(
        self, objects: Iterable[Mapping[str, Any] | bytes], stamps: Callable[[], datetime]
    ) -> None:
        """Store objects, each with the next stamp, in the order of stamps."""
        with self._lock:
            for item in objects:
                self._add(item, write_stamp(stamps()))

    def _add(self, item: Mapping[str, Any] | bytes, date_added: str) -> None:
        document = json.loads(item) if isinstance(item, bytes) else item
        raw = item if isinstance(item, bytes) else json.dumps(item).encode()
        version = document.get("modified") or document.get("created") or date_added
        row = Stored(date_added, len(self.rows), document["id"], document["type"], version, raw)
        if self.rows and row < self.rows[-1]:
            insort(self.rows, row)
        else:
            self.rows.append(row)
        known = self._latest.get(row.id)
        self._versioned = self._versioned or known is not None
        self._latest[row.id] = version if known is None else max(known, version)

    def remove(self, object_id: str) -> None:
        """Delete all versions of an object, as a server's operator may."""
        with self._lock:
            self.rows = [row for row in self.rows if row.id != object_id]
            self._latest.pop(object_id, None)

    def page(self, query: Mapping[str, str], most: int, *, inclusive: bool = False) -> Slice:
        """Return the matching rows in the order added, at most `most`."""
        with self._lock:
            rows = self.rows
            start = self._start(query, inclusive)
            if not self._versioned and not any(key.startswith("match[") for key in query):
                taken = rows[start : start + most + 1]
            else:
                coming = (row for row in islice(rows, start, None) if self._matches(row, query))
                taken = list(islice(coming, most + 1))
        if len(taken) <= most:
            return Slice(taken, None)
        return Slice(taken[:most], _write_token(taken[most - 1]))

    def matching(self, query: Mapping[str, str], *, inclusive: bool = False) -> list[Stored]:
        """Return all matching rows in the order added."""
        with self._lock:
            start = self._start(query, inclusive)
            return [row for row in self.rows[start:] if self._matches(row, query)]

    def _start(self, query: Mapping[str, str], inclusive: bool) -> int:
        if token := query.get("next"):
            date_added, number = _read_token(token)
            return bisect_left(self.rows, (date_added, number + 1))
        after = query.get("added_after")
        if after is None:
            return 0
        stamp = write_stamp(datetime.fromisoformat(after))
        side = bisect_left if inclusive else bisect_right
        return side(self.rows, stamp, key=lambda row: row.date_added)

    def _matches(self, row: Stored, query: Mapping[str, str]) -> bool:
        ids, types = query.get("match[id]"), query.get("match[type]")
        if ids is not None and row.id not in ids.split(","):
            return False
        if types is not None and row.type not in types.split(","):
            return False
        wanted = query.get("match[version]", "last").split(",")
        latest = "last" in wanted and row.version == self._latest[row.id]
        return latest or "all" in wanted or row.version in wanted


class Stamps:
    """Times at which objects are added: those of the clock, and never the same twice."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._last = datetime.min.replace(tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return a moment later than all before."""
        self._last = max(self._clock(), self._last + timedelta(microseconds=1))
        return self._last


def _write_token(row: Stored) -> str:
    return base64.urlsafe_b64encode(f"{row.date_added}|{row.number}".encode()).decode()


def _read_token(token: str) -> tuple[str, int]:
    date_added, number = base64.urlsafe_b64decode(token).decode().split("|")
    return date_added, int(number)
