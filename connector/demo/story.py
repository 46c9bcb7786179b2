"""The demo, scene by scene; the daemon's log reports what happens meanwhile."""

import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from queue import Empty, SimpleQueue
from typing import Any, Final

from connector.daemon.asked import Asked
from connector.demo.screen import Screen
from connector.demo.stage import POLL, Stage
from connector.errors import ConnectorError
from connector.instants import utc_now
from connector.reports.values import Json, defang
from connector.testing.samples.feed import MARKED_FOR_REVOCATION, NEVER_STOPPED, SHORT_LIVED

SHORT_LIFE: Final = timedelta(seconds=8)
_TICK_SECONDS: Final = 0.1
_STATUS_EVERY_SECONDS: Final = 0.5
_READING_SECONDS: Final = 3.0
_PATIENCE_SECONDS: Final = 30.0
_ASKED_ABOUT: Final = {
    NEVER_STOPPED: "firewall",
    "10.20.30.40": "firewall",
    "gmail.com": "resolver",
    "192.0.2.14": "firewall",
    "192.0.2.16": "firewall",
}

Event = dict[str, Any]


class EndedError(Exception):
    """The viewer has stopped the demo, or the time is up."""


class StuckError(ConnectorError):
    """Something that should have happened did not."""


class Story:
    """Shows what happens on a stage until it should end."""

    def __init__(
        self,
        stage: Stage,
        screen: Screen,
        events: "SimpleQueue[Event]",
        asked: Asked,
        deadline: float | None,
    ) -> None:
        self._stage = stage
        self._screen = screen
        self._events = events
        self._asked = asked
        self._deadline = deadline
        self._begun = False
        self._looked = 0.0
        self.finished = False

    def tell(self, program: str) -> None:
        """Show every scene, then the current state, until the end."""
        self._begin()
        self._first_lists()
        self._refusals()
        self._offer(program)
        self._wait(_READING_SECONDS)
        self._revocation()
        self._expiry()
        self.finished = True
        self._screen.heading("That was all. The daemon keeps running; Ctrl-C stops it.")
        self._wait(None)

    def _begin(self) -> None:
        stage, screen = self._stage, self._screen
        count = stage.objects
        screen.line("producer", f"a TAXII 2.1 server with {count:,} objects: {stage.taxii.url}")
        config = stage.start().config
        screen.line(
            "connector",
            f"the daemon is running: {len(config.feeds)} feed, {len(config.lists)} lists, "
            f"{len(config.outputs)} outputs; it polls every {POLL.seconds} s",
        )
        screen.line("connector", f"the list server is running: {stage.lists_url}/addresses.txt")

    def _first_lists(self) -> None:
        def all_written() -> bool:
            outputs = self._stage.status()["outputs"]
            return all(output["state"] == "ok" and output["written"] for output in outputs)

        self._wait_for(all_written, "the first lists")
        self._begun = self._screen.lively
        status = self._stage.status()
        self._screen.heading("What happened to every claim, on each list")
        self._screen.reasons(status["lists"], status["claims"])

    def _refusals(self) -> None:
        answers = self._stage.explain(*_ASKED_ABOUT)
        self._screen.heading("Why is this not blocked?  connector explain VALUE")
        self._screen.below(
            (defang(answer["value"]), _outcome(answer, output))
            for answer, output in zip(answers, _ASKED_ABOUT.values(), strict=True)
        )

    def _offer(self, program: str) -> None:
        config = self._stage.config
        self._screen.heading("Try it yourself, in another terminal")
        self._screen.commands(
            [
                f"curl {self._stage.lists_url}/addresses.txt",
                f"export CONNECTOR_CONFIG={config}",
                f"{program} status",
                f"{program} explain {NEVER_STOPPED}",
            ]
        )

    def _revocation(self) -> None:
        value = MARKED_FOR_REVOCATION
        self._screen.heading("A producer revokes an indicator")
        self._fetched("firewall", "addresses.txt", value)
        began = time.monotonic()
        indicator = self._stage.revoke(value)
        self._screen.line("producer", f"revokes {indicator}")
        self._gone("firewall", "addresses.txt", value)
        took = time.monotonic() - began
        words = f"{defang(value)} is gone, {took:.1f} s after its revocation"
        self._screen.line("firewall", words, "bold green")
        self._explained(value, "firewall")

    def _expiry(self) -> None:
        self._screen.heading("Another one expires: its valid_until passes")
        if SHORT_LIVED in self._stage.fetch("names.txt"):
            self._fetched("resolver", "names.txt", SHORT_LIVED)
        self._gone("resolver", "names.txt", SHORT_LIVED)
        took = (utc_now() - self._stage.short_lived_until).total_seconds()
        words = f"{defang(SHORT_LIVED)} is gone, {took:.1f} s after it expired"
        self._screen.line("resolver", words, "bold green")
        self._explained(SHORT_LIVED, "resolver")

    def _fetched(self, reader: str, file: str, value: str) -> None:
        lines = self._stage.fetch(file)
        if value not in lines:
            raise StuckError(f"{file} lacks {defang(value)}, which the sample feed contains")
        self._screen.line(
            reader, f"fetches {file}: {len(lines)} entries, including {defang(value)}"
        )

    def _gone(self, reader: str, file: str, value: str) -> None:
        what = f"{defang(value)} to leave {file}, which the {reader} fetches"
        self._wait_for(lambda: value not in self._stage.fetch(file), what)

    def _explained(self, value: str, output: str) -> None:
        answer = self._stage.explain(value)[0]
        self._screen.line("explain", f"{defang(value)}: {_outcome(answer, output)}")

    def _wait_for(self, done: Callable[[], bool], what: str) -> None:
        patient_until = time.monotonic() + _PATIENCE_SECONDS
        while not done():
            if time.monotonic() > patient_until:
                raise StuckError(f"waited {_PATIENCE_SECONDS:.0f} s in vain for {what}")
            self._tick()
        self._tell_events()

    def _wait(self, seconds: float | None) -> None:
        until = None if seconds is None else time.monotonic() + seconds
        while until is None or time.monotonic() < until:
            self._tick()

    def _tick(self) -> None:
        """Wait a moment: show what happened, and raise when it is time to end."""
        over = self._deadline is not None and time.monotonic() >= self._deadline
        if not over:
            self._asked.wait_for_end(_TICK_SECONDS)
        if over or self._asked.ending:
            raise EndedError
        if self._stage.failure is not None:
            raise self._stage.failure
        self._tell_events()
        if self._begun and time.monotonic() - self._looked >= _STATUS_EVERY_SECONDS:
            self._looked = time.monotonic()
            left = None if self._deadline is None else self._deadline - self._looked
            words = "Ctrl-C stops it" if left is None else f"ends in {left:.0f} s, or on Ctrl-C"
            self._screen.panel(self._stage.status(), self._stage.lists_url, words)

    def _tell_events(self) -> None:
        while True:
            try:
                event = self._events.get_nowait()
            except Empty:
                return
            for actor, text in _told(event):
                self._screen.line(actor, text)


