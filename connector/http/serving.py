"""TLS as a server: our certificate and key, and whose certificates clients may show."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from connector.errors import ConfigError
from connector.http.tls import pem_file, said
from connector.instants import to_instant
from connector.settings import SecretValue

_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_END: Final = "-----END CERTIFICATE-----"
_NAMES: Final = frozenset({"DNS", "email", "URI"})
_CN: Final = "commonName"
_VERSION: Final = 0xA0  # of a certificate; those of version 1 have none
_FORMS: Final = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}  # UTCTime and GeneralizedTime


class ServerTls(Protocol):
    """What a server shows and trusts, as configured."""

    @property
    def certificate(self) -> SecretValue: ...
    @property
    def key(self) -> SecretValue | None: ...
    @property
    def key_password(self) -> SecretValue | None: ...
    @property
    def client_ca(self) -> Path | None: ...


@dataclass(frozen=True, slots=True)
class Served:
    """A context for connections, and when the certificate that it shows ends."""

    context: ssl.SSLContext
    ends: int


def served(tls: ServerTls) -> Served:
    """Return what the files hold now; raise ConfigError, with the option, if that cannot be used.

    Each file is read once, so that what is checked is what is used.
    """
    chain, key = _text("certificate", tls.certificate), None
    if tls.key is not None:
        key = _text("key", tls.key)
    try:
        ends = ends_at(chain)
    except (ValueError, IndexError) as error:
        told = "certificate: should be a certificate chain in PEM form, ours first"
        raise ConfigError([told]) from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    _show(context, chain, key, tls.key_password)
    if tls.client_ca is not None:
        _trust(context, tls.client_ca)
    return Served(context, ends)


def _text(option: str, secret: SecretValue) -> str:
    if secret.file is None:
        return secret.reveal()
    try:
        return secret.file.read_text("ascii", errors="replace")
    except OSError as error:
        raise ConfigError([f"{option}: {secret.file} cannot be read: {error.strerror}"]) from error


def _show(
    context: ssl.SSLContext, chain: str, key: str | None, password: SecretValue | None
) -> None:
    asked = []

    def passphrase() -> str:
        asked.append(True)
        return password.reveal() if password else ""

    kept = SecretValue(key) if key is not None else None
    try:
        with pem_file(SecretValue(chain)) as shown, pem_file(kept) as owned:
            context.load_cert_chain(shown or "", owned, passphrase)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError([_problem(error, bool(asked), password)]) from error


def _problem(error: Exception, asked: bool, password: SecretValue | None) -> str:
    if asked and password is None:
        return "key: is encrypted, but key_password is missing"
    if asked:
        return "key_password: is wrong for key"
    if "KEY_VALUES_MISMATCH" in str(error):
        return "key: does not belong to certificate"
    return f"key: should be the certificate's key in PEM form: {said(error)}"


def _trust(context: ssl.SSLContext, authority: Path) -> None:
    """Ask clients for a certificate of this authority; one without may have a token."""
    context.verify_mode = ssl.CERT_OPTIONAL
    try:
        context.load_verify_locations(cafile=authority)
    except (ssl.SSLError, ValueError) as error:
        told = f"client_ca: {authority} should be a PEM file of certificates: {said(error)}"
        raise ConfigError([told]) from error
    except OSError as error:
        raise ConfigError([f"client_ca: {authority} cannot be read: {error.strerror}"]) from error


class _Element(NamedTuple):
    """One element of DER: its tag, and where what it holds begins and ends."""

    tag: int
    start: int
    end: int


def _element(der: bytes, at: int) -> _Element:
    length, start = der[at + 1], at + 2
    if length & 0x80:  # so many bytes have the length
        size = length & 0x7F
        length, start = int.from_bytes(der[start : start + size], "big"), start + size
    return _Element(der[at], start, start + length)


def ends_at(chain: str) -> int:
    """Return when the first certificate of a PEM chain ends; raise ValueError or IndexError.

    The ssl module tells this only of other sides' certificates (RFC 5280 section 4.1).
    """
    start = chain.index(_BEGIN)
    der = ssl.PEM_cert_to_DER_cert(chain[start : chain.index(_END, start) + len(_END)])
    signed = _element(der, _element(der, 0).start)
    field = _element(der, signed.start)
    if field.tag == _VERSION:
        field = _element(der, field.end)
    for _ in range(3):  # from the serial number over algorithm and issuer to the validity
        field = _element(der, field.end)
    begins = _element(der, field.start)
    ends = _element(der, begins.end)
    if ends.tag not in _FORMS:
        raise ValueError("not a time")
    text = der[ends.start : ends.end].decode("ascii")
    return to_instant(datetime.strptime(text, _FORMS[ends.tag]).replace(tzinfo=UTC))


def names_in(certificate: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names that a client's verified certificate bears, the subject's own last."""
    other = [name for kind, name in certificate.get("subjectAltName", ()) if kind in _NAMES]
    subject = [pair for part in certificate.get("subject", ()) for pair in part]
    return (*other, *(name for kind, name in subject if kind == _CN))
