"""Identifies clients by certificate, by token or by address."""

import base64
import binascii
import secrets
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Protocol

from connector.settings import SecretValue

LOOPBACK: Final = "loopback"
_FORWARDED: Final = (b"forwarded", b"x-forwarded-for", b"x-real-ip")

Headers = Mapping[bytes, bytes]


class Client(Protocol):
    """A client that may fetch lists, as configured."""

    @property
    def name(self) -> str: ...
    @property
    def token(self) -> SecretValue | None: ...
    @property
    def address(self) -> IPv4Network | IPv6Network | None: ...
    @property
    def certificate(self) -> str | None: ...


class Authenticator:
    """Identifies clients; if none are configured, only this machine has access."""

    def __init__(self, clients: Iterable[Client]) -> None:
        self._key = secrets.token_bytes(32)
        self._tokens: dict[bytes, str] = {}
        self._networks: list[tuple[IPv4Network | IPv6Network, str]] = []
        self._certificates: dict[str, str] = {}
        for client in clients:
            if client.token is not None:
                self._tokens[self._digest(client.token.reveal().encode())] = client.name
            if client.address is not None:
                self._networks.append((client.address, client.name))
            if client.certificate is not None:
                self._certificates[client.certificate.casefold()] = client.name
        self.knows_clients = bool(self._tokens or self._networks or self._certificates)

    def by_certificate(self, names: Iterable[str]) -> str | None:
        """Return the client that a certificate with these names is for, or None."""
        found = (self._certificates.get(name.casefold()) for name in names)
        return next((client for client in found if client is not None), None)

    def name_of(self, headers: Headers, address: str) -> str | None:
        """Return the client's name, or None if it is unknown."""
        if not self.knows_clients:
            return LOOPBACK  # nobody else can connect, except through a proxy on this machine
        token = _token(headers.get(b"authorization", b""))
        if token and (name := self._tokens.get(self._digest(token))):
            return name
        return self._by_address(address)

    def _digest(self, token: bytes) -> bytes:
        # Looked up by a keyed digest, so that the time of a comparison reveals nothing about it.
        return blake2b(token, key=self._key, digest_size=32).digest()

    def _by_address(self, address: str) -> str | None:
        try:
            found = ip_address(address)
        except ValueError:
            return None
        if isinstance(found, IPv6Address) and found.ipv4_mapped:
            found = found.ipv4_mapped
        return next((name for network, name in self._networks if found in network), None)


def is_loopback(headers: Headers, address: str) -> bool:
    """Return whether the request comes from this machine itself, not through a proxy on it."""
    try:
        near = ip_address(address).is_loopback
    except ValueError:
        return False
    return near and not any(name in headers for name in _FORWARDED)


def _token(authorization: bytes) -> bytes:
    """Return the bearer token, or the password that a firewall sends with any user name."""
    scheme, _, credentials = authorization.partition(b" ")
    if scheme.lower() == b"bearer":
        return credentials.strip()
    if scheme.lower() != b"basic":
        return b""
    try:
        return base64.b64decode(credentials.strip(), validate=True).partition(b":")[2]
    except binascii.Error:
        return b""
