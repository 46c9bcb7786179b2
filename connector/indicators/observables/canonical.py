"""Brings each observable into one canonical form: refang, check, canonicalise, or refuse."""

import re
import unicodedata
from collections.abc import Callable
from typing import Final, NamedTuple

from connector.indicators.observables import addresses, mail, names, texts
from connector.indicators.observables.errors import UnfitValueError, WildcardError, shown
from connector.indicators.observables.keys import key_of
from connector.indicators.observables.refang import refanged
from connector.model import Observable, ObservableType

__all__ = [
    "HASH_NAME_MISMATCH",
    "HOST_BITS_MASKED",
    "REFANGED",
    "RETYPED",
    "UnfitValueError",
    "WildcardError",
    "canonical",
    "key_of",
    "plain_form",
    "read_host",
    "read_observable",
]

REFANGED: Final = "refanged"
RETYPED: Final = "retyped"
HASH_NAME_MISMATCH: Final = "hash_name_mismatch"
HOST_BITS_MASKED: Final = "host_bits_masked"

Notes = tuple[str, ...]
Reading = tuple[Observable, Notes]
_T = ObservableType
_LOWER_HEX: Final = re.compile(r"[0-9a-f]+")
_FILE_DIGESTS: Final = {
    32: _T.FILE_MD5, 40: _T.FILE_SHA1, 64: _T.FILE_SHA256, 128: _T.FILE_SHA512
}  # fmt: skip
# As shells, LIKE and regular expressions write them. A % before a letter is the zone of an address.
_WILD_NAME: Final = re.compile(r"[*?%^$|]")
_WILD_ADDRESS: Final = re.compile(r"[*?^$|]|%(?![0-9A-Za-z])|(?:^|\.)x(?=\.|$)", re.IGNORECASE)
_WILD_URL: Final = re.compile(r"\*|^(?:[^:/?#]+://)?[^/?#]*[%^$|]")
_CERTIFICATE_DIGESTS: Final = {40: _T.X509_SHA1, 64: _T.X509_SHA256}


def canonical(type: ObservableType, text: str) -> Observable:
    """Return the observable of a text, or raise UnfitValueError with the reason.

    Its type may differ from the given one: an address in place of a domain name is an address.
    """
    return read_observable(type, text)[0]


def plain_form(kind: ObservableType) -> Callable[[str], object] | None:
    """Return a quick test for canonical form, or None if there is none."""
    return _FORMS[kind].is_plain


def read_observable(kind: ObservableType, text: str) -> Reading:
    """Return the observable of a text, and notes on what had to be normalised."""
    form = _FORMS[kind]
    if form.is_plain is not None and form.is_plain(text):
        return Observable(kind, text), ()
    text = _cleaned(form, text)
    try:
        return _read_or_refang(form, kind, text)
    except UnfitValueError as error:
        if form.wild is None or form.wild.search(text) is None:
            raise
        raise WildcardError(f"{error}: it contains a wildcard, and may mean many values") from None


def _read_or_refang(form: "_Form", kind: ObservableType, text: str) -> Reading:
    try:
        return form.read(kind, text)
    except UnfitValueError:
        bare = refanged(text) if form.defanged else text
        if bare == text:
            raise
        observable, notes = form.read(kind, bare.strip())
        return observable, (REFANGED, *notes)


def read_host(text: str) -> Reading:
    """Return the address or domain name of a text, where both are allowed."""
    kind = _T.IPV4_ADDR if addresses.IPV4.fullmatch(text) else _T.DOMAIN_NAME
    observable, notes = read_observable(kind, text)
    if observable.type is _T.URL:
        raise UnfitValueError(f"{shown(text)} is a URL, not a host")
    return observable, tuple(note for note in notes if note != RETYPED)


class _Form(NamedTuple):
    """How to read values of one type; `wild` finds wildcards in an unfit value."""

    read: Callable[[ObservableType, str], Reading]
    longest: int
    defanged: bool = False
    is_plain: Callable[[str], object] | None = None
    wild: re.Pattern[str] | None = None


def _cleaned(form: _Form, text: str) -> str:
    if len(text) > 2 * form.longest:
        raise UnfitValueError(f"{shown(text)} is longer than {form.longest} characters")
    text = unicodedata.normalize("NFC", text).strip()
    if not text:
        raise UnfitValueError("the value is empty")
    if not text.isprintable():
        raise UnfitValueError(f"{shown(text)} contains an unprintable character")
    return text


