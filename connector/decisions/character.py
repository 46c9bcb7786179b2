"""Whether a feed is out of character: its recent objects compared with what it had before.

Each bound is a share that a person can check by hand; the words give both numbers and the bound.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

GROWTH: Final = "growth"
PRODUCERS: Final = "producers"
KINDS: Final = "kinds"
TWINS: Final = "twins"
CHARACTER: Final = (GROWTH, PRODUCERS, KINDS, TWINS)


class Lately(NamedTuple):
    """What a feed has sent since a moment, and what it had before.

    `left` counts objects that it revoked or no longer showed, `strangers` the new objects of
    producers that it had never named, `odd` the new claims on types that it had never sent,
    `twins` the new indicators' claims on observables that its other indicators claim already.
    """

    kept: int = 0
    came: int = 0
    left: int = 0
    strangers: int = 0
    claims: int = 0
    odd: int = 0
    twins: int = 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """The largest shares that raise no alarm; None turns an alarm off."""

    growth: float | None = 0.5
    producers: float | None = 0.5
    kinds: float | None = 0.5
    twins: float | None = 0.5
    least: int = 100


def out_of_character(lately: Lately, bounds: Bounds) -> dict[str, tuple[str, int]]:
    """Return what is out of character, by name: in words, and the number of objects or claims.

    A first fill has no past to compare with, and a past of fewer than `least` objects is too small.
    """
    if not lately.kept or lately.kept < bounds.least:
        return {}
    return dict(_exceeded(lately, bounds))


def _exceeded(lately: Lately, bounds: Bounds) -> Iterator[tuple[str, tuple[str, int]]]:
    more = lately.came - lately.left
    found = (
        (GROWTH, more, lately.kept, bounds.growth, "more objects than the {whole} it had before"),
        (PRODUCERS, lately.strangers, lately.came, bounds.producers,
         "of {whole} new objects come from producers it never named before"),
        (KINDS, lately.odd, lately.claims, bounds.kinds,
         "of {whole} new claims are on observable types it never sent before"),
        (TWINS, lately.twins - lately.left, lately.claims, bounds.twins,
         "of {whole} new claims repeat existing ones under another id"),
    )  # fmt: skip
    for name, part, whole, bound, words in found:
        if bound is None or part < bounds.least or part <= bound * whole:
            continue
        told = words.format(whole=f"{whole:,}")
        share = f"{part / whole:.0%}; alarm.{name} allows {bound:.0%}"
        yield name, (f"{part:,} {told}, {share}", part)
