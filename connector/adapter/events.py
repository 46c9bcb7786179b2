"""The base of adapters of targets that take events, and can never be read back."""

import hashlib
import json
from abc import abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar, Final, TypeVar

import msgspec

from connector.adapter.context import OutputContext
from connector.adapter.contract import EntryAdapter
from connector.adapter.fields import FieldSpec, Instant, Number, Text
from connector.adapter.held import Held
from connector.adapter.outcomes import Later, Outcome, Outcomes, Refused, Written
from connector.errors import RefusedError, UnavailableError
from connector.instants import system_clock, to_datetime
from connector.model import Entry, Observable, Subject
from connector.settings import EventSettings, OwnName

__all__ = ["EVENT_FIELDS", "EVENT_MAPPING", "Action", "Event", "EventAdapter", "Taken"]

EVENT_FIELDS: Final[Mapping[str, FieldSpec]] = {
    "name": Text(),
    "description": Text(),
    "severity": Text(),
    "category": Text(),
    "confidence": Number(0, 100),
    "feed": Text(),
    "indicator": Text(),
    "tlp": Text(),
    "valid_from": Instant(),
    "valid_until": Instant(),
}
"""The fields of events of a target that prescribes none."""
EVENT_MAPPING: Final[Mapping[str, Mapping[str, Any]]] = {
    "name": {"template": "{indicator.name}"},
    "confidence": {"from": "confidence"},
    "feed": {"from": "feed.name"},
    "indicator": {"from": "indicator.id"},
    "tlp": {"from": "marking"},
    "valid_from": {"from": "valid_from"},
    "valid_until": {"from": "valid_until"},
}
"""How they are filled unless the file says otherwise."""

_FOLDER: Final = ".events"
_GONE: Final = "gone"
_MIB: Final = 1024 * 1024


class Action(StrEnum):
    """What an event says of an entry: it came, has other fields, is still there, went."""

    ADD = "add"
    UPDATE = "update"
    RENEW = "renew"
    REMOVE = "remove"


class Event(msgspec.Struct, frozen=True):
    """What happened to an entry of the list, for the receiver.

    `key` names the entry, the same in all its events; one of removal has no fields.
    """

    action: Action
    entry: Entry
    key: str
    at: datetime


class Taken(msgspec.Struct, frozen=True):
    """How many events the receiver has, from the first; words on those that it refused, by place.

    A refused one counts as taken: it is not sent again.
    """

    count: int
    refused: Mapping[int, str] = MappingProxyType({})


_Kept = tuple[str, str, str]  # an entry's key, what its event says of it, the event
S = TypeVar("S", bound=EventSettings)


