"""How the service logs: constant event names and fields, to stderr, for people or machines."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from connector.outside import harmless


def set_up_logs(form: str, level: str) -> None:
    """Send the log to stderr as `console` lines or as `json`, from a level upwards."""
    renderers: list[structlog.typing.Processor]
    if form == "json":
        renderers = [structlog.processors.JSONRenderer()]
    else:
        renderers = [_disarmed, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def _disarmed(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Let no text act on the terminal; what is no text is written as Python writes it, escaped."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = harmless(value, keeps="\n" if key == "exception" else "")
    return event
