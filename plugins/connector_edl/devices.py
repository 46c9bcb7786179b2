"""Lists that firewalls poll, one value a line: plain, Palo Alto Networks, Fortinet, Snort."""

import re
from functools import partial
from typing import Final

from connector.adapter import ADDRESSES, ObservableType, families_of
from connector_edl.dialect import (
    ADDRESS_VALUES,
    DOMAINS,
    URLS,
    VALUES,
    Dialect,
    Empty,
    NotWritableError,
    digest,
    domain,
    one_line,
    told_apart,
)
from connector_edl.web import no_prefix, web_address, without_default_port

SYSTEMS: Final = frozenset({ObservableType.AUTONOMOUS_SYSTEM})
_HASHES: Final = tuple(
    frozenset({kind})
    for kind in (ObservableType.FILE_MD5, ObservableType.FILE_SHA1, ObservableType.FILE_SHA256)
)
_EASY_URL: Final = re.compile(r"https?://[!-)+-~]+")
# Nearly all: host and path without port, userinfo, wildcard or fragment.
_EASY_WEB: Final = re.compile(r"https?://([0-9a-z._-]+/[!\"$-)+-\]_-~]*)")
_PANOS_LONGEST: Final = 254  # characters; PAN-OS documents 255, others found 255 to be too many


def _plain_text(kind: ObservableType, value: str) -> str:
    return told_apart(kind, one_line(value))


def _plain_url(value: str) -> str:
    if _EASY_URL.fullmatch(value):
        return value
    if len(value.split()) != 1:
        raise NotWritableError("contains a space, where readers end the URL")
    return told_apart(ObservableType.URL, one_line(value))


def _plain_system(value: str) -> str:
    return told_apart(ObservableType.AUTONOMOUS_SYSTEM, f"AS{value}")


def _panos_domain(value: str) -> str:
    # Where the list's expand option is on, a bare name also matches all names below it; on every
    # firewall `^` means this name only.
    name = domain(value)
    return _bounded(name if name.startswith("*.") else f"^{name}")


def _panos_url(value: str) -> str:
    if easy := _EASY_WEB.fullmatch(value):
        return _bounded(no_prefix(easy[1]))
    web = web_address(value)
    if "*" in value or "^" in value:
        raise NotWritableError("contains * or ^, which PAN-OS reads as a wildcard")
    # Without an ending slash `bad.example` also matches `bad.example.other.test`.
    rest = web["rest"] if web["rest"].startswith("/") else f"/{web['rest']}"
    return _bounded(no_prefix(without_default_port(web) + rest))


def _fortigate_url(value: str) -> str:
    web_address(value)
    if "*" in value:
        raise NotWritableError("contains *, which FortiGate reads as a wildcard")
    return no_prefix(value)


def _bounded(line: str) -> str:
    if len(line) > _PANOS_LONGEST:
        raise NotWritableError(
            f"is longer than the {_PANOS_LONGEST} characters of PAN-OS; cut, it would match more"
        )
    return line


_T: Final = ObservableType
_TEXTS: Final = (
    *(_T.EMAIL_SUBJECT, _T.FILE_NAME, _T.USER_AGENT),
    *(_T.MUTEX, _T.REGISTRY_KEY, _T.PROCESS_COMMAND),
)

# The reader of a plain list takes each line for what it looks like.
PLAIN: Final = Dialect(
    families=tuple(families_of(ObservableType)),
    writers={
        **VALUES,
        **{kind: partial(_plain_text, kind) for kind in _TEXTS},
        _T.URL: _plain_url,
        _T.AUTONOMOUS_SYSTEM: _plain_system,
    },
)
# A device reads a list as one type and skips every line of another.
PANOS: Final = Dialect(
    families=(ADDRESSES, DOMAINS, URLS),
    writers={**ADDRESS_VALUES, _T.DOMAIN_NAME: _panos_domain, _T.URL: _panos_url},
    noted=(ADDRESSES,),
    folded=(URLS,),
    empty=Empty.SENTINEL,
)
FORTIGATE: Final = Dialect(
    families=(ADDRESSES, DOMAINS, URLS, *_HASHES),
    writers={
        **ADDRESS_VALUES,
        _T.DOMAIN_NAME: domain,
        _T.URL: _fortigate_url,
        **{kind: partial(digest, kind) for kinds in _HASHES for kind in kinds},
    },
    noted=_HASHES,
    empty=Empty.SENTINEL,
)
SNORT: Final = Dialect(families=(ADDRESSES,), writers=ADDRESS_VALUES)
