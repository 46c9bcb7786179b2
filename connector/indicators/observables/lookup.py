"""What a person may mean by a value: every type it can have, and what would cover it."""

from ipaddress import ip_address, ip_network

from connector.indicators.observables.canonical import UnfitValueError, canonical
from connector.indicators.observables.refang import refanged
from connector.model import Observable, ObservableType


def candidates(asked: str) -> list[Observable]:
    """Return every observable that an entered value may mean, or that would cover it."""
    found = dict.fromkeys(meanings(asked))
    for observable in list(found):
        found.update(dict.fromkeys(_covering(observable)))
    return list(found)


def meanings(asked: str) -> list[Observable]:
    """Return every observable that an entered value may mean."""
    found: dict[Observable, None] = {}
    for kind in ObservableType:
        for text in dict.fromkeys((asked, refanged(asked))):
            try:
                found[canonical(kind, text)] = None
            except UnfitValueError:
                continue
    return list(found)


def _covering(observable: Observable) -> list[Observable]:
    kind, value = observable.type, observable.value
    if kind is ObservableType.DOMAIN_NAME:
        labels = value.removeprefix("*.").split(".")
        return [Observable(kind, "*." + ".".join(labels[at:])) for at in range(1, len(labels))]
    if kind not in (ObservableType.IPV4_ADDR, ObservableType.IPV6_ADDR) or "/" in value:
        return []
    address = ip_address(value)
    return [
        Observable(kind, str(ip_network((address, length), strict=False)))
        for length in range(1, address.max_prefixlen)
    ]
