"""The command line: all commands; the module of each is imported when it is called."""

import errno
import os
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any, Final, NoReturn

import typer
from typer.core import TyperGroup

from connector import __version__
from connector.commands.terminal import BAD_CONFIG, FAILED, err, out
from connector.errors import ConfigError, ConnectorError

# The module of the same name in this package has a function, or a Typer with commands below it.
COMMANDS: Final[Mapping[str, str]] = {
    "check": "Validate the file and show every problem at once.",
    "run": "Run the daemon, or with --once a single pass.",
    "plan": "Show what would be written and held; write nothing.",
    "apply": "Accept exactly what is left of the hold with this id.",
    "refuse": "Leave the entries of a hold as they are.",
    "status": "Show the state of feeds, lists, outputs and holds.",
    "explain": "Show why a value is blocked, or why not.",
    "schema": "Print the configuration's JSON Schema for editors.",
    "docs": "Print the configuration reference as Markdown.",
    "demo": "Run everything on this machine, with sample data.",
    "map": "Show what an output's mapping makes of a sample.",
    "plugins": "Show, make and test adapters and feeds.",
    "outputs": "Show where outputs keep their lists; forget a place.",
    "withdraw": "Remove what an output left behind.",
    "feeds": "Show feeds, acknowledge gaps, purge objects.",
    "allow": "Manage exceptions; show the allowlist's effect.",
}


class ImportedCommands(Mapping[str, Any]):
    """The commands by name, each imported on first use."""

    def __getitem__(self, name: str) -> Any:
        if name not in COMMANDS:
            raise KeyError(name)
        found = getattr(import_module(f"connector.commands.{name}"), name)
        alone = typer.Typer(rich_markup_mode=None)
        if isinstance(found, typer.Typer):
            alone.add_typer(found, name=name)
        else:
            alone.command(name)(found)
        return typer.main.get_group(alone).commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class ImportingGroup(TyperGroup):
    """The group of all commands; its help imports none of them."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands: Any = ImportedCommands()

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order in which people need them."""
        return list(COMMANDS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write one line per command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


app = typer.Typer(
    cls=ImportingGroup,
    name="connector",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Keep blocklists and watchlists in step with shared threat feeds.",
)


def main() -> None:
    """Run a command; turn each error of ours into a sentence and an exit code."""
    # Pydantic would read what each installed package offers, in search of plugins of its own.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")
    try:
        app()
    except ConfigError as error:
        for problem in error.problems:
            err.print(problem, markup=False)
        sys.exit(BAD_CONFIG)
    except ConnectorError as error:
        err.print(f"connector: {error}", markup=False)
        sys.exit(FAILED)
    except BrokenPipeError:
        _drop_output()
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        err.print(f"connector: cannot write output: {error.strerror}", markup=False)
        _drop_output()


def _drop_output() -> NoReturn:
    """Exit when our output cannot be written, without trying to flush the buffer again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(FAILED)


def _version(*, value: bool) -> None:
    if value:
        out.print(f"connector {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Keep blocklists and watchlists in step with shared threat feeds."""
