"""Lists for proxies: an ACL file of Squid, and an include file of nginx.

Squid takes a host that stands before its prefix and ignores the prefix; a name beside a parent with
a dot stops it from starting at all. So what another line covers is left out.
"""

from typing import Final

from connector.adapter import ADDRESSES, ObservableType
from connector_edl.cover import Names, uncovered
from connector_edl.dialect import (
    ADDRESS_VALUES,
    DOMAINS,
    Dialect,
    Writer,
    domain,
    found_by,
)

_NAME: Final = ObservableType.DOMAIN_NAME
_IN_SQUID: Final = Names(both=".{}".format, alone=str)


def _key(write: Writer) -> Writer:
    """Return the writer of a key of `geo` or `map`, each with the value 1."""
    return lambda value: f"{write(value)} 1;"


SQUID: Final = Dialect(
    families=(ADDRESSES, DOMAINS),
    writers={**ADDRESS_VALUES, _NAME: domain},
    arranged={ADDRESSES: uncovered, DOMAINS: _IN_SQUID},
)
NGINX: Final = Dialect(
    families=(ADDRESSES, DOMAINS),
    writers={
        **{kind: _key(write) for kind, write in ADDRESS_VALUES.items()},
        _NAME: _key(domain),
    },
    value_on=found_by(r"\s*(\S+) .*"),
)