class EventAdapter(EntryAdapter[S]):
    """For targets that only take events, such as a syslog receiver, and can never be read back.

    There, `written` means that the receiver has the event. The core keeps events on disk while the
    receiver is away, in order, and sends them when it is back; until then an entry is `pending`.
    """

    part_bytes: ClassVar[int] = _MIB
    """About how many bytes of events `hand_over` gets at once."""

    def __init__(self, settings: S, context: OutputContext) -> None:
        super().__init__(settings, context)
        folder = context.publish_folder / _FOLDER / f"{self.tag}-{self._place()}"
        from connector.adapter.spool import Spool  # noqa: PLC0415 - only what sends events needs it

        self._spool = Spool(folder, settings.spool_mib * _MIB)
        self._away: UnavailableError | RefusedError | None = None
        self._told_full = False

    def _place(self) -> str:
        """Return a digest of the output's places, the same by whatever option it has its name."""
        places = [
            tuple(self.context.output if isinstance(part, OwnName) else part for part in place)
            for place in self.settings.places or ()
        ]
        names = json.dumps(sorted(map(repr, places)))
        return hashlib.sha256(names.encode()).hexdigest()[:12]

    @property
    def tag(self) -> str:
        """By what name events tell whose they are."""
        return self.settings.owner_tag or self.context.output

    @property
    def ttl_bound(self) -> timedelta | None:  # type: ignore[override] # by the options
        """How long an event speaks for: the core renews it after two thirds of that."""
        renew = self.settings.renew_every
        return None if renew is None else renew * 3 / 2

    @abstractmethod
    def worded(self, event: Event) -> str | Refused:
        """Return an event as the receiver takes it, or why it cannot."""

    @abstractmethod
    def hand_over(self, events: Sequence[str]) -> Taken:
        """Send events in order; return once the receiver has the first of them.

        Raises UnavailableError where nobody knows that it has: they are sent again.
        """

    def read(self) -> Iterable[Held]:
        """Raise UnavailableError: nobody can ask what became of events."""
        raise UnavailableError("the target takes events, and cannot be read back")

    def holds(self, _observables: Collection[Observable]) -> Iterable[Held]:
        """Return nothing: what others sent concerns no entry of ours."""
        return ()

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        """Send that entries came, changed or are still there."""
        return self._send([(entry, _said(entry)) for entry in entries])

    def remove(self, held: Sequence[Held]) -> Outcomes:
        """Send that entries went."""
        return self._send([(Entry(one.observable, handle=one.handle), _GONE) for one in held])

    def flush(self) -> None:
        """Send what waits; the core does it at the end of each cycle.

        Raises the receiver's error where that cannot be done, and says how much waits.
        """
        try:
            self._deliver()
        except (UnavailableError, RefusedError) as error:
            told = f"{error}; {len(self._spool):,} events wait on disk"
            if isinstance(error, RefusedError):
                raise RefusedError(told) from error
            raise UnavailableError(told, error.retry_after_seconds) from error
        finally:
            self._away = None  # the next cycle tries again

    def close(self) -> None:
        """Close the file of what waits."""
        self._spool.close()

    def _send(self, wanted: Sequence[tuple[Entry, str]]) -> Outcomes:
        """Keep the events that are new, send what waits, and return what became of each."""
        said: dict[Subject, Outcome] = {}
        fresh: list[tuple[Entry, _Kept]] = []
        keys = {entry.observable: self._key(entry.observable) for entry, _said in wanted}
        at = to_datetime(system_clock())
        for entry, says in wanted:
            key = keys[entry.observable]
            if self._is_known(key, entry, says):
                continue
            event = Event(self._action(key, entry, says), entry, key, at)
            text = self.worded(event)
            if isinstance(text, Refused):
                said[entry.observable] = text
            else:
                fresh.append((entry, (key, says, text)))
        lost = self._keep_and_send([one for _entry, one in fresh])
        full = Later(f"the spool is full: {self.settings.spool_mib} MiB of events wait")
        said.update((entry.observable, full) for entry, _one in fresh[len(fresh) - lost :])
        rest = ((entry, says) for entry, says in wanted if entry.observable not in said)
        for entry, says in rest:
            said[entry.observable] = self._outcome(keys[entry.observable], says)
        return said

    def _keep_and_send(self, events: Sequence[_Kept]) -> int:
        """Keep events and send what waits; return for how many of the last there is no room."""
        while True:
            kept = self._spool.append(events)
            events = events[kept:]
            try:
                if self._away is None:
                    self._deliver()
            except (UnavailableError, RefusedError) as error:
                self._away = error
            if not events or not kept or self._away is not None:
                self._tell_full(len(events))
                return len(events)

    def _is_known(self, key: str, entry: Entry, says: str) -> bool:
        """Return whether this event was kept before, so that it is not sent twice.

        Of one that the ledger has as handed over, and that does not wait, this is a renewal.
        """
        if self._spool.said(key) != says or key in self._spool.refused:
            return False
        renews = entry.handle == says and not self._spool.was_asked(key)
        return self._spool.waits(key) or not renews

    def _action(self, key: str, entry: Entry, says: str) -> Action:
        if says == _GONE:
            return Action.REMOVE
        told = self._spool.said(key)
        if entry.handle == says and told in (None, says):
            return Action.RENEW
        knows = told not in (None, _GONE) and key not in self._spool.refused
        return Action.UPDATE if entry.handle or knows else Action.ADD

    def _outcome(self, key: str, says: str) -> Outcome:
        if self._spool.waits(key):
            self._spool.note_asked(key)
            return Later(f"its event waits on disk: {self._away}")
        words = self._spool.refused.get(key)
        return Written(says) if words is None else Refused(words)

    def _deliver(self) -> None:
        for part in self._spool.parts(self.part_bytes):
            taken = self.hand_over([event.text for event in part])
            self._expect_possible(taken, len(part))
            for place, words in taken.refused.items():
                self._spool.refused[part[place].of] = words
            self._spool.note_taken(taken.count)
        self._told_full = False

    def _expect_possible(self, taken: Taken, given: int) -> None:
        """Raise TypeError where an adapter says of events what cannot be, as that loses some."""
        if not 0 < taken.count <= given or not all(0 <= at < taken.count for at in taken.refused):
            raise TypeError(
                f"{type(self).__name__}.hand_over() says that of {given:,} events the receiver "
                f"has {taken.count:,} and refused {sorted(taken.refused)}: the count is from 1 to "
                "as many as it was given, and counts the refused ones"
            )

    def _tell_full(self, lost: int) -> None:
        if lost and not self._told_full:
            self.context.log.warning(
                "output.spool_full", mib=self.settings.spool_mib,
                what="no more events are kept until the receiver takes some; entries wait",
            )  # fmt: skip
            self._told_full = True

    def _key(self, observable: Observable) -> str:
        named = f"{self.tag}|{observable.type}|{observable.value}"
        return hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _said(entry: Entry) -> str:
    """Return a digest of what an entry's event says."""
    told = repr(sorted(entry.fields.items())).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(told, digest_size=8).hexdigest()
