"""`connector apply`: accepts one held plan."""

from typing import Annotated

import typer

from connector.commands.opening import opened
from connector.commands.options import CONFIG, AsJson, ConfigPath
from connector.commands.terminal import FAILED, OK, OUT_OF_DATE, leave, out, print_json, who
from connector.service.once import accept
from connector.service.state import AlreadyRunningError


def apply(
    plan_id: Annotated[str, typer.Argument(metavar="PLAN_ID", help="Id of a held plan.")],
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Accept exactly the held plan with this id."""
    try:
        with opened(config, alone=True) as service:
            done = accept(service, plan_id, by=who(), waits=False)
    except AlreadyRunningError:
        with opened(config) as service:
            done = accept(service, plan_id, by=who(), waits=True)
    if as_json:
        facts = {"plan": plan_id, "applied": done.applied, "outdated": done.outdated}
        print_json({**facts, "words": done.words})
    else:
        out.print(done.words, markup=False)
    leave(OK if done.applied else OUT_OF_DATE if done.outdated else FAILED)
