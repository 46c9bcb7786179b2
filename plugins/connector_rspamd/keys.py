"""Keys of the maps: which map an entry is in, whether Rspamd can look it up, and back."""

import re
from collections.abc import Mapping
from typing import Final, Literal

from connector.adapter import ADDRESSES, Observable, ObservableType, observable_of

__all__ = ["MAPS", "MapName", "map_of", "observable_in", "why_not"]

_T = ObservableType
MapName = Literal["senders", "domains", "addresses", "urls", "hashes", "subjects", "file_names"]
_HASHES: Final = {32: _T.FILE_MD5, 40: _T.FILE_SHA1, 64: _T.FILE_SHA256, 128: _T.FILE_SHA512}
MAPS: Final[Mapping[MapName, tuple[ObservableType, ...]]] = {
    "senders": (_T.EMAIL_ADDR,),
    "domains": (_T.DOMAIN_NAME,),
    "addresses": (_T.IPV4_ADDR, _T.IPV6_ADDR),
    "urls": (_T.URL,),
    "hashes": tuple(_HASHES.values()),
    "subjects": (_T.EMAIL_SUBJECT,),
    "file_names": (_T.FILE_NAME,),
}
_MAP_OF: Final = {kind: name for name, kinds in MAPS.items() for kind in kinds}
_NAME: Final = r"(?:[a-z0-9_-]{1,63}\.)+[a-z0-9-]{1,63}"
# A quoted key ends at the first quote, and nothing escapes it.
_TEXT: Final = r'[^\s"\\\x00-\x1f\x7f](?:[^"\\\x00-\x1f\x7f]*[^\s"\\\x00-\x1f\x7f])?'
_FORMS: Final = {
    _T.DOMAIN_NAME: re.compile(rf"(?:\*\.)?{_NAME}"),
    _T.EMAIL_ADDR: re.compile(rf'[^\s"\\@\x00-\x1f\x7f]+@{_NAME}'),
    _T.URL: re.compile(r'[a-z][a-z0-9+.-]*://[^\s"\\\x00-\x1f\x7f]+'),
    _T.EMAIL_SUBJECT: re.compile(_TEXT),
    _T.FILE_NAME: re.compile(_TEXT),
    **{kind: re.compile(rf"[0-9a-f]{{{length}}}") for length, kind in _HASHES.items()},
}
_UNFIT: Final = "no key of a map, which has no quotes and no backslashes, is this"
# Of a client's address Rspamd asks Redis for prefixes of these lengths alone.
_SHORTEST_IN_REDIS: Final = {_T.IPV4_ADDR: 8, _T.IPV6_ADDR: 64}


def map_of(kind: ObservableType) -> MapName | None:
    """Return the map for a type; None where Rspamd has none."""
    return _MAP_OF.get(kind)


def why_not(one: Observable, *, in_redis: bool) -> str:
    """Return why Rspamd could not look an entry up; nothing if it can."""
    form = _FORMS.get(one.type)
    if form is not None:
        return "" if form.fullmatch(one.value) else f"{_UNFIT} {one.type}"
    if one.type not in ADDRESSES or observable_of(one.type, one.value) != one:
        return f"{_UNFIT} {one.type}"
    length = one.value.partition("/")[2]
    shortest = _SHORTEST_IN_REDIS[one.type]
    if in_redis and length and int(length) < shortest:
        return f"Rspamd asks Redis for no prefixes shorter than /{shortest}; use mode file or http"
    return ""


def observable_in(name: MapName, key: str) -> Observable:
    """Return what a key means; one that means nothing here is a text, which no list of ours has."""
    kind = _HASHES.get(len(key), _T.FILE_SHA256) if name == "hashes" else MAPS[name][0]
    found = observable_of(kind, key)
    ours = found is not None and found.type in MAPS[name] and found.value == key
    return found if found is not None and ours else Observable(_T.MUTEX, key)
