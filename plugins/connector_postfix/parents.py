"""Domains where, in an access map, a domain also matches all names below it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from connector.adapter import Entry, ObservableType, Outcome, Refused, Subject

_HOW: Final = (
    "set parent_domains: false in these options and `parent_domain_matches_subdomains =` (without "
    "smtpd_access_maps) in main.cf"
)
EXACT_ALONE: Final = f"would also match the names below it; {_HOW}, or choose exact_domains: widen"
BELOW_ALONE: Final = f"would also match the domain itself; {_HOW}"


def settle(
    entries: Iterable[Entry],
    widen: bool,
    is_written: Callable[[Entry], bool],
    refused: dict[Subject, Outcome],
) -> Iterator[Entry]:
    """Yield what a map can express: a domain with all names below it, or widened; reject the rest.

    `is_written` says, at the end of the stream, whether a domain was written by itself.
    """
    waiting: dict[str, Entry] = {}
    for entry in entries:
        if entry.type is not ObservableType.DOMAIN_NAME:
            yield entry
        elif other := waiting.pop(_other_half(entry), None):
            yield other
            yield entry
        elif widen and not entry.observable.below:
            yield entry
        else:
            waiting[entry.value] = entry
    for entry in waiting.values():
        if not entry.observable.below:
            refused[entry.observable] = Refused(EXACT_ALONE)
        elif widen and is_written(entry):
            yield entry
        else:
            refused[entry.observable] = Refused(BELOW_ALONE)


def _other_half(entry: Entry) -> str:
    return entry.value[2:] if entry.observable.below else f"*.{entry.value}"
