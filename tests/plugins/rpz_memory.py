"""Name servers whose zones are in memory: how a policy zone is kept, without a server."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from connector_rpz.triggers import Records, opposite_in

LISTED: Records = (("CNAME", "."),)


class Memory:
    """A server with its zone, and the names that it refuses; zones last until `empty`."""

    zones: ClassVar[dict[str, dict[str, Records]]] = {}
    changes: ClassVar[int] = 0

    def __init__(self, server: tuple[str, int], *_: object) -> None:
        self.address = server[0]
        self.zones.setdefault(self.address, {})
        self.refuses: set[str] = set()

    @classmethod
    def empty(cls) -> None:
        """Forget all zones."""
        cls.zones.clear()

    @property
    def zone(self) -> dict[str, Records]:
        """What the server has."""
        return self.zones[self.address]

    def write(self, owners: Sequence[str], records: Records, _ttl: int) -> str:
        """Give these names these records, unless one of them is refused."""
        Memory.changes += 1
        if self.refuses.intersection(owners):
            return "answered REFUSED"
        self.zone.update(dict.fromkeys(owners, records))
        return ""

    def remove(self, owners: Sequence[str], _records: Records) -> str:
        """Delete these names, but for what others let pass."""
        Memory.changes += 1
        for owner in owners:
            if not opposite_in(self.zone.get(owner, ())):
                self.zone.pop(owner, None)
        return ""

    def look_up(self, owners: Sequence[str]) -> Mapping[str, Records]:
        """Return those of these names that are there."""
        return {owner: self.zone[owner] for owner in owners if owner in self.zone}

    def zone_records(self) -> Mapping[str, Records]:
        """Return the whole zone."""
        return dict(self.zone)

    def serial(self) -> int:
        """Return what each change raises."""
        return Memory.changes
