"""Whether a resolver answers by a version of a zone: a serial that it loaded proves nothing."""

import secrets

import dns.exception
import dns.message
import dns.query

from connector.adapter import UnavailableError

from .options import ANSWER

__all__ = ["has_mark"]

_SECONDS = 2.0


def has_mark(resolver: tuple[str, int], name: str) -> bool:
    """Return whether a resolver has the name of a version; below it, each question is a new one."""
    host, port = resolver
    query = dns.message.make_query(f"{secrets.token_hex(8)}.{name}", "A")
    try:
        answer = dns.query.udp(query, host, _SECONDS, port)
    except (dns.exception.DNSException, OSError) as error:
        words = str(error) or type(error).__name__
        raise UnavailableError(f"resolver {host} port {port}: {words}") from error
    return any(ANSWER in (one.to_text() for one in found) for found in answer.answer)
