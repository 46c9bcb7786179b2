"""Web addresses, as devices match them."""

import re
from typing import Final

from connector.adapter import as_prefix
from connector_edl.dialect import NotWritableError

_ASCII_URL: Final = re.compile(r"[!-~]+")
_WEB: Final = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?(?P<user>[^/?#@]*@)?"
    r"(?P<host>(?:[0-9A-Za-z._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?)(?P<rest>(?:[/?#].*)?)"
)
_PORT: Final = re.compile(r":([0-9]*)$")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


def no_prefix(line: str) -> str:
    """Return a line that the device reads as a URL in any of its lists."""
    if words := as_prefix(line):
        raise NotWritableError(words)
    return line


def web_address(value: str) -> re.Match[str]:
    """Parse a web address; refuse one that no line can match exactly."""
    web = _WEB.fullmatch(value) if _ASCII_URL.fullmatch(value) else None
    if web is not None and web["user"] and not web["scheme"]:
        raise NotWritableError("could be read as an e-mail address, and names another host")
    if web is None or (web["scheme"] or "http").lower() not in _DEFAULT_PORTS or value[0] == "#":
        raise NotWritableError("is not an ASCII web address, the only kind that the device reads")
    if "#" in web["rest"]:
        raise NotWritableError(
            "has a fragment, which no firewall sees: without it the line blocks the whole page"
        )
    return web


def without_default_port(web: re.Match[str]) -> str:
    """Return the host of a web address whose port is that of its scheme."""
    host, port = web["host"], _PORT.search(web["host"])
    if port is None:
        return host
    if port[1] != _DEFAULT_PORTS.get((web["scheme"] or "").lower()):
        raise NotWritableError(
            "names a port, which this list cannot express: without it the line blocks every port"
        )
    return host[: port.start()]
