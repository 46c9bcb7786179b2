"""Output of commands, for people and scripts: the two consoles, JSON and exit codes."""

import json
import os
import sys
from collections.abc import Iterable
from typing import Any, Final, NoReturn

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from connector.log import log
from connector.outside import harmless

OK: Final = 0
FAILED: Final = 1
BAD_CONFIG: Final = 2
HELD: Final = 3
OUT_OF_DATE: Final = 4


class HarmlessConsole(Console):
    """A console that escapes control characters in text; only our own styles take effect."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the segments, with unprintable characters escaped."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(harmless(segment.text, keeps="\n"), segment.style)


# A value such as `https://bad.example/:key:` is shown as it is, without a picture in it.
out = HarmlessConsole(highlight=False, soft_wrap=True, emoji=False)
err = HarmlessConsole(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def print_json(answer: Any) -> None:
    """Print an answer as JSON for scripts."""
    text = json.dumps(answer, indent=2, ensure_ascii=False)
    shown = "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
    sys.stdout.write(shown + "\n")


def begin_log(form: str, level: str) -> None:
    """Set the log up, before its first line: its form, and the lowest level to write."""

    def set_up() -> None:
        from connector.commands.logs import set_up_logs  # noqa: PLC0415 - it imports structlog

        set_up_logs(form, level)

    log.set_up_by(set_up)


def exit_with(code: int) -> NoReturn:
    """Exit the command with this code."""
    raise typer.Exit(code)


def current_user() -> str:
    """Return the user who runs the command, for the records."""
    return os.environ.get("SUDO_USER") or os.environ.get("USER") or f"uid {os.getuid()}"
