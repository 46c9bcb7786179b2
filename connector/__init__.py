"""Keeps blocklists and watchlists in step with shared threat feeds."""

import gc

__version__ = "0.1.0"


def collect_seldom() -> None:
    """Look for cycles seldom: classes live as long as the process, and our values form none.

    Both come by the hundred thousand. With Python's default threshold of 700 new ones, looking took
    a third of the time of a command's start, and of a cycle.
    """
    gc.set_threshold(200_000, 20, 100)
