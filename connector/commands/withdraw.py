"""`connector withdraw`: removes what an output left behind."""

from typing import Annotated

import typer

from connector.commands.looking import load_config
from connector.commands.options import CONFIG, AsJson, ConfigPath
from connector.commands.terminal import FAILED, OK, current_user, exit_with, out, print_json
from connector.registry import Registry
from connector.service.farewell import open_left_places


def withdraw(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the output.")],
    why: Annotated[str, typer.Option(help="Reason, for the audit.")] = "",
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Remove what an output left behind.

    Only what the ledger says is ours, at every place that it left. Where that needs credentials,
    -c names the earlier file, which had the output.
    """
    registry = Registry.installed()
    with open_left_places(load_config(config, registry, tries=False), registry) as left:
        answer = left.withdraw(name, current_user(), why.strip())
    if as_json:
        facts = {"output": name, "withdrawn": answer.count, "left": answer.left}
        print_json({**facts, "words": answer.words})
    else:
        out.print(answer.words, markup=False)
    exit_with(OK if answer.done else FAILED)
