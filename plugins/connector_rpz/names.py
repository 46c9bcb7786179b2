"""Owner names of a response policy zone: which trigger is which observable."""

from ipaddress import IPv6Network, ip_network
from typing import Final

from connector.adapter import ADDRESSES, Observable, ObservableType, observable_of

__all__ = ["observable_at", "owner_of", "why_unfit"]

_TRIGGERS: Final = frozenset({"rpz-ip", "rpz-client-ip", "rpz-nsip", "rpz-nsdname"})
_LONGEST_LABEL: Final = 63
_LONGEST: Final = 255  # bytes of a name on the wire, with a length for each label and the root


def owner_of(one: Observable) -> str:
    """Return the name below the zone, such as `*.bad.example` or `24.0.113.0.203.rpz-ip`."""
    if one.type not in ADDRESSES:
        return one.value
    network = ip_network(one.value)
    text = str(network.network_address)
    if isinstance(network, IPv6Network):
        groups = text.replace("::", ":zz:").strip(":").split(":")
    else:
        groups = text.split(".")
    return ".".join([str(network.prefixlen), *reversed(groups), "rpz-ip"])


def observable_at(owner: str) -> Observable | None:
    """Return what a name below the zone means; None for a trigger of another kind, or none."""
    head, _, last = owner.rpartition(".")
    if last == "rpz-ip":
        return _address(head.split("."))
    if last in _TRIGGERS:
        return None
    found = observable_of(ObservableType.DOMAIN_NAME, owner)
    return found if found is not None and found.type is ObservableType.DOMAIN_NAME else None


def _address(labels: list[str]) -> Observable | None:
    length, *groups = labels
    groups.reverse()
    if len(groups) == 4 and "zz" not in groups:
        text = ".".join(groups)
    else:
        text = ":".join("" if group == "zz" else group for group in groups)
        text = f":{text}" if text.startswith(":") else text
        text = f"{text}:" if text.endswith(":") else text
    return observable_of(ObservableType.IPV4_ADDR, f"{text}/{length}")


def why_unfit(one: Observable, zone: str) -> str:
    """Return why no name of the zone can mean this; an empty text where one can."""
    owner = owner_of(one)
    if one.type not in ADDRESSES and owner.rpartition(".")[2] in _TRIGGERS:
        return "would be read as a trigger of another kind"
    if any(not 0 < len(label) <= _LONGEST_LABEL for label in owner.split(".")):
        return f"has a label of more than {_LONGEST_LABEL} bytes, or of none"
    size = len(owner) + 1 + len(zone) + 2
    if size > _LONGEST:
        return f"with the zone's name it has {size} bytes; a name has at most {_LONGEST}"
    return ""
