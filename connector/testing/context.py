"""What the core hands an adapter, for tests: the real client, which never really waits."""

from pathlib import Path

from connector.adapter import HttpSettings, OutputContext, Settings
from connector.http.client import Http

__all__ = ["output_context"]


def output_context(settings: Settings, folder: Path, output: str = "edge") -> OutputContext:
    """Return the context of an output with these options, which publishes into a folder."""
    http = Http(settings, sleep=_at_once) if isinstance(settings, HttpSettings) else None
    return OutputContext(output, folder, http=http, sleep=_at_once)


def _at_once(_seconds: float) -> None:
    """Wait not at all."""
