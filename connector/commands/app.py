"""The commands, each a few lines over the floors below."""

import errno
import os
import sys
from datetime import UTC, datetime
from typing import Annotated, Final, NoReturn

import typer

from connector import __version__
from connector.commands import feeds as feeding
from connector.commands.allow import allow_app
from connector.commands.impact import impact
from connector.commands.logs import set_up_logs
from connector.commands.terminal import (
    CONFIG,
    AsJson,
    ConfigPath,
    ListGroup,
    err,
    leave,
    load_config,
    opened,
    out,
    print_json,
    who,
)
from connector.config.loading import load
from connector.config.reference import json_schema, reference_page
from connector.daemon.daemon import Daemon
from connector.errors import ConfigError, ConnectorError
from connector.registry import Registry
from connector.reports import formatting as screens
from connector.reports import status as answers
from connector.reports.explain import explain_value
from connector.reports.list_ages import age_words, list_ages
from connector.service.once import Outcome, accept, propose_all, run_once
from connector.service.service import Service
from connector.service.state import AlreadyRunningError

OK: Final = 0
FAILED: Final = 1
BAD_CONFIG: Final = 2
HELD: Final = 3
OUT_OF_DATE: Final = 4

app = typer.Typer(
    name="connector",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Keeps blocklists and watchlists in step with shared threat feeds.",
)
plugins_app = typer.Typer(cls=ListGroup, help="Adapters and feeds that are installed.")
app.add_typer(plugins_app, name="plugins")
app.add_typer(feeding.app, name="feeds")
app.add_typer(allow_app, name="allow")


def main() -> None:
    """Run a command; what we know how to tell becomes a sentence and an exit code."""
    try:
        app()
    except ConfigError as error:
        for problem in error.problems:
            err.print(problem, markup=False)
        sys.exit(BAD_CONFIG)
    except ConnectorError as error:
        err.print(f"connector: {error}", markup=False)
        sys.exit(FAILED)
    except BrokenPipeError:
        _drop_output()
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        err.print(f"connector: what it prints cannot be kept: {error.strerror}", markup=False)
        _drop_output()


def _drop_output() -> NoReturn:
    """End where nobody takes what we print; what is still buffered must not be tried again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(FAILED)


def _version(*, value: bool) -> None:
    if value:
        out.print(f"connector {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Keep blocklists and watchlists in step with shared threat feeds."""


@app.command()
def check(
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
    shows_impact: Annotated[
        bool,
        typer.Option("--impact", help="Show what the file would change on each output as it is."),
    ] = False,
) -> None:
    """Validate the file: every problem at once, with file, line and path."""
    try:
        loaded = load(config, Registry.installed())
    except ConfigError as error:
        if as_json:
            print_json(
                {"valid": False, "problems": list(error.problems), "warnings": [], "notes": []}
            )
            leave(BAD_CONFIG)
        raise
    set_up_logs("console", "warning")
    ages = list_ages(loaded.warninglists, datetime.now(UTC).date())
    plans = {"plans": impact(loaded, Registry.installed())} if shows_impact else {}
    if as_json:
        said = {"warnings": list(loaded.warnings), "notes": list(loaded.notes)}
        print_json({"valid": True, "problems": [], **said, "warninglists": ages, **plans})
        return
    for warning in loaded.warnings:
        err.print(f"warning: {warning}", markup=False)
    for note in loaded.notes:
        err.print(f"note: {note}", markup=False)
    out.print(screens.summary(loaded))
    out.print(age_words(ages), markup=False)
    screens.show_plans(out, plans.get("plans", ()))


