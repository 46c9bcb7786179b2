"""Sets up the log: constant event names and fields, to stderr, for people or machines."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from connector.outside import harmless


def set_up_logs(form: str, level: str) -> None:
    """Send the log from this level upwards to stderr, as `console` lines or `json`."""
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
    """Escape text that would act on the terminal; write other values as Python does, escaped."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = harmless(value, keeps="\n" if key == "exception" else "")
    return event
