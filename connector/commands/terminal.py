"""What all commands share: their options, the two consoles, and the service opened on its store."""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from typer.core import TyperGroup

from connector.commands.logs import set_up_logs
from connector.config.loading import Loaded, load
from connector.outside import harmless
from connector.registry import Registry
from connector.service.build import assemble
from connector.service.service import Service
from connector.service.state import look_at_store, open_store, state_file

ConfigPath = Annotated[
    Path,
    typer.Option(
        "--config", "-c", envvar="CONNECTOR_CONFIG", help="The configuration file.",
        show_default="config.yaml", readable=False,
    ),
]  # fmt: skip
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
CONFIG: Final = Path("config.yaml")


class HarmlessConsole(Console):
    """A console on which no text acts: only what we write ourselves colours and moves."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield what is printed, with escapes in place of what is not printable."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(harmless(segment.text, keeps="\n"), segment.style)


out = HarmlessConsole(highlight=False, soft_wrap=True)
err = HarmlessConsole(stderr=True, highlight=False, soft_wrap=True)


class ListGroup(TyperGroup):
    """Commands of which `list` is meant where none is named."""

    # Typer has the type of a context under a private name only.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `list` where no command is."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


def print_json(answer: Any) -> None:
    """Print an answer as scripts read it."""
    text = json.dumps(answer, indent=2, ensure_ascii=False)
    shown = "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
    sys.stdout.write(shown + "\n")


def leave(code: int) -> NoReturn:
    """End the command with this exit code."""
    raise typer.Exit(code)


def load_config(path: Path) -> Loaded:
    """Return what the file says, and log as it says."""
    loaded = load(path, Registry.installed())
    set_up_logs(loaded.config.log.format, loaded.config.log.level)
    return loaded


@contextmanager
def opened(path: Path, *, alone: bool = False) -> Iterator[Service]:
    """Yield the configured service on its store, and close both; not `alone`, only to look."""
    loaded = load_config(path)
    store, there = (open_store(loaded), True) if alone else look_at_store(loaded)
    if not there:
        words = f"there is no state yet: {state_file(loaded)} is made by the first run"
        err.print(words, markup=False)
    try:
        service = assemble(loaded, Registry.installed(), store)
        try:
            yield service
        finally:
            service.close()
    finally:
        store.close()


def who() -> str:
    """Return who gives the command, for the records."""
    return os.environ.get("SUDO_USER") or os.environ.get("USER") or f"uid {os.getuid()}"
