"""Keys of Exim's maps: from an entry, and back; none is a line, a pattern or an expansion."""

import re
from collections.abc import Mapping
from typing import Final, Literal

import idna

from connector.adapter import Observable, ObservableType, observable_of

__all__ = ["MAPS", "MapName", "keys_of", "map_of", "observable_in"]

_T = ObservableType
MapName = Literal["senders", "domains", "clients"]
MAPS: Final[Mapping[MapName, tuple[ObservableType, ...]]] = {
    "senders": (_T.EMAIL_ADDR,),
    "domains": (_T.DOMAIN_NAME,),
    "clients": (_T.IPV4_ADDR, _T.IPV6_ADDR),
}
_MAP_OF: Final = {kind: name for name, kinds in MAPS.items() for kind in kinds}
_NAME: Final = r"(?:[a-z0-9_-]{1,63}\.)+[a-z0-9-]{1,63}"
# Without what ends a key or begins a comment: space " # : and no letters that need SMTPUTF8.
_ATOM: Final = r"[a-z0-9!$%&'*+/=?^_`{|}~-]+"
_FORMS: Final = {
    _T.DOMAIN_NAME: re.compile(rf"(\*\.|){_NAME}"),
    _T.EMAIL_ADDR: re.compile(rf"({_ATOM}(?:\.{_ATOM})*@){_NAME}"),
}


def map_of(kind: ObservableType) -> MapName | None:
    """Return the map for a type; None where there is none."""
    return _MAP_OF.get(kind)


def keys_of(one: Observable) -> tuple[str, ...]:
    """Return the keys of an entry; none if a map of Exim cannot have it.

    Exim looks a domain up as it was sent, and with SMTPUTF8 that may be in Unicode.
    """
    form = _FORMS.get(one.type)
    if form is None:
        return (one.value,) if observable_of(one.type, one.value) == one else ()
    if (found := form.fullmatch(one.value)) is None:
        return ()
    name = one.value[found.end(1) :]
    if "xn--" not in name:
        return (one.value,)
    try:
        return (one.value, found[1] + idna.decode(name))
    except idna.IDNAError:
        return (one.value,)


def observable_in(name: MapName, key: str) -> Observable | None:
    """Return what a key means; None for the second form of another.

    One that means nothing here is a text, which no list of ours has.
    """
    if not key.isascii():
        return None
    found = observable_of(MAPS[name][0], key)
    ours = found is not None and found.type in MAPS[name] and found.value == key
    return found if found is not None and ours else Observable(_T.MUTEX, key)
