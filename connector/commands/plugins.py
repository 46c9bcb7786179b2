"""`connector plugins`: the adapters and feeds that are installed; makes and tests new ones."""

import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from connector.commands.options import AsJson, ListGroup
from connector.commands.scaffold import Kind, make_plugin
from connector.commands.terminal import FAILED, OK, err, exit_with, out, print_json
from connector.registry import SUITES, Registry
from connector.reports import formatting as screens

plugins = typer.Typer(cls=ListGroup, help="Show, make and test adapters and feeds.")


@plugins.command("list")
def plugins_list(as_json: AsJson = False) -> None:
    """Show the installed adapters and feeds."""
    registry = Registry.installed()
    found = [*registry.adapters(), *registry.feeds()]
    if as_json:
        print_json({"plugins": [screens.plugin_json(plugin) for plugin in found]})
    else:
        screens.show_plugins(out, found)
    exit_with(FAILED if any(plugin.error for plugin in found) else OK)


@plugins.command("new")
def plugins_new(
    name: Annotated[str, typer.Argument(help="Name of the adapter, as files will write it.")],
    kind: Annotated[Kind, typer.Option(help="What its target takes.")] = Kind.LIST,
    folder: Annotated[Path, typer.Option(help="Where to make the package's folder.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Make the package of a new output plugin.

    It keeps every promise as it is made: an adapter, its tests, an emulator where it needs one.
    """
    made = make_plugin(name, kind, folder)
    if as_json:
        print_json({"name": name, "kind": kind.value, "files": [str(path) for path in made]})
    else:
        for path in made:
            out.print(str(path), markup=False)
        package = made[0].parent
        out.print(f"\nNext: pip install -e '{package}[test]' && pytest {package}", markup=False)
    exit_with(OK)


@plugins.command("test")
def plugins_test(
    name: Annotated[str, typer.Argument(help="Name of the adapter.")],
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="File with an output to test at.")
    ] = None,
    output: Annotated[str, typer.Option(help="That output: its real target is written to.")] = "",
    rows: Annotated[int, typer.Option(min=10, max=100_000, help="Entries of a large list.")] = 1100,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before writing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Test an adapter's promises.

    At its emulator, or with --config and --output at your own target: it says what it will write,
    and removes it again, also when interrupted.
    """
    if find_spec("pytest") is None:
        _say_no("the promises need pytest: pip install pytest")
    if (config is None) != (not output):
        _say_no("name both --config and --output, or neither")
    if config is None:
        verdict = _at_emulator(name)
    else:
        with _interrupted_by_sigterm():
            verdict = _at_target(name, config, output, rows, yes)
    if as_json:
        print_json(_verdict_json(name, verdict))
    else:
        _show(verdict)
    exit_with(OK if verdict.kept else FAILED)


def _at_emulator(name: str) -> Any:
    from connector.testing.conformance import run_promises  # noqa: PLC0415 - it imports pytest

    found = entry_points(group=SUITES, name=name)
    if not found:
        _say_no(
            f"{name} offers no suite ({SUITES} in its pyproject.toml): name --config and --output "
            "to test it at a target"
        )
    (point, *_others) = found
    return run_promises(f"from {point.module} import {point.attr} as TestPromises\n")


def _at_target(name: str, config: Path, output: str, rows: int, yes: bool) -> Any:
    # They import pytest, which not every installation has.
    from connector.testing.conformance import run_promises  # noqa: PLC0415
    from connector.testing.real_target import (  # noqa: PLC0415
        RealTarget,
        example_values,
        source_of,
    )

    with closing(RealTarget(config, output, rows)) as target:
        if target.adapter_name != name:
            _say_no(f"the adapter of {output} is {target.adapter_name}, not {name}")
        target.expect_free()
        values = target.values
        err.print(
            f"Writes up to {len(values):,} entries to the target of {output} ({name}), such as "
            f"{example_values(values)}, and removes them again. What others put there stays.",
            markup=False,
        )
        if not yes and not typer.confirm("Go on?", err=True):
            _say_no("nothing was written")
        try:
            return run_promises(source_of(config, output, rows))
        finally:
            target.clean()


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Let SIGTERM interrupt as Ctrl-C does, so that the target is cleaned."""

    def interrupt(_signal: int, _frame: Any) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _verdict_json(name: str, verdict: Any) -> dict[str, Any]:
    promises = [
        {"name": one.name, "outcome": one.outcome, "words": one.words} for one in verdict.promises
    ]
    return {"plugin": name, "kept": verdict.kept, "promises": promises, "speed": verdict.speed}


def _show(verdict: Any) -> None:
    for one in verdict.of("not asked"):
        out.print(f"not asked: {one.name}: {one.words}", markup=False)
    for one in verdict.of("broken"):
        out.print(f"BROKEN: {one.name}\n    {one.words}", markup=False)
    counts = {word: len(list(verdict.of(word))) for word in ("kept", "broken", "not asked")}
    out.print(", ".join(f"{count} {word}" for word, count in counts.items()))
    for words in verdict.speed:
        out.print(words, markup=False)
    if not verdict.ended:
        out.print("It was interrupted, and has cleaned up.")


def _say_no(words: str) -> NoReturn:
    err.print(f"connector: {words}", markup=False)
    exit_with(FAILED)
