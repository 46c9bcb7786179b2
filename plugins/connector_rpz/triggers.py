"""What the records of a name do, and what that means for an entry of ours."""

from collections.abc import Sequence
from typing import Final

from connector.adapter import Held, Observable

__all__ = ["Records", "held_at", "opposite_in", "ours_in", "said"]

Records = tuple[tuple[str, str], ...]
"""Types and data, such as `CNAME` and `rpz-drop.`."""

_OPPOSITES: Final = frozenset({"rpz-passthru.", "rpz-tcp-only."})
_OURS: Final = frozenset({"CNAME", "A", "AAAA"})


def said(records: Records) -> str:
    """Return records as one text, which is the same for the same records."""
    return ", ".join(f"{kind} {text}" for kind, text in sorted(records)) or "nothing"


def ours_in(records: Records) -> Records:
    """Return those of a name's records that have a type of ours."""
    return tuple(each for each in records if each[0] in _OURS)


def opposite_in(records: Records) -> str:
    """Return what lets a name pass; an empty text where nothing does."""
    return next((text for kind, text in records if kind == "CNAME" and text in _OPPOSITES), "")


def held_at(one: Observable, found: Sequence[Records]) -> Held:
    """Return an entry by what each server has of it.

    Its action is that of the servers that have one; what others put there against it aside.
    """
    kept = [ours_in(records) for records in found]
    there = [records for records in kept if records and not opposite_in(records)]
    contrary = _contrary(found, kept)
    action = " | ".join(sorted({said(records) for records in there or kept}))
    lacked = 0 < len(there) < len(found)
    partly = "is at some of the servers, and not at the others" if lacked else ""
    return Held(one, {"action": action}, contrary=contrary, partly=partly)


def _contrary(found: Sequence[Records], kept: Sequence[Records]) -> str:
    for records, ours in zip(found, kept, strict=True):
        if text := opposite_in(ours):
            return text
        if records and not ours:
            return f"has {records[0][0]} by hand"
    return ""
