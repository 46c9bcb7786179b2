"""`connector run`: the daemon, or one pass over everything."""

from typing import Annotated

import typer

from connector.commands.looking import load_config
from connector.commands.opening import open_service
from connector.commands.options import CONFIG, AsJson, ConfigPath
from connector.commands.terminal import FAILED, HELD, OK, err, exit_with, print_json
from connector.daemon.daemon import Daemon
from connector.registry import Registry
from connector.reports.outcome import outcome_json, tell_outcome
from connector.reports.progress import progress
from connector.service.once import RunResult, run_once


def run(
    config: ConfigPath = CONFIG,
    once: Annotated[
        bool, typer.Option("--once", help="Poll every feed and sync every output once, then exit.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the daemon, or with --once a single pass.

    SIGTERM stops it after the current write, SIGHUP reloads the file.
    """
    if once:
        with open_service(config, alone=True) as service, progress(err) as shown:
            outcome = run_once(service, shown)
        if as_json:
            print_json(outcome_json(outcome))
        else:
            tell_outcome(err, outcome)
        exit_with(_exit_code(outcome))
    if as_json:
        raise typer.BadParameter("needs --once; the daemon reports through its log and its server")
    loaded = load_config(config, Registry.installed())
    daemon = Daemon(config, Registry.installed())
    daemon.obey_signals()
    daemon.run(loaded)


def _exit_code(outcome: RunResult) -> int:
    if outcome.failures:
        return FAILED
    return HELD if outcome.held else OK
