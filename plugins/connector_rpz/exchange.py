"""A connection to a name server on which every message is signed (TSIG, RFC 8945), both ways."""

import secrets
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Self

import dns.exception
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TSIG
import dns.tsig

from connector.adapter import RefusedError, UnavailableError, utc_now

from .wire import Answer

__all__ = ["NO_RIGHTS", "Exchange", "failed", "name_of", "text_of"]

NO_RIGHTS: Final = frozenset({dns.rcode.REFUSED, dns.rcode.NOTAUTH, dns.rcode.NOTZONE})
_BAD_KEYS: Final = (dns.tsig.PeerError, dns.tsig.BadSignature, dns.tsig.BadKey, dns.tsig.BadTime)
_FUDGE: Final = 300
_MOST_UNSIGNED: Final = 100  # RFC 8945: of a transfer, at least each hundredth message is signed
_CLASS: Final = dns.rdataclass.ANY
_TYPE: Final = dns.rdatatype.TSIG
Make = Callable[[int], bytes]
TSIG: Final[Any] = dns.rdtypes.ANY.TSIG.TSIG  # dnspython has no types for these three
sign: Final[Any] = dns.tsig.sign
validate: Final[Any] = dns.tsig.validate


class Exchange:
    """One connection; what goes wrong on it is an error that the core acts on."""

    def __init__(self, server: tuple[str, int], key: dns.tsig.Key, wait: float) -> None:
        self._server, self._key, self._wait = server, key, wait
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        with self._failures_typed():
            self._socket = socket.create_connection(self._server, self._wait)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()

    def ask(self, make: Make) -> Answer:
        """Return the answer to a message, whatever it says."""
        return next(self.ask_for_many(make))

    def ask_for_many(self, make: Make) -> Iterator[Answer]:
        """Yield the messages of an answer, each once its signature is proven."""
        with self._failures_typed():
            number = secrets.randbelow(1 << 16)
            wire, mac = self._signed(make(number), number)
            self._send(wire)
        context, unproven = None, list[Answer]()
        while True:
            with self._failures_typed():
                answer = Answer(self._receive())
                if not answer.is_response or answer.number != number:
                    raise ValueError("answered something else")
                unproven.append(answer)
                if len(unproven) > _MOST_UNSIGNED:
                    raise ValueError("answered too much without a signature")
                context = self._proven(answer, mac, context)
            if answer.signature is not None:
                yield from unproven
                unproven.clear()

    def _signed(self, wire: bytes, number: int) -> tuple[bytes, bytes]:
        """Return a message with its signature, and what the answer's is made from."""
        key = self._key
        blank = TSIG(_CLASS, _TYPE, key.algorithm, 0, _FUDGE, b"", number, 0, b"")
        signed, _context = sign(wire, key, blank, _seconds())
        data = signed.to_wire()
        count = struct.unpack_from("!H", wire, 10)[0] + 1
        head = key.name.to_digestable() + struct.pack("!HHIH", _TYPE, _CLASS, 0, len(data))
        return wire[:10] + struct.pack("!H", count) + wire[12:] + head + data, signed.mac

    def _proven(self, answer: Answer, mac: bytes, context: Any) -> Any:
        """Return what proves the next message; the first one has to be signed."""
        if answer.signature is None:
            if context is None:
                raise failed(str(self), answer.rcode)
            context.update(answer.wire)
            return context
        start, owner, at, length = answer.signature
        data = dns.rdata.from_wire(_CLASS, _TYPE, answer.wire, at, length)
        name, now = dns.name.from_text(owner), _seconds()
        return validate(answer.wire, self._key, name, data, now, mac, start, context, multi=True)

    def _send(self, wire: bytes) -> None:
        assert self._socket is not None  # noqa: S101 - it is entered
        self._socket.sendall(struct.pack("!H", len(wire)) + wire)

    def _receive(self) -> bytes:
        return self._exactly(struct.unpack("!H", self._exactly(2))[0])

    def _exactly(self, size: int) -> bytes:
        assert self._socket is not None  # noqa: S101 - it is entered
        found = bytearray()
        while len(found) < size:
            if not (part := self._socket.recv(size - len(found))):
                raise EOFError("closed the connection before its answer was complete")
            found += part
        return bytes(found)

    def __str__(self) -> str:
        return name_of(self._server)

    @contextmanager
    def _failures_typed(self) -> Iterator[None]:
        try:
            yield
        except _BAD_KEYS as error:
            raise RefusedError(f"{self}: {error} (TSIG key, or a clock)") from error
        except (dns.exception.DNSException, OSError, EOFError, ValueError, struct.error) as error:
            words = str(error) or type(error).__name__
            raise UnavailableError(f"{self}: {words}") from error
        except IndexError as error:
            raise UnavailableError(f"{self}: its answer is cut off") from error


def name_of(server: tuple[str, int]) -> str:
    """Return how messages name a server."""
    return f"{server[0]} port {server[1]}"


def text_of(rcode: int) -> str:
    """Return how DNS names what a server says."""
    return str(dns.rcode.to_text(dns.rcode.Rcode(rcode)))


def failed(server: str, rcode: int) -> RefusedError | UnavailableError:
    """Return the error that an answer means; NOERROR is one where it was not signed."""
    words = f"{server} answered {text_of(rcode)}"
    if rcode == dns.rcode.NOERROR:
        words += " without a signature"
    return RefusedError(words) if rcode in NO_RIGHTS else UnavailableError(words)


def _seconds() -> int:
    return int(utc_now().timestamp())