@app.command()
def run(
    config: ConfigPath = CONFIG,
    once: Annotated[
        bool, typer.Option("--once", help="Poll every feed, sync every output, end.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the daemon; SIGTERM ends it after the write in hand, SIGHUP reloads the file."""
    if once:
        with opened(config, alone=True) as service, screens.progress(err) as shown:
            outcome = run_once(service, shown)
        if as_json:
            print_json(answers.outcome_json(outcome))
        else:
            screens.tell_outcome(err, outcome)
        leave(_exit_code(outcome))
    if as_json:
        raise typer.BadParameter("goes with --once: the daemon tells by its log and its server")
    loaded = load_config(config)
    daemon = Daemon(config, Registry.installed())
    daemon.obey_signals()
    daemon.run(loaded)


def _exit_code(outcome: Outcome) -> int:
    if outcome.failures:
        return FAILED
    return HELD if outcome.held else OK


@app.command()
def plan(
    outputs: Annotated[list[str] | None, typer.Argument(help="Outputs; all when left out.")] = None,
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Show what would be written, writing nothing."""
    polls = True
    try:
        with opened(config, alone=True) as service:
            answer, failures = _plans(service, outputs, polls=polls)
    except AlreadyRunningError:  # a daemon polls and decides already: ask what it would do
        with opened(config) as service:
            answer, failures = _plans(service, outputs, polls=False)
    if as_json:
        print_json({"plans": answer, "failures": failures})
    else:
        screens.show_plans(out, answer)
    for failure in failures:
        err.print(f"connector: {failure}", markup=False)
    leave(FAILED if failures else OK)


def _plans(
    service: Service, outputs: list[str] | None, *, polls: bool
) -> tuple[list[answers.Json], list[str]]:
    for name in outputs or ():
        if name not in service.outputs:
            known = ", ".join(service.outputs)
            raise ConfigError([f"{name} is not an output of this configuration ({known})"])
    with screens.progress(err) as shown:
        proposals, failures = propose_all(service, outputs or None, shown, polls=polls)
    return [
        answers.plan_json(service, proposal, service.outputs[name])
        for name, proposal in proposals.items()
    ], failures


@app.command()
def apply(
    plan_id: Annotated[str, typer.Argument(metavar="PLAN_ID", help="Id of a held plan.")],
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Accept exactly that held plan."""
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


@app.command()
def status(config: ConfigPath = CONFIG, as_json: AsJson = False) -> None:
    """Show feeds, lists and outputs: freshness, buckets, held plans."""
    with opened(config) as service:
        answer = answers.status(service)
    if as_json:
        print_json(answer)
    else:
        screens.show_status(out, answer)
    leave(OK if answers.healthy(answer) else FAILED)


@app.command()
def explain(
    value: Annotated[str, typer.Argument(help="A value, defanged or plain, or an indicator's id.")],
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Show the whole chain for one value: claims, decisions, outputs, since and until when."""
    with opened(config) as service:
        service.take_up_hosts()  # the daemon knows the addresses behind our own hosts
        answer = explain_value(service, value)
    if as_json:
        print_json(answer)
    else:
        screens.show_explanation(out, answer)
    leave(OK if answer["found"] else FAILED)


@plugins_app.command("list")
def plugins_list(as_json: AsJson = False) -> None:
    """List the adapters and feeds that are installed, with what they can do."""
    registry = Registry.installed()
    found = [*registry.adapters(), *registry.feeds()]
    if as_json:
        print_json({"plugins": [screens.plugin_json(plugin) for plugin in found]})
    else:
        screens.show_plugins(out, found)
    leave(FAILED if any(plugin.error for plugin in found) else OK)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    print_json(json_schema(Registry.installed()))


@app.command()
def docs() -> None:
    """Print the reference of the configuration as Markdown."""
    sys.stdout.write(reference_page(Registry.installed()))


@app.command()
def demo(
    seconds: Annotated[
        int | None, typer.Option(help="End by itself after so many seconds.", min=1)
    ] = None,
    port: Annotated[
        int,
        typer.Option(help="Port of the list server; 0 picks a free one.", min=0, max=65535),
    ] = 0,
) -> None:
    """Run everything on this machine: a TAXII server with sample data, daemon, lists, live view."""
    from connector.demo import run_demo  # noqa: PLC0415 - nothing else needs the test server

    leave(run_demo(out, seconds=seconds, port=port))
