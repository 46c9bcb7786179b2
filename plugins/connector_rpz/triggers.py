"""What the records of a name do, and what that means for an entry of ours."""

from collections.abc import Sequence
from typing import Final

from connector.adapter import Held, Observable

__all__ = ["Records", "held_at", "said"]

Records = tuple[tuple[str, str], ...]
"""Types and data, such as `CNAME` and `rpz-drop.`."""

_OPPOSITES: Final = frozenset({"rpz-passthru.", "rpz-tcp-only."})
_OURS: Final = frozenset({"CNAME", "A", "AAAA"})


def said(records: Records) -> str:
    """Return records as one text, which is the same for the same records."""
    return ", ".join(f"{kind} {text}" for kind, text in sorted(records)) or "nothing"


def held_at(one: Observable, found: Sequence[Records]) -> Held:
    """Return an entry by what each server has of it; where they differ, it differs from ours."""
    kept = [tuple(each for each in records if each[0] in _OURS) for records in found]
    action = " | ".join(sorted({said(records) for records in kept}))
    partly = "" if all(found) else "is at some of the servers, and not at the others"
    return Held(one, {"action": action}, contrary=_contrary(found, kept), partly=partly)


def _contrary(found: Sequence[Records], kept: Sequence[Records]) -> str:
    for records, ours in zip(found, kept, strict=True):
        for kind, text in ours:
            if kind == "CNAME" and text in _OPPOSITES:
                return text
        if records and not ours:
            return f"has {records[0][0]} by hand"
    return ""
