"""How many files this process may have open: connections are files, and so is the state."""

import resource
from contextlib import suppress
from typing import Final

# More is of no use to us, and what we start may walk through all that it may have open.
_ENOUGH: Final = 65_536


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one, where we may; return what holds then."""
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
