"""Lists for mail gateways: a configuration file of SpamAssassin, and lookup files of Exim."""

import re
from collections.abc import Mapping
from typing import Final

from connector.adapter import ADDRESSES, FieldValue, Observable, ObservableType
from connector_edl.dialect import (
    DOMAINS,
    MAILBOXES,
    VALUES,
    Dialect,
    domain,
    found_by,
    in_ascii,
    plain_mailbox,
)

_T: Final = ObservableType
_EXPANDED: Final = re.compile(r"[^A-Za-z0-9 ._:/-]+")


def _blocked_mailbox(value: str) -> str:
    return f"blocklist_from {plain_mailbox(value)}"


def _blocked_domain(value: str) -> str:
    return f"blocklist_from *@{domain(value)}"


def _keyed(line: str, observable: Observable, fields: Mapping[str, FieldValue]) -> str:
    """Return key and data; whatever Exim might expand in the data is left out."""
    said = in_ascii(" ".join(str(fields.get(name, "")) for name in ("severity", "comment")))
    data = " ".join(_EXPANDED.sub(" ", said).split())[:80]
    key = f'"{line}"' if observable.type is _T.IPV6_ADDR else line
    return f"{key}: {data}" if data else f"{key}:"


SPAMASSASSIN: Final = Dialect(
    families=(MAILBOXES, DOMAINS),
    writers={_T.EMAIL_ADDR: _blocked_mailbox, _T.DOMAIN_NAME: _blocked_domain},
    value_on=found_by(r"\s*(?:blocklist|blacklist)_from\s+(?:\*@)?(\S+).*"),
)
# `iplsearch` for addresses, `lsearch` for mailboxes, `nwildlsearch` for domain names: there a name
# is that name, and `*.name` is all below it.
EXIM: Final = Dialect(
    families=(ADDRESSES, MAILBOXES, DOMAINS),
    writers={
        _T.IPV4_ADDR: VALUES[_T.IPV4_ADDR],
        _T.IPV6_ADDR: VALUES[_T.IPV6_ADDR],
        _T.EMAIL_ADDR: plain_mailbox,
        _T.DOMAIN_NAME: domain,
    },
    complete=_keyed,
    value_on=found_by(r'\s*(?:"([^"]*)"|([^\s:#]+)):?.*'),
)
