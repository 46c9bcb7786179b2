"""The words on what an adapter did not write, as tests compare them."""

from connector.adapter import Outcomes, Written

__all__ = ["words_on"]


def words_on(outcomes: Outcomes) -> dict[str, str]:
    """Return the words on each value that was not written."""
    return {
        subject.value: outcome.words
        for subject, outcome in outcomes.items()
        if not isinstance(outcome, Written)
    }
