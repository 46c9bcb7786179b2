"""Messages to a syslog receiver: over UDP, TCP and TLS, and when it is known to have them.

Syslog has no answer. Over TCP and TLS each part goes over a connection of its own, which we end
first: the receiver ends it too when it has read all of it. One that ends otherwise is no answer.
"""

import errno
import fcntl
import select
import socket
import ssl
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from connector.adapter import RefusedError, UnavailableError

__all__ = ["send_datagrams", "send_stream"]

_PACED: Final = 50
_PACE_SECONDS: Final = 0.005  # lets a receiver read: its buffer has room for a few hundred
_FIRST_ANSWER: Final = 0.05
_READ: Final = 4096
_LATE_MILLISECONDS: Final = 20
_NOT_READ: Final = "ended the connection before it had all; it may refuse our certificate"


def send_datagrams(host: str, port: int, messages: Sequence[bytes], seconds: float) -> int:
    """Send each message as a datagram (RFC 5426); return how many were sent.

    A machine that is there and has no receiver says so after a datagram: that one was lost. The
    first is given time for such an answer; no answer is no proof.
    """
    with failures_typed(f"{host}:{port}"):
        kind, name = _resolved(host, port, socket.SOCK_DGRAM)
        with socket.socket(kind, socket.SOCK_DGRAM) as datagrams:
            datagrams.settimeout(seconds)
            datagrams.connect(name)
            for at, message in enumerate(messages):
                datagrams.send(message)
                if at == 0 or (at + 1) % _PACED == 0:
                    time.sleep(_PACE_SECONDS if at else _FIRST_ANSWER)
                if error := datagrams.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    if at:
                        return at
                    raise OSError(error, "nobody listens there")
    return len(messages)


def send_stream(
    host: str,
    port: int,
    messages: Sequence[bytes],
    seconds: float,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Send messages with their lengths (RFC 6587 section 3.4.1, RFC 5425), and see them read.

    Raises UnavailableError where the receiver did not read all to the end.
    """
    stream = b"".join(b"%d %b" % (len(message), message) for message in messages)
    with (
        failures_typed(f"{host}:{port}"),
        socket.create_connection((host, port), timeout=seconds) as plain,
    ):
        if tls is None:
            plain.sendall(stream)
            plain.shutdown(socket.SHUT_WR)
            _expect_end(plain.recv)
            return
        with tls.wrap_socket(plain, server_hostname=host) as sealed:
            sealed.sendall(stream)
            left: socket.socket = sealed
            with suppress(ssl.SSLEOFError):  # many only end the connection
                left = sealed.unwrap()
                _expect_end(left.recv)
            _expect_acknowledged(left)


def _expect_end(receive: Callable[[int], bytes]) -> None:
    """Return when the receiver ends the connection, whatever it says before."""
    while receive(_READ):
        pass


def _expect_acknowledged(ended: socket.socket) -> None:
    """Raise OSError where the receiver ended a connection before all that we sent was there.

    With TLS 1.3 it looks at our certificate after we were let go on. What arrives after its end is
    answered with a reset, and until then nobody has acknowledged it.
    """
    late = select.poll()
    late.register(ended, 0)  # errors alone
    late.poll(_LATE_MILLISECONDS)
    unsent = int.from_bytes(fcntl.ioctl(ended, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    if ended.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or unsent:
        raise ConnectionResetError(errno.ECONNRESET, _NOT_READ)


def _resolved(host: str, port: int, kind: socket.SocketKind) -> tuple[int, tuple[object, ...]]:
    family, _, _, _, name = socket.getaddrinfo(host, port, type=kind)[0]
    return family, name


@contextmanager
def failures_typed(where: str) -> Iterator[None]:
    """Turn errors of the network into those that the core acts on."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        words = f"{where}: its certificate is not trusted ({error.verify_message}): check ca"
        raise UnavailableError(words) from error
    except ssl.SSLError as error:
        reason = (error.reason or str(error)).lower().replace("_", " ")
        if "alert" in reason and ("certificate" in reason or "unknown ca" in reason):
            words = f"{where}: refused our certificate ({reason}): check auth.client_cert"
            raise RefusedError(words) from error
        if isinstance(error, ssl.SSLEOFError):
            reason = _NOT_READ
        raise UnavailableError(f"{where}: TLS failed: {reason}") from error
    except TimeoutError as error:
        raise UnavailableError(f"{where}: did not read all that it was sent in time") from error
    except OSError as error:
        raise UnavailableError(f"{where}: {error.strerror or error}") from error
