"""A relay before a DNS server, on which one message or another goes wrong."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from connector.testing.adapter_suite import Trouble

_FORGED: Final = {"busy": 2, "a forgery": 0}
FAULTS: Final = ("lost after", "cut off", *_FORGED)
_TRANSFER: Final = b"\x00\xfc\x00\x01"  # type AXFR, class IN


class Relay:
    """Passes messages on, and the answers back; `fault` says what becomes of the n-th from now."""

    def __init__(self, port: int) -> None:
        self._server = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []
        self._fault, self._left, self._happened = "", 0, False
        self._start(self._accept)

    def trouble(self, fault: str) -> Trouble:
        """Return what can go wrong with a single message."""

        def at(call: int) -> Callable[[], bool]:
            self._fault, self._left, self._happened = fault, call, False
            return self._called_off

        return Trouble(fault, at)

    def _called_off(self) -> bool:
        self._left = 0
        return self._happened

    def close(self) -> None:
        """End it."""
        for one in (self._listener, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _start(self, work, *args) -> None:  # type: ignore[no-untyped-def]  # a thread's target
        self._threads.append(threading.Thread(target=work, args=args))
        self._threads[-1].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self._server)) as to:
            self._open.append(to)
            while (message := _message(client)) and self._passed(message, client, to):
                pass

    def _passed(self, message: bytes, client: socket.socket, to: socket.socket) -> bool:
        """Have a message answered; return whether the connection goes on."""
        fault = self._due()
        if fault in _FORGED:
            rest = struct.pack("!HHHHH", 0xA800 | _FORGED[fault], 0, 0, 0, 0)
            client.sendall(struct.pack("!H", 12) + message[2:4] + rest)
            return True
        to.sendall(message)
        answer = _message(to)
        if fault:
            client.sendall(answer[: len(answer) // 2] if fault == "cut off" else b"")
            return False
        client.sendall(answer)
        while _TRANSFER in message and (part := to.recv(65_536)):
            client.sendall(part)
        return True

    def _due(self) -> str:
        if self._left == 0:
            return ""
        self._left -= 1
        if self._left:
            return ""
        self._happened = True
        return self._fault


def _message(connection: socket.socket) -> bytes:
    """Return a message with its length; nothing where the connection ended."""
    head = connection.recv(2, socket.MSG_WAITALL)
    if len(head) < 2:
        return b""
    return head + connection.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL)


@contextmanager
def relay(port: int) -> Iterator[Relay]:
    """Yield a relay before a server on loopback."""
    made = Relay(port)
    try:
        yield made
    finally:
        made.close()