def _read_address(kind: ObservableType, text: str) -> Reading:
    notes: Notes = ()
    try:
        found, value = addresses.address(text)
    except addresses.HostBitsError:
        found, value = addresses.network_of(text)
        notes = (HOST_BITS_MASKED,)
    return Observable(found, value), notes if found is kind else (RETYPED, *notes)


def _read_domain(kind: ObservableType, text: str) -> Reading:
    try:
        return _read_address(kind, text)
    except UnfitValueError:
        pass  # nearly always: an address is the exception here
    if "/" in text or ":" in text:
        observable, notes = _read_url(_T.URL, text)
        return observable, (RETYPED, *notes)
    return Observable(kind, names.domain(text)), ()


def _read_url(kind: ObservableType, text: str) -> Reading:
    value, notes = names.url(text)
    return Observable(kind, value), notes


def _read_email(kind: ObservableType, text: str) -> Reading:
    if text.startswith("@"):
        return Observable(_T.DOMAIN_NAME, names.domain(text[1:])), (RETYPED,)
    return Observable(kind, mail.address(text)), ()


def _read_file_digest(kind: ObservableType, text: str) -> Reading:
    return _read_digest(kind, text, _FILE_DIGESTS)


def _read_certificate_digest(kind: ObservableType, text: str) -> Reading:
    return _read_digest(kind, text.replace(":", ""), _CERTIFICATE_DIGESTS)


def _read_digest(kind: ObservableType, text: str, types: dict[int, ObservableType]) -> Reading:
    digest = text.lower()
    found = types.get(len(digest)) if _LOWER_HEX.fullmatch(digest) else None
    if found is None:
        lengths = ", ".join(map(str, types))
        raise UnfitValueError(f"{shown(text)} is not a hash of {lengths} hexadecimal digits")
    return Observable(found, digest), () if found is kind else (HASH_NAME_MISMATCH,)


def _as(read: Callable[[str], str], longest: int) -> _Form:
    return _Form(lambda kind, text: (Observable(kind, _bounded(read(text), longest)), ()), longest)


def _bounded(text: str, longest: int) -> str:
    if len(text) > longest:
        raise UnfitValueError(f"{shown(text)} is longer than {longest} characters")
    return text


def _digest(kind: ObservableType, length: int) -> _Form:
    read = _read_certificate_digest if kind.startswith("x509") else _read_file_digest
    return _Form(read, 200, is_plain=re.compile(rf"[0-9a-f]{{{length}}}").fullmatch)


_FORMS: Final = {
    _T.IPV4_ADDR: _Form(_read_address, 100, True, addresses.IPV4.fullmatch, _WILD_ADDRESS),
    _T.IPV6_ADDR: _Form(_read_address, 100, True, None, _WILD_ADDRESS),
    _T.ENDPOINT: _as(addresses.endpoint, 100),
    _T.DOMAIN_NAME: _Form(_read_domain, names.LONGEST_URL, True, names.is_plain_domain, _WILD_NAME),
    _T.URL: _Form(_read_url, names.LONGEST_URL, True, names.is_plain_url, _WILD_URL),
    _T.EMAIL_ADDR: _Form(_read_email, mail.LONGEST, True, None, _WILD_NAME),
    _T.EMAIL_SUBJECT: _as(str, 998),
    _T.FILE_MD5: _digest(_T.FILE_MD5, 32),
    _T.FILE_SHA1: _digest(_T.FILE_SHA1, 40),
    _T.FILE_SHA256: _digest(_T.FILE_SHA256, 64),
    _T.FILE_SHA512: _digest(_T.FILE_SHA512, 128),
    _T.FILE_NAME: _as(str, 1024),
    _T.AUTONOMOUS_SYSTEM: _as(addresses.autonomous_system, 20),
    _T.USER_AGENT: _as(str, 2048),
    _T.X509_SHA1: _digest(_T.X509_SHA1, 40),
    _T.X509_SHA256: _digest(_T.X509_SHA256, 64),
    _T.MUTEX: _as(str, 1024),
    _T.REGISTRY_KEY: _as(texts.registry_key, 1024),
    _T.PROCESS_COMMAND: _as(str, 8191),
}
