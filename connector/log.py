"""The log of all modules; imports structlog only when the first line is written.

The import takes as long as that of all our modules that reading the state needs.
"""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Lock
from typing import Any, Final

__all__ = ["log"]


class Log:
    """Writes lines like structlog's logger: a constant event name, and fields."""

    def __init__(self) -> None:
        self._set_up: Callable[[], None] | None = None
        self._setting_up = Lock()

    def set_up_by(self, set_up: Callable[[], None]) -> None:
        """Set the log up: now if a plugin has imported structlog, else before the first line."""
        if "structlog" in sys.modules:
            set_up()
        else:
            self._set_up = set_up

    def naming(self, **fields: Any) -> AbstractContextManager[None]:
        """Return a context manager that adds these fields to all lines of this thread."""
        from structlog.contextvars import bound_contextvars  # noqa: PLC0415 - as below

        return bound_contextvars(**fields)

    def __getattr__(self, level: str) -> Any:
        import structlog  # noqa: PLC0415 - most commands log nothing

        with self._setting_up:
            if self._set_up is not None:
                self._set_up()
                self._set_up = None
        return getattr(structlog.get_logger(), level)


log: Final = Log()
