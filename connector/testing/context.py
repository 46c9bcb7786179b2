"""What the core hands an adapter, for tests: the real client, which never really waits."""

from functools import partial
from pathlib import Path

from connector.adapter import HttpSettings, ObservableType, OutputContext, Settings, TlsSettings
from connector.http.client import Http
from connector.http.tls import client_context

__all__ = ["output_context"]


def output_context(
    settings: Settings,
    folder: Path,
    output: str = "edge",
    types: frozenset[ObservableType] = frozenset(ObservableType),
) -> OutputContext:
    """Return the context of an output with these options, which publishes into a folder."""
    http = Http(settings, sleep=_at_once) if isinstance(settings, HttpSettings) else None
    tls = None
    if isinstance(settings, TlsSettings):
        tls = partial(client_context, settings.auth, settings.ca)
    return OutputContext(output, folder, http=http, tls=tls, sleep=_at_once, types=types)


def _at_once(_seconds: float) -> None:
    """Wait not at all."""
