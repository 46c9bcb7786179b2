"""What can go wrong with a call, and with which."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["AFTER_THE_WORK", "Fault", "Planned"]


class Fault(StrEnum):
    """What can go wrong with a call."""

    BUSY = "busy"  # 429 with Retry-After in seconds
    BUSY_UNTIL = "busy_until"  # 429 with Retry-After as a date
    AWAY = "away"  # 503
    UNAUTHORIZED = "unauthorized"  # 401, whatever the credentials are
    DENIED = "denied"  # 403
    SESSION_ENDS = "session_ends"  # every session that was used ends before the call is executed
    STALL = "stall"  # nothing is done before `release`
    RESET_BEFORE = "reset_before"
    ERROR_PAGE = "error_page"  # a page in HTML with status 200, from a proxy: nothing is done
    ECHO = "echo"  # 500, with all that the call said, its credentials too
    RESET_AFTER = "reset_after"
    CUT_OFF = "cut_off"  # half the body, then the connection ends
    HALF_JSON = "half_json"  # half the body, and a length that agrees


AFTER_THE_WORK: Final = frozenset({Fault.RESET_AFTER, Fault.CUT_OFF, Fault.HALF_JSON})
"""Faults of calls that were executed: only the answer is lost."""


@dataclass(slots=True)
class Planned:
    """A fault that waits for its calls; `happened` counts those that it met."""

    fault: Fault
    on: str
    after: int
    times: int
    seconds: int
    happened: int = 0

    def meets(self, called: str) -> bool:
        """Return whether the fault meets a call, and count it."""
        if self.on not in called or self.happened == self.times:
            return False
        if self.after:
            self.after -= 1
            return False
        self.happened += 1
        return True
