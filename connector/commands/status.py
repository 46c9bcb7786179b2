"""`connector status`: the state of feeds, lists, outputs and holds."""

from connector.commands.looking import look
from connector.commands.options import CONFIG, AsJson, ConfigPath
from connector.commands.terminal import FAILED, OK, exit_with, out, print_json
from connector.reports import formatting as screens
from connector.reports import status as answers


def status(config: ConfigPath = CONFIG, as_json: AsJson = False) -> None:
    """Show the state of feeds, lists, outputs and holds."""
    with look(config) as looked:
        answer = answers.status(looked)
    if as_json:
        print_json(answer)
    else:
        screens.show_status(out, answer)
    exit_with(OK if answers.healthy(answer) else FAILED)
