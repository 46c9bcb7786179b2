"""A list as configured: decides on claims, or says in words why, once all that asks is asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from connector.decisions.allowlist.allowlist import Allowlist
from connector.decisions.decide import Decision, decide
from connector.decisions.explain import explain, explain_all
from connector.decisions.policy import ListPolicy
from connector.decisions.records import ClaimRow
from connector.model import Reason, Subject
from connector.sync.judge import Judge

# Observables, each with all claims on it.
Chunk = Sequence[tuple[Subject, Sequence[ClaimRow]]]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list: its number in the store, its policy, and who gives it what a decision takes.

    `allowlist` returns the one in force, made.
    """

    number: int
    policy: ListPolicy
    judge: Judge
    allowlist: Callable[[], Allowlist]

    def decide(self, chunk: Chunk, now: int) -> list[Decision]:
        """Return what becomes of each observable, in their order."""
        claims = (claim for _observable, said in chunk for claim in said)
        verdicts = self.judge.verdicts(claims, now)
        allowlist, policy = self.allowlist(), self.policy
        return [
            decide(observable, said, verdicts, allowlist, policy, now) for observable, said in chunk
        ]

    def explain(
        self, observable: Subject, claims: Sequence[ClaimRow], now: int
    ) -> list[tuple[Reason, str]]:
        """Return each claim's reason among the others, in words if there is more to say."""
        verdicts = self.judge.verdicts(claims, now)
        return explain_all(observable, claims, verdicts, self.allowlist(), self.policy, now)

    def explain_alone(self, observable: Subject, claim: ClaimRow, now: int) -> tuple[Reason, str]:
        """Return one claim's own reason, in words if there is more to say."""
        verdicts = self.judge.verdicts([claim], now)
        return explain(observable, claim, verdicts, self.policy, now)
