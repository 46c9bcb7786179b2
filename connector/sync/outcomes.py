"""What an adapter says of the entries that it was given, checked: a name we never gave is a bug.

An entry that it names in the target's own spelling would otherwise pass as written.
"""

from collections.abc import Container, Iterable, Mapping
from itertools import islice
from typing import Any, Final

from connector.adapter import Full, Later, Left, Outcomes, Refused, Written

_SHOWN: Final = 3
_LONGEST: Final = 80


def expect_outcomes(verb: str, said: Any, given: Container[Any]) -> Outcomes:
    """Return what an adapter's verb returned; raise TypeError where that cannot be true."""
    outcomes = expect_mapping(verb, said)
    expect_asked(verb, (subject for subject in outcomes if subject not in given))
    return outcomes


def expect_mapping(verb: str, said: Any) -> Outcomes:
    """Return what an adapter's verb returned; raise TypeError unless it is Outcomes."""
    if not isinstance(said, Mapping):
        raise TypeError(
            f"{verb}() returned {_kind(said)}, not Outcomes: return {{}} where all is well"
        )
    for value in said.values():
        if not isinstance(value, Written | Refused | Full | Later | Left):
            raise TypeError(
                f"{verb}() says {_kind(value)} of an entry, not Written, Refused, Full or Later"
            )
        if isinstance(value, Left) and verb != "remove":
            raise TypeError(f"{verb}() says Left of an entry, which only remove() can say")
    return said


def expect_asked(verb: str, unknown: Iterable[Any]) -> None:
    """Raise TypeError with the first of these names, which the adapter was never given."""
    shown = [str(getattr(one, "value", one))[:_LONGEST] for one in islice(unknown, _SHOWN)]
    if shown:
        raise TypeError(
            f"{verb}() names {', '.join(shown)}, which it was not given: Outcomes name each entry "
            "by its observable (a rule by its ref), not by the target's spelling of it"
        )


def _kind(value: Any) -> str:
    return "None" if value is None else type(value).__name__
