"""`connector outputs`: places of outputs, also those left behind; gives up the memory of these."""

from typing import Annotated

import typer

from connector.commands.looking import load_config, look
from connector.commands.options import CONFIG, AsJson, ConfigPath, ListGroup
from connector.commands.terminal import FAILED, OK, current_user, err, exit_with, out, print_json
from connector.registry import Registry
from connector.reports.places import places_json, show_places

outputs = typer.Typer(cls=ListGroup, help="Show where outputs keep their lists; forget a place.")


@outputs.command("list")
def list_outputs(config: ConfigPath = CONFIG, as_json: AsJson = False) -> None:
    """Show the places of all outputs, also those left behind."""
    with look(config) as looked:
        answer = places_json(looked)
    if as_json:
        print_json({"outputs": answer})
    else:
        show_places(out, answer)
    exit_with(OK)


@outputs.command("forget")
def forget(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the output.")],
    why: Annotated[str, typer.Option(help="Reason, for the person who reads this later.")],
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Give up what an output left behind.

    Its entries stay at the target, and from now on count as someone else's.
    """
    from connector.service.farewell import open_left_places  # noqa: PLC0415 - not for a look

    if not why.strip():
        err.print("connector: --why: give a reason, for the person who reads this later")
        exit_with(FAILED)
    registry = Registry.installed()
    with open_left_places(load_config(config, registry, tries=False), registry) as left:
        answer = left.forget(name, current_user(), why.strip())
    if as_json:
        print_json({"output": name, "forgotten": answer.count, "words": answer.words})
    else:
        out.print(answer.words, markup=False)
    exit_with(OK if answer.done else FAILED)
