"""The demo: a TAXII server with sample data, daemon, lists and a live view on this machine."""

import signal
import sys
import tempfile
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import Any, Final, NoReturn

import structlog
from rich.console import Console

from connector.daemon.asked import Asked
from connector.demo.screen import Screen
from connector.demo.stage import Stage
from connector.demo.story import SHORT_LIFE, EndedError, Event, Story

__all__ = ["run_demo"]

_ENDING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_demo(console: Console, *, seconds: int | None, port: int) -> int:
    """Show the whole way of an indicator on this machine; return the exit code.

    Ends after `seconds`, on Ctrl-C or on SIGTERM; it then stops everything it started and removes
    the temporary folder.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    with (
        _ended_by_signals() as asked,
        _events() as events,
        tempfile.TemporaryDirectory(prefix="connector-demo-") as folder,
        Screen(console) as screen,
        Stage(Path(folder), port, SHORT_LIFE) as stage,
    ):
        story = Story(stage, screen, events, asked, deadline)
        try:
            story.tell(_program())
        except EndedError:
            screen.end_panel()
            screen.line("demo", _parting(story.finished))
    screen.line("demo", "ended: servers stopped, temporary folder removed")
    return 0


def _parting(finished: bool) -> str:
    return "ending ..." if finished else "ending before everything was shown ..."


def _program() -> str:
    """Return how this program was called, for commands that the viewer can copy."""
    return sys.argv[0] if Path(sys.argv[0]).name == "connector" else "connector"


@contextmanager
def _ended_by_signals() -> Iterator[Asked]:
    """Yield what Ctrl-C or a supervisor asks to end, for an orderly end."""
    asked = Asked()

    def ends(_signal: int, _frame: FrameType | None) -> None:
        asked.end()

    before = {number: signal.signal(number, ends) for number in _ENDING_SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _events() -> Iterator["SimpleQueue[Event]"]:
    """Yield the service's log as it is written, and keep it off the terminal."""
    events: SimpleQueue[Event] = SimpleQueue()

    def keep(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> NoReturn:
        events.put(dict(event))
        raise structlog.DropEvent

    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.format_exc_info, keep],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        cache_logger_on_first_use=False,
    )
    try:
        yield events
    finally:
        structlog.reset_defaults()
