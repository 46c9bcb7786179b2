"""The demo's display: one line per event, and on a terminal a live panel below them."""

import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from connector.model import Reason
from connector.reports.values import Json

_ACTORS: Final = {
    "producer": "magenta", "connector": "bold cyan", "feed": "cyan", "list": "blue",
    "output": "blue", "firewall": "green", "resolver": "green", "problem": "bold red",
    "explain": "yellow", "demo": "bold",
}  # fmt: skip
_WIDEST: Final = 100
_STATES: Final = {"ok": "green", "held": "yellow", "never": "yellow"}
_MEANINGS: Final[Mapping[str, str]] = {
    Reason.UNREADABLE: "not valid STIX",
    Reason.UNSUPPORTED_PATTERN: "no observable can be read from it",
    Reason.NOT_ENFORCEABLE: "one observable alone is not enough",
    Reason.REVOKED: "revoked by its producer",
    Reason.NOT_YET_VALID: "not valid yet",
    Reason.EXPIRED: "no longer valid",
    Reason.WITHHELD: "its marking forbids it here",
    Reason.DESELECTED: "the list does not select it",
    Reason.ALLOWLISTED: "must never be stopped",
    Reason.SUPERSEDED: "another indicator provides the entry",
    Reason.WANTED: "on the list",
}


class Screen:
    """Prints lines with the time since the start, and the panel if there is a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._live: Live | None = None
        if console.is_terminal:
            self._live = Live(console=console, auto_refresh=False, vertical_overflow="visible")

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    @property
    def lively(self) -> bool:
        """Whether the output is a terminal."""
        return self._live is not None

    @property
    def seconds(self) -> float:
        """Seconds since the demo began."""
        return time.monotonic() - self._started

    def line(self, actor: str, text: str, style: str = "") -> None:
        """Print what an actor has just done."""
        line = Text(f"{self.seconds:6.1f} s  ", style="dim")
        line.append(f"{actor:<10} ", style=_ACTORS.get(actor, ""))
        line.append(text, style=style or "default")
        self._console.print(line)

    def heading(self, text: str) -> None:
        """Print a heading."""
        self._console.print()
        self._console.print(Text(text, style="bold"))

    def below(self, rows: Iterable[tuple[str, str]]) -> None:
        """Print facts in two columns, below the previous line."""
        table = Table.grid(padding=(0, 2, 0, 0))
        for left, right in rows:
            table.add_row(Text(f"  {left}", style="yellow"), Text(right))
        self._console.print(table)

    def commands(self, commands: Iterable[str]) -> None:
        """Print commands, each on one line, so that they can be copied."""
        for command in commands:
            self._console.print(Text(f"  {command}", style="yellow"), soft_wrap=True)

    def reasons(self, lists: Sequence[Json], claims: int) -> None:
        """Print how many claims each list takes, and why it leaves out the others."""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("  reason")
        for listed in lists:
            table.add_column(listed["name"], justify="right")
        table.add_column("meaning")
        for reason in reversed(Reason):
            counts = [listed["reasons"].get(reason.value, 0) for listed in lists]
            if any(counts):
                style = "green" if reason is Reason.WANTED else ""
                shown = [str(count) if count else "·" for count in counts]
                table.add_row(
                    f"  {reason.value}", *shown, Text(_MEANINGS.get(reason, ""), style="dim"),
                    style=style,
                )  # fmt: skip
        totals = [str(sum(listed["reasons"].values())) for listed in lists]
        meaning = Text(f"each column adds up to {claims} claims", style="dim")
        table.add_row("  all", *totals, meaning, style="bold")
        self._console.print(table)

    def panel(self, status: Json, lists_url: str, ending: str) -> None:
        """Show the current state."""
        if self._live is not None:
            # The terminal's ^C must fit after the last line, or it would move the panel.
            width = min(_WIDEST, self._console.width - len("^C") - 1)
            self._live.update(_panel(status, lists_url, ending, width), refresh=True)

    def end_panel(self) -> None:
        """Remove the panel."""
        if self._live is not None:
            self._live.transient = True
            self._live.stop()
            self._live = None


def _panel(status: Json, lists_url: str, ending: str, width: int) -> RenderableType:
    outputs = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    outputs.add_column("output")
    outputs.add_column("state")
    outputs.add_column("entries", justify="right")
    outputs.add_column("served at", overflow="fold")
    for output in status["outputs"]:
        outputs.add_row(
            output["name"], _state(output["state"]), str(output["written"]),
            f"{lists_url}/{output['list']}.txt",
        )  # fmt: skip
    return Panel(
        Group(*[_feed(feed) for feed in status["feeds"]], Text(), outputs),
        title="now", title_align="left", subtitle=ending, subtitle_align="right",
        border_style="dim", padding=(0, 1), width=width,
    )  # fmt: skip


def _feed(feed: Json) -> Text:
    age = feed["age_seconds"]
    line = Text("feed ", style="dim").append(feed["name"], style="default").append("  ")
    line.append_text(_state(feed["state"]))
    polled = "not polled yet" if age is None else f"polled {age} s ago"
    return line.append(f"  {feed['objects']} objects, {polled}", style="default")


def _state(state: str) -> Text:
    return Text(state, style=_STATES.get(state, "red"))
