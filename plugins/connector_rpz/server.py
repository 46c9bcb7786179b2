"""One primary of a policy zone: changes, what it has, its serial, and the zone as a whole."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import dns.rcode
import dns.tsig

from connector.adapter import UnavailableError

from .exchange import NO_RIGHTS, Exchange, failed, name_of, text_of
from .triggers import Records, opposite_in, ours_in
from .wire import (
    AXFR,
    EVERY,
    Found,
    absent,
    delete_all,
    encoded,
    message,
    query,
    record,
    same,
)  # fmt: skip

__all__ = ["Server"]

_DELETES: Final = tuple(map(delete_all, ("CNAME", "A", "AAAA")))
_SOA: Final = 6


class Server:
    """A primary of the zone, asked by one connection for each call."""

    def __init__(
        self, server: tuple[str, int], zone: str, key: tuple[str, str, str], wait: float
    ) -> None:
        self._server, self._wait, self.zone = server, wait, zone
        self._key = dns.tsig.Key(*key)
        self._zone = encoded(zone)

    def __str__(self) -> str:
        return name_of(self._server)

    def write(self, owners: Sequence[str], records: Records, ttl: int) -> str:
        """Give these names these records alone, all of them or none; return why it takes none.

        The text is empty where all is well. Records of other types are left as they are.
        """
        adds = [record(kind, text, ttl) for kind, text in records]
        with self._connected() as exchange:
            rcode = self._send(exchange, owners, [absent()], adds)
            if rcode == dns.rcode.YXDOMAIN:
                rcode = self._send(exchange, owners, (), [*_DELETES, *adds])
                # Beside records of another type, a CNAME is ignored in silence.
                if rcode == dns.rcode.NOERROR and not self._have(exchange, owners, records):
                    return f"{self} has other records at that name"
            return self._words_on(exchange, rcode)

    def remove(self, owners: Sequence[str], records: Records) -> str:
        """Delete what these names have of ours, mostly these records; return why it does not.

        What lets a name pass was put there by others and stays, as do records of other types.
        """
        with self._connected() as exchange:
            rcode = self._delete(exchange, owners, records)
            if rcode == dns.rcode.NXRRSET:  # all may be as they were before an option changed
                for owner in self._there(exchange, owners[:1]):
                    before = ours_in(self._records_of(exchange, owner))
                    if before and not opposite_in(before):
                        rcode = self._delete(exchange, owners, before)
            if rcode == dns.rcode.NXRRSET:
                rcode = self._delete_in_parts(exchange, owners, records)
            return self._words_on(exchange, rcode)

    def _delete(self, exchange: Exchange, owners: Sequence[str], records: Records) -> int:
        """Delete if all of these names have exactly these records; return what the server says."""
        return self._send(exchange, owners, [same(*one) for one in records], _DELETES)

    def _delete_in_parts(self, exchange: Exchange, owners: Sequence[str], records: Records) -> int:
        """Delete by halves what differs, and a name that has something else by what it has.

        That takes more messages with each name that differs, so not for those that are all gone.
        """
        rcode = self._send(exchange, owners, [absent()])
        if rcode != dns.rcode.YXDOMAIN:
            return rcode
        if len(owners) == 1:
            return self._delete_alone(exchange, owners[0])
        half = len(owners) // 2
        for part in (owners[:half], owners[half:]):
            rcode = self._delete(exchange, part, records)
            if rcode == dns.rcode.NXRRSET:
                rcode = self._delete_in_parts(exchange, part, records)
            if rcode != dns.rcode.NOERROR:
                break
        return rcode

    def _delete_alone(self, exchange: Exchange, owner: str) -> int:
        kept = ours_in(self._records_of(exchange, owner))
        if not kept or opposite_in(kept):
            return int(dns.rcode.NOERROR)
        return self._delete(exchange, [owner], kept)

    def _words_on(self, exchange: Exchange, rcode: int) -> str:
        """Return why a server does not take an update that it could; raise where it takes none."""
        if rcode in NO_RIGHTS and self._send(exchange, ()) == dns.rcode.NOERROR:
            return f"{self} answered {text_of(rcode)}"
        if rcode != dns.rcode.NOERROR:
            raise failed(str(self), rcode)
        return ""

    def _have(self, exchange: Exchange, owners: Sequence[str], records: Records) -> bool:
        """Return whether all of these names have exactly these records."""
        rcode = self._send(exchange, owners, [same(kind, text) for kind, text in records])
        if rcode not in {dns.rcode.NOERROR, dns.rcode.NXRRSET}:
            raise failed(str(self), rcode)
        return rcode == dns.rcode.NOERROR

    def look_up(self, owners: Sequence[str]) -> Mapping[str, Records]:
        """Return what those of these names have that are in the zone.

        A plain query could not tell a name from one that a wildcard stands for; a condition can.
        """
        with self._connected() as exchange:
            there = self._there(exchange, owners)
            return {owner: self._records_of(exchange, owner) for owner in there}

    def _there(self, exchange: Exchange, owners: Sequence[str]) -> Sequence[str]:
        """Return those of these names that are in the zone, mostly none."""
        rcode = self._send(exchange, owners, [absent()])
        if rcode not in {dns.rcode.NOERROR, dns.rcode.YXDOMAIN}:
            raise failed(str(self), rcode)
        if rcode == dns.rcode.NOERROR or len(owners) == 1:
            return owners if rcode else ()
        half = len(owners) // 2
        return [
            *self._there(exchange, owners[:half]),
            *self._there(exchange, owners[half:]),
        ]

    def _records_of(self, exchange: Exchange, owner: str) -> Records:
        answer = exchange.ask(lambda number: query(number, self._zone, encoded(owner), EVERY))
        if answer.rcode != dns.rcode.NOERROR:
            raise failed(str(self), answer.rcode)
        return tuple(sorted((one.kind, one.text) for one in answer.records))

    def serial(self) -> int:
        """Return the serial of the zone, which every change raises."""
        with self._connected() as exchange:
            answer = exchange.ask(lambda number: query(number, self._zone, b"", _SOA))
            if answer.rcode != dns.rcode.NOERROR:
                raise failed(str(self), answer.rcode)
            for one in answer.records:
                if one.kind == "SOA" and one.owner == self.zone:
                    return int(one.text)
        raise UnavailableError(f"{self} has no zone {self.zone}")

    def zone_records(self) -> dict[str, Records]:
        """Return every name below the zone with its records; an incomplete zone raises."""
        found: dict[str, Records] = {}
        alike: dict[Records, Records] = {}
        cut = -len(self.zone) - 1
        for one in self._transferred():
            owner = one.owner[:cut]
            if owner:
                there = tuple(sorted((*found.get(owner, ()), (one.kind, one.text))))
                found[owner] = alike.setdefault(there, there)
        return found

    def _transferred(self) -> Iterator[Found]:
        """Yield the records between the two SOA of a transfer."""
        with self._connected() as exchange:
            ends = 0
            for answer in exchange.ask_for_many(
                lambda number: query(number, self._zone, b"", AXFR)
            ):
                if answer.rcode != dns.rcode.NOERROR:
                    raise failed(str(self), answer.rcode)
                for one in answer.records:
                    ends += one.kind == "SOA"
                    yield one
                if not ends:
                    raise UnavailableError(f"{self}: a transfer should begin with the zone's SOA")
                if ends > 1:
                    return

    def _send(
        self, exchange: Exchange, owners: Sequence[str], if_all: Sequence[bytes] = (),
        then: Sequence[bytes] = (),
    ) -> int:  # fmt: skip
        """Return what the server says to an update."""
        names = [encoded(owner) for owner in owners]
        answer = exchange.ask(lambda number: message(number, self._zone, names, if_all, then))
        return answer.rcode

    def _connected(self) -> Exchange:
        return Exchange(self._server, self._key, self._wait)
