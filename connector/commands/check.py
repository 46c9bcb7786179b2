"""`connector check`: whether a file is right, and what it would change."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from connector.commands.impact import impact
from connector.commands.options import CONFIG, AsJson, ConfigPath
from connector.commands.terminal import BAD_CONFIG, begin_log, err, leave, out, print_json
from connector.config.loading import load
from connector.errors import ConfigError
from connector.registry import Registry
from connector.reports import formatting as screens
from connector.reports.list_ages import age_words, list_ages


def check(
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
    shows_impact: Annotated[
        bool,
        typer.Option("--impact", help="Also show what the file would change on each output."),
    ] = False,
) -> None:
    """Validate the file and show every problem at once.

    Each has file, line and path.
    """
    try:
        loaded = load(config, Registry.installed())
    except ConfigError as error:
        if as_json:
            print_json(
                {"valid": False, "problems": list(error.problems), "warnings": [], "notes": []}
            )
            leave(BAD_CONFIG)
        raise
    begin_log("console", "warning")
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
