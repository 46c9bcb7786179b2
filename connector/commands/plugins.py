"""`connector plugins`: the adapters and feeds that are installed."""

import typer

from connector.commands.options import AsJson, ListGroup
from connector.commands.terminal import FAILED, OK, exit_with, out, print_json
from connector.registry import Registry
from connector.reports import formatting as screens

plugins = typer.Typer(cls=ListGroup, help="Show the installed adapters and feeds.")


@plugins.command("list")
def plugins_list(as_json: AsJson = False) -> None:
    """Show the installed adapters and feeds."""
    registry = Registry.installed()
    found = [*registry.adapters(), *registry.feeds()]
    if as_json:
        print_json({"plugins": [screens.plugin_json(plugin) for plugin in found]})
    else:
        screens.show_plugins(out, found)
    exit_with(FAILED if any(plugin.error for plugin in found) else OK)
