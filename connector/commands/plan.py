"""`connector plan`: what would be written, writing nothing."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from connector.commands.looking import look
from connector.commands.opening import open_service
from connector.commands.options import CONFIG, AsJson, ConfigPath
from connector.commands.terminal import FAILED, OK, err, exit_with, out, print_json
from connector.errors import ConfigError
from connector.reports.held import held_plans, show_held
from connector.reports.plans import plan_json, show_plans
from connector.reports.progress import progress
from connector.reports.values import Json
from connector.service.once import propose_all
from connector.service.service import Service
from connector.service.state import AlreadyRunningError


def plan(
    outputs: Annotated[
        list[str] | None, typer.Argument(help="Names of outputs; all by default.")
    ] = None,
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
    held: Annotated[
        bool,
        typer.Option("--held", help="Only what waits for a person, read from the state alone."),
    ] = False,
) -> None:
    """Show what would be written and held; write nothing."""
    if held:
        _show_held(config, outputs, as_json=as_json)
        exit_with(OK)
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
        show_plans(out, answer)
    for failure in failures:
        err.print(f"connector: {failure}", markup=False)
    exit_with(FAILED if failures else OK)


def _plans(
    service: Service, outputs: list[str] | None, *, polls: bool
) -> tuple[list[Json], list[str]]:
    _expect_known(outputs, service.outputs)
    with progress(err) as shown:
        proposals, failures = propose_all(service, outputs or None, shown, polls=polls)
    return [plan_json(service, proposal) for proposal in proposals.values()], failures


def _expect_known(outputs: list[str] | None, known: Collection[str]) -> None:
    for name in outputs or ():
        if name not in known:
            words = f"{name} is not an output of this configuration ({', '.join(known)})"
            raise ConfigError([words])


def _show_held(config: Path, outputs: list[str] | None, *, as_json: bool) -> None:
    with look(config) as found:
        _expect_known(outputs, found.config.outputs)
        answer = held_plans(found, outputs or found.config.outputs)
    if as_json:
        print_json({"plans": answer, "failures": []})
        return
    for plan in answer:
        out.print(f"{plan['output']}:", markup=False)
        show_held(out, plan)
    if not answer:
        out.print("Nothing is held.")
