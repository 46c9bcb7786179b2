"""Security intelligence feeds of Cisco Secure Firewall (FMC): one type a file, with its MD5 beside.

A listed name also stops all below it, so a name alone is refused unless the file asks to `widen`.
"""

import re
from typing import Final

from connector.adapter import ADDRESSES, ObservableType
from connector_edl.cover import Names
from connector_edl.dialect import (
    ADDRESS_VALUES,
    DOMAINS,
    URLS,
    Dialect,
    Empty,
    NotWritableError,
    Writer,
    domain,
)
from connector_edl.web import no_prefix, web_address, without_default_port

_NAME: Final = ObservableType.DOMAIN_NAME
_NAMES: Final = Names(both=str, below="*.{}".format)


def _network(write: Writer) -> Writer:
    def written(value: str) -> str:
        if value.endswith("/0"):
            raise NotWritableError("is every address, which this list does not take")
        return write(value)

    return written


def _url(value: str) -> str:
    web = web_address(value)
    if "*" in value:
        raise NotWritableError("contains *, which FMC reads as a wildcard")
    if web["host"].startswith("["):
        raise NotWritableError("names an IPv6 address, which lists of URLs do not take")
    # Without a slash, `bad.example` would also match every name below and every path.
    rest = re.sub(r"^(?!/)", "/", web["rest"])
    return no_prefix(without_default_port(web) + rest)


FMC: Final = Dialect(
    families=(ADDRESSES, DOMAINS, URLS),
    writers={
        **{kind: _network(write) for kind, write in ADDRESS_VALUES.items()},
        _NAME: domain,
        ObservableType.URL: _url,
    },
    arranged={DOMAINS: _NAMES},
    folded=(URLS,),
    checksum=True,
    empty=Empty.SENTINEL,
)
