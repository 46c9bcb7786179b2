"""`connector plan`: what would be written, writing nothing."""

from typing import Annotated

import typer

from connector.commands.opening import open_service
from connector.commands.options import CONFIG, AsJson, ConfigPath
from connector.commands.terminal import FAILED, OK, err, exit_with, out, print_json
from connector.errors import ConfigError
from connector.reports import formatting as screens
from connector.reports.plans import plan_json
from connector.reports.progress import progress
from connector.reports.status import Json
from connector.service.once import propose_all
from connector.service.service import Service
from connector.service.state import AlreadyRunningError


def plan(
    outputs: Annotated[
        list[str] | None, typer.Argument(help="Names of outputs; all by default.")
    ] = None,
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Show what would be written; write nothing."""
    polls = True
    try:
        with open_service(config, alone=True) as service:
            answer, failures = _plans(service, outputs, polls=polls)
    except AlreadyRunningError:  # the daemon already polls and decides: show what it would do
        with open_service(config) as service:
            answer, failures = _plans(service, outputs, polls=False)
    if as_json:
        print_json({"plans": answer, "failures": failures})
    else:
        screens.show_plans(out, answer)
    for failure in failures:
        err.print(f"connector: {failure}", markup=False)
    exit_with(FAILED if failures else OK)


def _plans(
    service: Service, outputs: list[str] | None, *, polls: bool
) -> tuple[list[Json], list[str]]:
    for name in outputs or ():
        if name not in service.outputs:
            known = ", ".join(service.outputs)
            raise ConfigError([f"{name} is not an output of this configuration ({known})"])
    with progress(err) as shown:
        proposals, failures = propose_all(service, outputs or None, shown, polls=polls)
    return [
        plan_json(service, proposal, service.outputs[name]) for name, proposal in proposals.items()
    ], failures
