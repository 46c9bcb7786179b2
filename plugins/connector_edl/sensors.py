"""Lists for sensors: datasets and reputation of Suricata, intelligence of Zeek."""

import base64
import binascii
import re
from collections.abc import Mapping
from functools import partial
from typing import Final

from connector.adapter import ADDRESSES, FieldValue, Observable, ObservableType
from connector_edl.dialect import (
    ADDRESS_VALUES,
    DOMAINS,
    Dialect,
    NotWritableError,
    Writer,
    digest,
    domain,
    found_by,
    in_ascii,
    is_below,
    one_line,
    plain_mailbox,
)
from connector_edl.web import no_prefix, web_address

_T: Final = ObservableType
_SCORE: Final = 100  # of 127, where no mapping says more
_SCHEMES: Final = ("http://", "https://")
_READ_AS_NOTHING: Final = frozenset({"-", "(empty)"})


def _is_many(observable: Observable) -> bool:
    """Return whether an observable is more than the one value that a dataset compares."""
    return observable.below or (observable.type in ADDRESSES and "/" in observable.value)


def _encoded(write: Writer) -> Writer:
    return lambda value: base64.b64encode(write(value).encode()).decode()


def _fingerprint(value: str) -> str:
    pairs = re.findall("..", digest(_T.X509_SHA1, value))
    return ":".join(pairs)


def _decoded(line: str) -> str | None:
    text = line.strip()
    try:
        return base64.b64decode(text, validate=True).decode().replace(":", "") or None
    except (binascii.Error, ValueError):
        return text


def _scored(line: str, _observable: Observable, fields: Mapping[str, FieldValue]) -> str:
    score = fields.get("score", _SCORE)
    whole = int(score) if isinstance(score, int | float) else _SCORE
    category = fields.get("category", 1)
    number = int(category) if isinstance(category, int | float) else 1
    return f"{line},{number},{min(max(whole, 1), 127)}"


def _zeek_text(value: str) -> str:
    text = one_line(value)
    if "\\" in text or "\t" in text or text.startswith("#") or text in _READ_AS_NOTHING:
        raise NotWritableError("could be read by Zeek as an escape, a comment or nothing")
    return text


def _zeek_url(value: str) -> str:
    web_address(value)
    start = next(filter(value.startswith, _SCHEMES), "")
    return no_prefix(_zeek_text(value.removeprefix(start)))


_ZEEK_TYPES: Final = {
    _T.IPV4_ADDR: "ADDR", _T.IPV6_ADDR: "ADDR", _T.DOMAIN_NAME: "DOMAIN", _T.URL: "URL",
    _T.EMAIL_ADDR: "EMAIL", _T.FILE_MD5: "FILE_HASH", _T.FILE_SHA1: "FILE_HASH",
    _T.FILE_SHA256: "FILE_HASH", _T.FILE_NAME: "FILE_NAME", _T.USER_AGENT: "SOFTWARE",
    _T.X509_SHA1: "CERT_HASH",
}  # fmt: skip


_HASHES: Final = (_T.FILE_MD5, _T.FILE_SHA1, _T.FILE_SHA256, _T.X509_SHA1)


def _intel(line: str, observable: Observable, fields: Mapping[str, FieldValue]) -> str:
    kind = (
        "SUBNET" if "/" in line and observable.type in ADDRESSES else _ZEEK_TYPES[observable.type]
    )
    said = (fields.get("source", "connector"), _note(fields), fields.get("reference", ""))
    return "\t".join([line, f"Intel::{kind}", *map(_zeek_field, said)])


def _note(fields: Mapping[str, FieldValue]) -> str:
    return " ".join(str(fields[name]) for name in ("severity", "comment") if name in fields)


def _zeek_field(value: FieldValue) -> str:
    text = in_ascii(str(value)).replace("\\", "/")
    return "-" if not text or text in _READ_AS_NOTHING else text


SURICATA_DATASET: Final = Dialect(
    families=(
        ADDRESSES,
        DOMAINS,
        *(frozenset({kind}) for kind in (_T.USER_AGENT, _T.FILE_NAME, _T.X509_SHA1)),
        *(frozenset({kind}) for kind in (_T.FILE_MD5, _T.FILE_SHA256)),
    ),
    writers={
        **ADDRESS_VALUES,
        _T.DOMAIN_NAME: _encoded(domain),
        _T.USER_AGENT: _encoded(one_line),
        _T.FILE_NAME: _encoded(one_line),
        _T.X509_SHA1: _encoded(_fingerprint),
        **{kind: partial(digest, kind) for kind in (_T.FILE_MD5, _T.FILE_SHA256)},
    },
    remarks=False,
    lacks=_is_many,
    value_on=_decoded,
)
SURICATA_IPREP: Final = Dialect(
    families=(ADDRESSES,),
    writers=ADDRESS_VALUES,
    complete=_scored,
    value_on=found_by(r"\s*([^,]+),.*"),
)
ZEEK: Final = Dialect(
    families=(frozenset(_ZEEK_TYPES),),
    writers={
        **ADDRESS_VALUES,
        **{kind: partial(digest, kind) for kind in _HASHES},
        _T.DOMAIN_NAME: domain,
        _T.URL: _zeek_url,
        _T.EMAIL_ADDR: plain_mailbox,
        _T.FILE_NAME: _zeek_text,
        _T.USER_AGENT: _zeek_text,
    },
    complete=_intel,
    folded=(frozenset(_ZEEK_TYPES),),
    head="#fields\tindicator\tindicator_type\tmeta.source\tmeta.desc\tmeta.url\n",
    value_on=found_by(r"([^\t]+)\t.*"),
    lacks=is_below,
)
