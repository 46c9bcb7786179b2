"""`connector demo`: everything on this machine, with sample data."""

from typing import Annotated

import typer

from connector.commands.terminal import exit_with, out
from connector.demo import run_demo


def demo(
    seconds: Annotated[
        int | None, typer.Option(help="Stop after this many seconds.", min=1)
    ] = None,
    port: Annotated[
        int,
        typer.Option(help="Port of the list server; 0 picks a free one.", min=0, max=65535),
    ] = 0,
) -> None:
    """Run everything on this machine, with sample data.

    Starts a TAXII server, the daemon, the list server and a live view.
    """
    exit_with(run_demo(out, seconds=seconds, port=port))
