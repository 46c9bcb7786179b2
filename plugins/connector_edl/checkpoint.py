"""Indicators of a custom intelligence feed of Check Point: a CSV file whose lines name their types.

A field that is missing or in the wrong place keeps the gateway from loading the whole file, so a
value with a comma or a quote is refused.
"""

import re
from collections.abc import Mapping
from hashlib import blake2b
from ipaddress import IPv4Network
from typing import Final

from connector.adapter import FieldValue, Observable, ObservableType
from connector_edl.dialect import (
    VALUES,
    Dialect,
    Empty,
    NotWritableError,
    digest,
    domain,
    found_by,
    in_ascii,
    is_below,
    one_line,
    plain_mailbox,
)
from connector_edl.web import web_address

_T: Final = ObservableType
_LEVELS: Final = ("low", "medium", "high", "critical")
_TYPES: Final[Mapping[ObservableType, tuple[str, str]]] = {
    _T.IPV4_ADDR: ("IP", "AB"),
    _T.DOMAIN_NAME: ("Domain", "AB"),
    _T.URL: ("URL", "AB"),
    _T.FILE_MD5: ("MD5", "AV"),
    _T.FILE_SHA1: ("SHA1", "AV"),
    _T.FILE_SHA256: ("SHA256", "AV"),
    _T.EMAIL_ADDR: ("Mail-from", "AV"),
    _T.EMAIL_SUBJECT: ("Mail-subject", "AV"),
}
_ENDS_A_COLUMN: Final = re.compile(r"[,\"';\\*]")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9 ._:/@-]+")


def _column(value: str) -> str:
    """Return a value that is one column to every reader."""
    text = one_line(value)
    if not text.isascii() or text[0] in "#=+@-" or "?" in text or _ENDS_A_COLUMN.search(text):
        raise NotWritableError("could be read as several columns, a comment or a pattern")
    return text


def _address(value: str) -> str:
    VALUES[_T.IPV4_ADDR](value)
    if "/" not in value:
        return value
    network = IPv4Network(value)
    return f"{network[0]}-{network[-1]}"


def _url(value: str) -> str:
    web_address(value)
    if _ENDS_A_COLUMN.search(value):
        raise NotWritableError("could be read as several columns or a pattern")
    return value


def _row(line: str, observable: Observable, fields: Mapping[str, FieldValue]) -> str:
    kind, product = _TYPES[observable.type]
    if kind == "IP" and "-" in line:
        kind = "IP Range"
    name = blake2b(f"{observable.type} {observable.value}".encode(), digest_size=8).hexdigest()
    said = (_level(fields.get("confidence")), _level(fields.get("severity")), product)
    note = _UNSAFE.sub(" ", in_ascii(str(fields.get("comment", ""))))
    return ",".join([f"c{name}", line, kind, *said, " ".join(note.split())])


def _level(value: FieldValue | None) -> str:
    """Return one of the words that the gateway knows, also for a number from 0 to 100."""
    text = str(value).lower()
    if text.isdecimal():
        number = int(text)
        return "high" if number >= 80 else "medium" if number >= 50 else "low"
    return text if text in _LEVELS else "medium"


CHECKPOINT: Final = Dialect(
    families=(frozenset(_TYPES),),
    writers={
        _T.IPV4_ADDR: _address,
        _T.DOMAIN_NAME: domain,
        _T.URL: _url,
        _T.FILE_MD5: lambda value: digest(_T.FILE_MD5, value),
        _T.FILE_SHA1: lambda value: digest(_T.FILE_SHA1, value),
        _T.FILE_SHA256: lambda value: digest(_T.FILE_SHA256, value),
        _T.EMAIL_ADDR: plain_mailbox,
        _T.EMAIL_SUBJECT: _column,
    },
    complete=_row,
    head="#UNIQ-NAME,VALUE,TYPE,CONFIDENCE,SEVERITY,PRODUCT,COMMENT\n",
    empty=Empty.SENTINEL,
    value_on=found_by(r"[^,]*,([^,]+),.*"),
    lacks=is_below,
)
