"""Whether a feed still is what it was: what came of late against what it kept before.

Each bound is a share that a person can check by hand; the words say both numbers and the bound.
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
    """What a feed brought since a moment, and what it kept before.

    `left` counts what it took back or showed no more meanwhile, `strangers` the new objects of
    producers that it never named before, `odd` the new claims on kinds of observable that it never
    sent before, `twins` the new indicators' claims on what other indicators of it claim already.
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
    """The largest shares that are no reason to tell anybody; None tells of nothing."""

    growth: float | None = 0.5
    producers: float | None = 0.5
    kinds: float | None = 0.5
    twins: float | None = 0.5
    least: int = 100


def out_of_character(lately: Lately, bounds: Bounds) -> dict[str, tuple[str, int]]:
    """Return what is unlike the feed's past: by name, in words, and how many objects or claims.

    A first fill has no past to be unlike, and a past of fewer than `least` objects says too little.
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
