"""`connector check`: whether a file is valid, and what it would change."""

from typing import Annotated, Any

import typer

from connector.commands.options import CONFIG, AsJson, ConfigPath
from connector.commands.terminal import BAD_CONFIG, begin_log, err, exit_with, out, print_json
from connector.config.loading import Loaded, load
from connector.errors import ConfigError
from connector.instants import utc_now
from connector.registry import Registry
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

    Each problem is shown with file, line and path.
    """
    try:
        loaded = load(config, Registry.installed())
    except ConfigError as error:
        if as_json:
            print_json(
                {"valid": False, "problems": list(error.problems), "warnings": [], "notes": []}
            )
            exit_with(BAD_CONFIG)
        raise
    begin_log("console", "warning")
    ages = list_ages(loaded.warninglists, utc_now().date())
    plans = _impact(loaded) if shows_impact else {}
    if as_json:
        said = {"warnings": list(loaded.warnings), "notes": list(loaded.notes)}
        print_json({"valid": True, "problems": [], **said, "warninglists": ages, **plans})
        return
    for warning in loaded.warnings:
        err.print(f"warning: {warning}", markup=False)
    for note in loaded.notes:
        err.print(f"note: {note}", markup=False)
    out.print(_summary(loaded))
    out.print(age_words(ages), markup=False)
    if shows_impact:
        _show_impact(plans)


def _impact(loaded: Loaded) -> dict[str, Any]:
    from connector.commands.impact import impact  # noqa: PLC0415 - only this looks at the state

    return impact(loaded, Registry.installed())


def _show_impact(found: dict[str, Any]) -> None:
    from connector.commands.impact import show_moves  # noqa: PLC0415 - the same
    from connector.reports.plans import show_plans  # noqa: PLC0415 - the same

    show_moves(out, found)
    show_plans(out, found["plans"])


def _summary(loaded: Loaded) -> str:
    """Return one line that sums up a valid file."""
    config = loaded.config
    counts = {
        "feed": len(config.feeds),
        "list": len(config.lists),
        "output": len(config.outputs),
    }
    words = ", ".join(f"{n} {kind}{'' if n == 1 else 's'}" for kind, n in counts.items())
    return f"{loaded.path}: valid: {words}"
