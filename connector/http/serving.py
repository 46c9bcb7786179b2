"""TLS as a server: our certificate and key, and whose certificates clients may show."""

import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from connector.errors import ConfigError
from connector.http.tls import pem_file, said
from connector.instants import SECOND
from connector.settings import SecretValue

_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_END: Final = "-----END CERTIFICATE-----"
_NAMES: Final = frozenset({"DNS", "email", "URI"})
_CN: Final = "commonName"
_AT_ANY_TIME: Final = 0x200000  # OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which ssl does not name


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
    client = _client_of(chain)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    _show(context, chain, key, tls.key_password)
    ends = _ends_at(context, client)
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


def _client_of(chain: str) -> ssl.SSLContext:
    """Return what a client needs that trusts the first certificate of a chain, whatever the time.

    Raises ConfigError where there is none.
    """
    begin, end = chain.find(_BEGIN), chain.find(_END)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    try:
        client.load_verify_locations(cadata=chain[begin : end + len(_END)] if begin >= 0 else "")
    except (ssl.SSLError, ValueError) as error:
        told = "certificate: should be a certificate chain in PEM form, ours first"
        raise ConfigError([told]) from error
    flags = client.verify_flags | ssl.VERIFY_X509_PARTIAL_CHAIN | _AT_ANY_TIME
    client.verify_flags = ssl.VerifyFlags(flags)
    return client


def _ends_at(context: ssl.SSLContext, client: ssl.SSLContext) -> int:
    """Return when the certificate that a context shows ends, as its client is told.

    The ssl module says it of the other side's certificate alone: so a client asks, in memory.
    """
    asked, answered = ssl.MemoryBIO(), ssl.MemoryBIO()
    asks = client.wrap_bio(answered, asked)
    answers = context.wrap_bio(asked, answered, server_side=True)
    try:
        for side in (asks, answers, asks, answers):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
    except ssl.SSLCertVerificationError as error:
        told = f"certificate: clients would refuse it: {error.verify_message}"
        raise ConfigError([told]) from error
    shown = asks.getpeercert() or {}
    return int(ssl.cert_time_to_seconds(str(shown["notAfter"]))) * SECOND


def names_in(certificate: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names that a client's verified certificate bears, the subject's own last."""
    other = [name for kind, name in certificate.get("subjectAltName", ()) if kind in _NAMES]
    subject = [pair for part in certificate.get("subject", ()) for pair in part]
    return (*other, *(name for kind, name in subject if kind == _CN))
