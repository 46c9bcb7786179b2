"""Staged roll-out in words: why an entry has not come to an output yet, and when it will."""

from collections.abc import Mapping
from typing import Final

from connector.config.pace import RolloutConfig
from connector.decisions.records import STANDING, UNFIT_REASONS, LedgerState
from connector.instants import span
from connector.model import Reason
from connector.reports.values import moment
from connector.store import evidence
from connector.store import queries as questions
from connector.store.outputs.rollouts import stood_since
from connector.store.transaction import Transaction

_KEPT_OFF: Final[Mapping[int, Reason]] = {
    LedgerState.REJECTED: Reason.REJECTED,
    LedgerState.CONTRARY: Reason.REJECTED,
    **UNFIT_REASONS,
}


def rollout_words(
    transaction: Transaction, output: int, rollout: RolloutConfig | None, number: int, now: int
) -> str:
    """Return since when an entry has stood at the other output, and until when it waits here."""
    if rollout is None:
        return ""
    row = questions.output_rows(transaction).get(rollout.after)
    found = evidence.entry_of(transaction, row.number, number) if row else None
    if found is None or found.mark not in STANDING | _KEPT_OFF.keys():
        return f"rollout: waits until it stands at output {rollout.after}"
    if found.mark not in STANDING:
        words = f"rollout: waits for output {rollout.after}, where it is "
        return words + ": ".join(filter(None, (_KEPT_OFF[found.mark], found.why)))
    stood = stood_since(transaction, output, number) or found.since
    due = stood + span(rollout.wait)
    if due <= now:
        return ""
    told = f"rollout: at output {rollout.after} since {moment(stood)}"
    return f"{told}, and here from {moment(due)} on"
