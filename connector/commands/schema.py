"""`connector schema`: the JSON Schema of the configuration."""

from connector.commands.terminal import print_json
from connector.config.reference import json_schema
from connector.registry import Registry


def schema() -> None:
    """Print the configuration's JSON Schema for editors."""
    print_json(json_schema(Registry.installed()))
