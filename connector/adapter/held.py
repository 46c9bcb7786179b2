"""An entry as a target has it: what `read` and `holds` give, and what `remove` takes."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from connector.indicators.observables.canonical import UnfitValueError, canonical
from connector.model import NO_FIELDS, FieldValue, Observable, ObservableType

__all__ = ["Held", "held_twice", "observable_of", "observables_in"]

Fields = Mapping[str, FieldValue]
_WHERE: Final = "running and on disk differ"


def observable_of(type: ObservableType, text: str) -> Observable | None:
    """Return the observable that a target's own spelling means; None where it is no such value.

    Others write values in spellings of their own: `2001:DB8::7`, `203.0.113.9/24`, `Bad.Example.`.
    An address may be of either version, whichever type was given.
    """
    try:
        return canonical(type, text)
    except UnfitValueError:
        return None


def observables_in(raw: bytes) -> tuple[Observable, ...]:
    """Return what an indicator names; nothing where it is revoked, or is no readable indicator."""
    # A look at the state imports the contract, and reads no pattern.
    from connector.indicators.pattern.reader import read_pattern  # noqa: PLC0415
    from connector.indicators.stix import Unreadable, read_object  # noqa: PLC0415

    said = read_object(raw)
    if isinstance(said, Unreadable) or said.type != "indicator" or said.revoked:
        return ()
    if said.pattern is None or said.pattern_type not in (None, "stix"):
        return ()
    version = said.pattern_version or said.spec_version or "2.0"
    claims = read_pattern(said.pattern, version)
    return tuple(one.observable for one in claims if isinstance(one.observable, Observable))


class Held(msgspec.Struct, frozen=True):
    """An entry that is at the target.

    `fields` are those that the target tells; empty where it tells none. `handle` is the target's
    own name for the entry, which `remove` gets back. `contrary` says in words that the target has
    the opposite, such as an exception for a name that we would block: it never counts as written.
    `partly` says in words that a part of the target lacks it, such as one of several servers: what
    is ours is written again, and what others put there never counts as written. With both, a part
    has it and another its opposite: what is ours is left, and removed once nobody wants it.
    """

    observable: Observable
    fields: Fields = NO_FIELDS
    handle: str = ""
    contrary: str = ""
    partly: str = ""

    @property
    def type(self) -> ObservableType:
        """The observable's type."""
        return self.observable.type

    @property
    def value(self) -> str:
        """The observable's value."""
        return self.observable.value


def held_twice(
    running: Mapping[str, Fields], on_disk: Mapping[str, Fields], meant: Callable[[str], Observable]
) -> Iterator[Held]:
    """Yield the entries of a target that also keeps them in a file for its next start, by key.

    One on which the two do not agree gets a field `where`, so that it differs from any of ours: the
    core writes it again, or takes it out, whichever is due.
    """
    for key in running.keys() | on_disk.keys():
        here, there = running.get(key), on_disk.get(key)
        fields = (there if here is None else here) or NO_FIELDS
        yield Held(meant(key), fields if here == there else {**fields, "where": _WHERE})