def _told(event: Event) -> Iterable[tuple[str, str]]:
    """Yield the lines to show for a line of the log."""
    name = event["event"]
    if name == "feed.polled":
        words = _counted(event, ("new", "updated", "revoked", "withdrawn"))
        if words:
            yield "feed", f"{event['feed']} polled: {words}"
    elif name == "list.refreshed":
        if words := _counted(event, ("added", "removed", "changed")):
            yield "list", f"{event['list']} decided: {words}"
    elif name == "output.applied":
        if words := _counted(event, ("added", "updated", "removed", "rejected")):
            yield "output", f"{event['output']} written: {words}"
    elif event.get("level") in ("warning", "error", "critical"):
        facts = ", ".join(
            f"{key} {value}"
            for key, value in event.items()
            if key not in ("event", "level", "timestamp")
        )
        yield "problem", f"{name}: {facts}"


def _counted(event: Event, kinds: Iterable[str]) -> str:
    return ", ".join(f"{event[kind]} {kind}" for kind in kinds if event.get(kind))


def _outcome(answer: Json, output: str) -> str:
    """Return the outcome for exactly this value, without the prefixes around it."""
    for observable in answer["observables"]:
        if observable["value"] == answer["value"]:
            found = next(one for one in observable["outputs"] if one["name"] == output)
            why = found["detail"] or next(iter(claim["why"] for claim in observable["claims"]), "")
            return f"{found['reason']}: {defang(why)}" if why else str(found["reason"])
    return "no feed mentions it"
