"""How much may change without a person's word, and in which words a limit is broken."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple

_DAY: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may change without a person's word.

    A ratio counts the changes of one cycle, and for removals also the net loss over `window`.
    Fewer than `small` changes break no ratio, however small the list.
    """

    max_remove_ratio: float = 0.3
    max_add_ratio: float = 0.5
    max_evict_ratio: float = 0.2
    max_add: int | None = None
    max_remove: int | None = None
    window: timedelta = _DAY
    small: int = 20


class Window(NamedTuple):
    """What was added and removed over the window before this plan, of what limits count."""

    added: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits applied to one cycle of an output that has `before` entries; sentences come back."""

    limits: Limits
    before: int
    window: Window

    def adding_too_much(self, count: int) -> tuple[str, ...]:
        """Return what so many additions would break."""
        before, limits, broken = self.before, self.limits, []
        if not before:
            return ()
        if count >= limits.small and count / before > limits.max_add_ratio:
            broken.append(_share("add", count, before, limits.max_add_ratio))
        if limits.max_add is not None and count > limits.max_add:
            broken.append(f"would add {count:,} entries; max_add allows {limits.max_add:,}")
        return tuple(broken)

    def evicting_too_much(self, count: int) -> tuple[str, ...]:
        """Return what so many entries that others displace would break."""
        before, limits = self.before, self.limits
        if not before or count < limits.small or count / before <= limits.max_evict_ratio:
            return ()
        return (
            f"would displace {count:,} entries by rank, {count / before:.0%} of the {before:,} "
            f"there; max_evict_ratio allows {limits.max_evict_ratio:.0%}",
        )

    def removing_too_much(self, count: int, added: int) -> tuple[str, ...]:
        """Return what so many removals would break, beside so many additions."""
        before, limits, window = self.before, self.limits, self.window
        broken = []
        if limits.max_remove is not None and count > limits.max_remove:
            broken.append(
                f"would remove {count:,} entries; max_remove allows {limits.max_remove:,}"
            )
        if not before or not count:
            return tuple(broken)
        if count >= limits.small and count / before > limits.max_remove_ratio:
            return (_share("remove", count, before, limits.max_remove_ratio), *broken)
        lost = window.removed + count - window.added - added
        base = before + max(0, window.removed - window.added)
        if lost >= limits.small and lost / base > limits.max_remove_ratio:
            hours = limits.window.total_seconds() / 3600
            broken.append(
                f"would bring the loss of {hours:g} hours to {lost:,} entries, "
                f"{lost / base:.0%} of the {base:,} there before; "
                f"max_remove_ratio allows {limits.max_remove_ratio:.0%}"
            )
        return tuple(broken)


def _share(verb: str, count: int, before: int, allowed: float) -> str:
    return (
        f"would {verb} {count:,} entries, {count / before:.0%} of the {before:,} there; "
        f"max_{verb}_ratio allows {allowed:.0%}"
    )
