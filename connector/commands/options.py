"""What the signatures of commands share: options, and groups with a default command."""

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
HoldId = Annotated[
    str, typer.Argument(metavar="HOLD_ID", help="Id of a hold; `connector status` shows them.")
]
CONFIG: Final = Path("config.yaml")


class ListGroup(TyperGroup):
    """A group of commands whose default is `list`."""

    # Typer exports the type of a context only under a private name.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert `list` if no command is given."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)
