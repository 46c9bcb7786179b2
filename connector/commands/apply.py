"""`connector apply`: accepts one held plan."""

from typing import Annotated

import typer

from connector.commands.opening import open_service
from connector.commands.options import CONFIG, AsJson, ConfigPath
from connector.commands.terminal import (
    FAILED,
    OK,
    OUT_OF_DATE,
    current_user,
    exit_with,
    out,
    print_json,
)
from connector.service.state import AlreadyRunningError


def apply(
    plan_id: Annotated[str, typer.Argument(metavar="PLAN_ID", help="Id of a held plan.")],
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Accept exactly the held plan with this id."""
    try:
        with open_service(config, alone=True) as service:
            done = service.outputs.accept(plan_id, by=current_user())
    except AlreadyRunningError:
        with open_service(config) as service:
            done = service.outputs.hand_over(plan_id, by=current_user())
    if as_json:
        facts = {"plan": plan_id, "applied": done.applied, "outdated": done.outdated}
        print_json({**facts, "words": done.words})
    else:
        out.print(done.words, markup=False)
    exit_with(OK if done.applied else OUT_OF_DATE if done.outdated else FAILED)
