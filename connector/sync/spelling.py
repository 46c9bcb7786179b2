"""Values that a target gives in a spelling of its own, and what they mean."""

from collections import Counter
from collections.abc import Iterable, Sequence

from connector.indicators.observables.canonical import UnfitValueError, canonical, key_of
from connector.model import Observable, Subject
from connector.store.store import Store
from connector.store.transaction import Transaction


def numbers_of(
    subjects: Sequence[Subject], store: Store, odd: Counter[str], *, alone: bool
) -> dict[Subject, int]:
    """Return the numbers of what was read, also of entries in a spelling of the target's own.

    On a list that is ours `alone` those are to be written anew: whoever polls it reads them too.
    """
    with store.database.read() as transaction:
        known = _known(subjects, store, transaction)
        if len(known) == len(subjects):
            return known
        spelled = meant_by((one for one in subjects if one not in known), odd)
        meant = {one: right for one, right in spelled.items() if right is not None}
        if not meant or alone:
            return known
        found = store.wanted.numbers_of(transaction, list(meant.values()))
    return {**{one: found[right] for one, right in meant.items() if right in found}, **known}


def meanings_of(
    subjects: Sequence[Subject], store: Store, odd: Counter[str]
) -> dict[Subject, Observable | None]:
    """Return what was read in another spelling than ours, as `meant_by` does."""
    with store.database.read() as transaction:
        known = _known(subjects, store, transaction)
    if len(known) == len(subjects):
        return {}
    return meant_by((one for one in subjects if one not in known), odd)


def _known(
    subjects: Sequence[Subject], store: Store, transaction: Transaction
) -> dict[Subject, int]:
    try:
        return store.wanted.numbers_of(transaction, subjects)
    except ValueError:  # one is no value of its type at all
        return store.wanted.numbers_of(transaction, list(filter(_has_key, subjects)))


def meant_by(unknown: Iterable[Subject], odd: Counter[str]) -> dict[Subject, Observable | None]:
    """Return what values of a target would be in canonical form, of those that are not.

    All of these are counted as odd. What is no value of its type at all means nothing: None.
    """
    meant: dict[Subject, Observable | None] = {}
    for one in unknown:
        if not isinstance(one, Observable):
            continue
        try:
            right = canonical(one.type, one.value)
        except UnfitValueError:
            right = None
        if right != one:
            odd[one.type.value] += 1
            meant[one] = right
    return meant


def _has_key(subject: Subject) -> bool:
    """Return whether a value is one of its type at all, so that it can be looked up."""
    try:
        key_of(subject)
    except ValueError:
        return False
    return True
