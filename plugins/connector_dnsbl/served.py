"""What rbldnsd answers now, which tells the version of a file that it serves."""

from ipaddress import ip_address

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rdatatype

from connector.adapter import UnavailableError

__all__ = ["text_at"]

_SECONDS = 2.0


def text_at(server: str, listed: str, zone: str) -> str:
    """Return the text for what a zone lists; an empty one where it has none."""
    host, _, port = server.partition("#")
    query = dns.message.make_query(_name(listed, zone), "TXT", flags=0)
    try:
        answer = dns.query.udp(query, host, _SECONDS, int(port or "53"))
    except (dns.exception.DNSException, OSError) as error:
        words = str(error) or type(error).__name__
        raise UnavailableError(f"rbldnsd at {server}: {words}") from error
    texts = [
        b"".join(one.strings).decode("utf-8", "replace")
        for found in answer.answer
        if found.rdtype == dns.rdatatype.TXT
        for one in found
    ]
    return texts[0] if texts else ""


def _name(listed: str, zone: str) -> dns.name.Name:
    origin = dns.name.from_text(zone)
    try:
        packed = ip_address(listed)
    except ValueError:
        return dns.name.from_text(listed, origin)
    whole = packed.reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
    return dns.name.from_text(whole, origin)
