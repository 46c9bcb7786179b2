"""What an adapter said and showed, as tests compare it."""

from collections.abc import Iterable

from connector.adapter import Entry, Held, Outcomes, Written

__all__ = ["as_entries", "words_on"]


def words_on(outcomes: Outcomes) -> dict[str, str]:
    """Return the words on each value that was not written."""
    return {
        subject.value: outcome.words
        for subject, outcome in outcomes.items()
        if not isinstance(outcome, Written)
    }


def as_entries(found: Iterable[Held]) -> list[Entry]:
    """Return what was found as the entries that would be written for it."""
    return [Entry(held.observable, held.fields) for held in found]
