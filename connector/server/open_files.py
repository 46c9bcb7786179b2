"""The limit of open files, which include connections and the state."""

import resource
from contextlib import suppress
from typing import Final

# We need no more, and child processes may loop over all possible file descriptors.
_ENOUGH: Final = 65_536


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one if possible; return the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return file_limit()
    with suppress(OSError, ValueError):  # a sandbox may forbid it
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return file_limit()


def file_limit() -> int:
    """Return how many files this process may have open now."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _ENOUGH if soft == resource.RLIM_INFINITY else soft
