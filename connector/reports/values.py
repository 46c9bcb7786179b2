"""Instants and values as reports write them."""

from datetime import UTC
from typing import Any

from connector.instants import NEVER, to_datetime

Json = dict[str, Any]


def moment(microseconds: int | None) -> str | None:
    """Return an instant as ISO 8601 in UTC with whole seconds; None stays None."""
    if microseconds is None or microseconds >= NEVER:
        return None
    return to_datetime(microseconds).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def defang(value: str) -> str:
    """Return a value in a form that cannot become a link: `bad[.]example`."""
    return value.replace("://", "[://]").replace(".", "[.]").replace("@", "[@]")
