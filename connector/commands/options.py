"""What the signatures of commands share: options, and groups that know what is meant."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

ConfigPath = Annotated[
    Path,
    typer.Option(
        "--config", "-c", envvar="CONNECTOR_CONFIG", help="The configuration file.",
        show_default="config.yaml", readable=False,
    ),
]  # fmt: skip
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
CONFIG: Final = Path("config.yaml")


class ListGroup(TyperGroup):
    """Commands of which `list` is meant where none is named."""

    # Typer has the type of a context under a private name only.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `list` where no command is."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)
