"""The target itself: the routes of its class, its limits, and what goes wrong."""

import ssl
import threading
from collections.abc import Callable, Mapping
from email.utils import format_datetime
from typing import Final, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from connector.instants import SECOND, Clock, system_clock, to_datetime
from connector.testing.http_target.faults import Fault, Planned
from connector.testing.http_target.messages import ROUTE, Call, Reply
from connector.testing.http_target.server import Server
from connector.testing.http_target.work import Sessions, Tasks

_ERROR_PAGE: Final = b"<html><head><title>Service unavailable</title></head><body>...</body></html>"


class HttpTarget:
    """A context manager that serves the routes of its class on loopback until it exits.

    Tests read `calls`, in order, and set `largest_body`, the size in bytes beyond which a call gets
    413, and `rate`, how many calls are answered within how many seconds before 429. `pause` is
    called before each call is executed: it may wait, or move a clock. `refuses` has the words on
    values that the vendor does not take: handlers that answer for each item ask it. Override
    `refused` to ask for credentials, and `restart` to forget what the vendor's forgets.
    """

    largest_body: int | None = None
    rate: tuple[int, float] | None = None

    def __init__(self, *, tls: ssl.SSLContext | None = None, clock: Clock = system_clock) -> None:
        self.clock = clock
        self.calls: list[Call] = []
        self.sessions = Sessions(clock=clock)
        self.tasks = Tasks()
        self.refuses: dict[str, str] = {}
        self.pause: Callable[[Call], None] = lambda _call: None
        self._planned: list[Planned] = []
        self._answered: list[int] = []
        self._one_by_one = threading.RLock()
        self._released = threading.Event()
        self._routes = [
            (*getattr(found, ROUTE), found)
            for name in dir(type(self))
            if hasattr(found := getattr(type(self), name), ROUTE)
        ]
        self._server = Server(self, tls)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )
        self.url = f"{'https' if tls else 'http'}://localhost:{self._server.server_address[1]}"

    def fail(
        self, fault: Fault, on: str = "", *, times: int = 1, after: int = 0, seconds: int = 1
    ) -> Planned:
        """Apply a fault to the next `times` calls whose method and path contain `on`.

        The first `after` such calls succeed; `seconds` is the wait that a busy target asks for.
        """
        planned = Planned(fault, on, after, times, seconds)
        self._planned.append(planned)
        return planned

    def heal(self) -> None:
        """Call off all faults that have not happened."""
        self._planned.clear()

    def restart(self) -> None:
        """Start anew: sessions and connections end."""
        self.sessions.end()
        self._server.hang_up()

    def release(self) -> None:
        """Let stalled calls continue."""
        self._released.set()

    def called(self, part: str) -> list[Call]:
        """Return the calls whose method and path contain `part`, in order."""
        return [call for call in self.calls if part in f"{call.method} {call.path}"]

    def refused(self, call: Call) -> Reply | None:
        """Return the reply to a call that is refused; None for one to execute."""
        del call
        return None

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[Reply, Fault | None]:
        """Return the reply to a request, and what goes wrong with it; the server calls this."""
        parts = urlsplit(target)
        with self._one_by_one:
            call = Call(
                len(self.calls) + 1, method, unquote(parts.path), dict(parse_qsl(parts.query)),
                headers, body, target,
            )  # fmt: skip
            self.calls.append(call)
            planned = next(
                (one for one in self._planned if one.meets(f"{method} {call.path}")), None
            )
        fault = planned.fault if planned else None
        if fault is Fault.STALL:
            self._released.wait()
        self.pause(call)
        with self._one_by_one:
            if fault is Fault.SESSION_ENDS:
                self.sessions.end(used=True)
            refusal = self._before(call, planned)
            return (refusal or self.reply(call)), fault

    def _before(self, call: Call, planned: Planned | None) -> Reply | None:
        """Return the reply that prevents a call; None for one to execute."""
        prevented = _prevented(call, planned, self.clock()) if planned else None
        return prevented or self._over_rate() or self._too_large(call)

    def _over_rate(self) -> Reply | None:
        if self.rate is None:
            return None
        most, seconds = self.rate
        now = self.clock()
        self._answered = [at for at in self._answered if now - at < seconds * SECOND]
        if len(self._answered) >= most:
            wait = seconds - (now - self._answered[0]) / SECOND
            return Reply(429, b"Too many requests", {"Retry-After": str(max(1, round(wait)))})
        self._answered.append(now)
        return None

    def _too_large(self, call: Call) -> Reply | None:
        if self.largest_body is not None and len(call.body) > self.largest_body:
            return Reply(413, b"Payload too large")
        return None

    def reply(self, call: Call) -> Reply:
        """Return what the vendor answers to a call that nothing prevents."""
        if refusal := self.refused(call):
            return refusal
        known = False
        for method, pattern, handler in self._routes:
            if found := pattern.fullmatch(call.path):
                known = True
                if method == call.method:
                    reply: Reply = handler(self, call, **found.groupdict())
                    return reply
        return Reply(405 if known else 404, b"No such path")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()


def _prevented(call: Call, planned: Planned, now: int) -> Reply | None:
    match planned.fault:
        case Fault.BUSY:
            return Reply(429, b"Too many requests", {"Retry-After": str(planned.seconds)})
        case Fault.BUSY_UNTIL:
            until = format_datetime(to_datetime(now + planned.seconds * SECOND), usegmt=True)
            return Reply(429, b"Too many requests", {"Retry-After": until})
        case Fault.AWAY:
            return Reply(503, b"Service unavailable")
        case Fault.UNAUTHORIZED:
            return Reply(401, b"Unauthorized")
        case Fault.DENIED:
            return Reply(403, b"Forbidden")
        case Fault.RESET_BEFORE:
            return Reply(500)
        case Fault.ERROR_PAGE:
            return Reply(200, _ERROR_PAGE, {"Content-Type": "text/html"})
        case Fault.ECHO:
            said = [f"{name}: {value}" for name, value in call.headers.items()]
            return Reply(
                500, "\n".join([f"cannot handle {call.target}", *said]).encode() + call.body
            )
    return None
