"""Lists of names for resolvers: a hosts file, dnsmasq, Unbound.

The unspecified addresses are what a name is answered with that is stopped alone: with an A record
only, the client would ask for AAAA and be sent to the host.
"""

from typing import Final

from connector.adapter import ObservableType
from connector_edl.cover import Names
from connector_edl.dialect import DOMAINS, Dialect, domain, found_by, is_below

_NAME: Final = ObservableType.DOMAIN_NAME


def _hosts(value: str) -> str:
    name = domain(value)
    return f"0.0.0.0 {name}\n:: {name}"


def _dnsmasq(value: str) -> str:
    name = domain(value)
    # `address=/name/` would stop all names below it, too.
    return f"address=/{name}/" if name.startswith("*.") else f"host-record={name},0.0.0.0,::"


def _unbound(name: str) -> str:
    start = f'local-data: "{name}. 60 IN'
    return f'{start} A 0.0.0.0"\n{start} AAAA ::"'


def _unbound_zone(name: str) -> str:
    return f'local-zone: "{name}." always_nxdomain'


_IN_UNBOUND: Final = Names(both=_unbound_zone, alone=_unbound)

HOSTS: Final = Dialect(
    families=(DOMAINS,),
    writers={_NAME: _hosts},
    lacks=is_below,
    value_on=found_by(r"\s*\S+\s+([^\s#]+).*"),
)
DNSMASQ: Final = Dialect(
    families=(DOMAINS,),
    writers={_NAME: _dnsmasq},
    value_on=found_by(r"\s*(?:host-record=([^,]+),.*|(?:address|local|server)=/([^/]*)/.*)"),
)
UNBOUND: Final = Dialect(
    families=(DOMAINS,),
    writers={_NAME: domain},
    arranged={DOMAINS: _IN_UNBOUND},
    head="server:\n",
    value_on=found_by(r'\s*local-(?:zone|data): "(\S+?)\.?[ "].*'),
)
