"""What a STIX object at a target says, for adapters that read such objects back."""

from connector.indicators.pattern.reader import read_pattern
from connector.indicators.stix import Unreadable, read_object
from connector.model import Observable

__all__ = ["observables_in"]


def observables_in(raw: bytes) -> tuple[Observable, ...]:
    """Return what an indicator names; nothing where it is revoked, or is no readable indicator."""
    said = read_object(raw)
    if isinstance(said, Unreadable) or said.type != "indicator" or said.revoked:
        return ()
    if said.pattern is None or said.pattern_type not in (None, "stix"):
        return ()
    version = said.pattern_version or said.spec_version or "2.0"
    claims = read_pattern(said.pattern, version)
    return tuple(one.observable for one in claims if isinstance(one.observable, Observable))
