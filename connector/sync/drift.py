"""What others did to a target: the difference between the ledger and what was read back."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from connector.decisions.plan import Plan


class Drift(NamedTuple):
    """How many of our entries were gone or altered, and how many stood there that should not.

    Those are others' on a list of ours, and what we had removed and an older copy brought back.

    It is the target's change and no feed's: it is mended, and breaks no limit.
    """

    missing: int = 0
    altered: int = 0
    foreign: int = 0


NO_DRIFT = Drift()


def drift_of(
    plan: Plan, confirmed: Mapping[int, int], returned: Collection[int] = frozenset()
) -> Drift:
    """Return what a plan mends that was made from what the target holds.

    `confirmed` has the digest of each entry that the target had confirmed, of those that the plan
    writes. An entry that is written again as it was written before was altered by others.
    `returned` are those that we had removed and that are there again.
    """
    return Drift(
        missing=sum(number in confirmed for number in plan.add.numbers),
        altered=sum(confirmed.get(number) == digest for number, digest in plan.update),
        foreign=plan.drifted + sum(number in returned for number in plan.remove.numbers),
    )
