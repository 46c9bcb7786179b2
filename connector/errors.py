"""The errors, named by what happens next."""

from collections.abc import Sequence


class ConnectorError(Exception):
    """The base of all errors that the daemon handles; anything else is a bug."""


class StoppedError(Exception):
    """The service is stopping: the current write is done and recorded, the rest waits."""


class ConfigError(ConnectorError):
    """The operator must edit a file: nothing starts, a reload keeps the running configuration."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class UnavailableError(ConnectorError):
    """No answer, or half an answer: the last good state stays, the next cycle tries again."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class UndecidedError(UnavailableError):
    """A list is not decided yet: its outputs wait, and nothing is wrong with them."""


class RefusedError(ConnectorError):
    """Credentials, rights or licence: that feed or output pauses for 15 minutes."""


class RequestTooLargeError(UnavailableError):
    """The server takes only smaller requests; a batch of writes is then split."""


class BatchTooLargeError(ConnectorError):
    """The target takes only smaller batches; the core splits and continues with `largest`."""

    def __init__(self, largest: int, words: str = "") -> None:
        super().__init__(words or f"the target takes at most {largest} entries at once")
        self.largest = max(1, largest)
        self.words = words


class StoreError(ConnectorError):
    """Our own records are unreadable: we stop, as nothing may be removed without them."""
