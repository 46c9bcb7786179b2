"""`connector explain`: the whole chain for one value."""

from typing import Annotated

import typer

from connector.commands.deciding import open_decider
from connector.commands.options import CONFIG, AsJson, ConfigPath
from connector.commands.terminal import FAILED, OK, exit_with, out, print_json
from connector.reports import formatting as screens
from connector.reports.explain import explain_value


def explain(
    value: Annotated[str, typer.Argument(help="A value, plain or defanged, or an indicator's id.")],
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Show why a value is blocked, or why not.

    Shows the whole chain: claims, decisions and outputs, with start and end times.
    """
    with open_decider(config) as decider:
        decider.allowlist.look_up_hosts(decider.now())  # the daemon knows their addresses, too
        answer = explain_value(decider, value)
    if as_json:
        print_json(answer)
    else:
        screens.show_explanation(out, answer)
    exit_with(OK if answer["found"] else FAILED)
