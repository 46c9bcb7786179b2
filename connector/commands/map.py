"""`connector map`: what an output's mapping makes of a sample."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from connector.commands.looking import load_config
from connector.commands.options import CONFIG, AsJson, ConfigPath
from connector.commands.terminal import FAILED, OK, exit_with, out, print_json
from connector.registry import Registry
from connector.reports.sample import try_mapping
from connector.reports.values import defang

map = typer.Typer(help="Show what an output's mapping makes of a sample.")


@map.callback()
def _group() -> None:
    """Keep `try` a command of its own."""


@map.command("try")
def map_try(
    output: Annotated[str, typer.Argument(help="Name of the output.")],
    indicator: Annotated[
        Path, typer.Option("--indicator", help="File with a STIX object or bundle.")
    ],
    feed: Annotated[
        str, typer.Option(help="Feed whose sample it is.", show_default="first of its list")
    ] = "",
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Show an output's entries for the objects in a file.

    Nothing is written, neither at the target nor in the state. Exits with 1 if the output would
    get nothing.
    """
    registry = Registry.installed()
    loaded = load_config(config, registry)
    answer = try_mapping(loaded, registry, output, indicator, feed)
    if as_json:
        print_json(answer)
    else:
        _show(answer)
    goes = any(one["reason"] == "pending" for one in answer["observables"])
    exit_with(OK if goes else FAILED)


def _show(answer: dict[str, Any]) -> None:
    out.print(f"{answer['output']} ({answer['adapter']}), as an object of feed {answer['feed']}")
    for one in answer["observables"]:
        goes = one["reason"] == "pending"
        words = "" if goes else f": {one['reason']}" + (one["detail"] and f" ({one['detail']})")
        out.print(f"\n{one['type']} {defang(one['value'])}{words}", markup=False)
        table = Table.grid(padding=(0, 2), pad_edge=True)
        for name, value in one["fields"].items():
            table.add_row(name, str(value), "cut" if name in one["cut"] else "")
        for name in one["empty"]:
            table.add_row(name, "", "nothing to fill it with")
        out.print(table)
    for one in answer["unread"]:
        out.print(f"\n{one['indicator']}: {one['reason']} ({one['why']})", markup=False)
    if not answer["observables"] and not answer["unread"]:
        out.print("\nThe file has no indicator.")
