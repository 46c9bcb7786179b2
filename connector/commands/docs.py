"""`connector docs`: the configuration reference."""

import sys

from connector.config.reference import reference_page
from connector.registry import Registry


def docs() -> None:
    """Print the configuration reference as Markdown."""
    sys.stdout.write(reference_page(Registry.installed()))
