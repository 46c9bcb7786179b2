"""TLS as a client: trust, our certificate, and what a failed handshake means in words."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import certifi

from connector.errors import ConfigError, RefusedError, UnavailableError
from connector.settings import Auth, SecretValue

# Alerts with which a server rejects our own certificate (RFC 8446 section 6.2).
_OUR_CERTIFICATE: Final = (
    "CERTIFICATE_REQUIRED",
    "BAD_CERTIFICATE",
    "UNSUPPORTED_CERTIFICATE",
    "CERTIFICATE_REVOKED",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_UNKNOWN",
    "ALERT_UNKNOWN_CA",
    "ALERT_ACCESS_DENIED",
)
_EXPIRED: Final = 10  # X509_V_ERR_CERT_HAS_EXPIRED
_OTHER_NAME: Final = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
# With TLS 1.3 the alert follows the handshake, and may be lost when the connection is torn down.
HUNG_UP_HINT: Final = (
    "; it may require a client certificate, or another one: check auth.client_cert and "
    "auth.client_key"
)


def client_context(auth: Auth, ca: Path | None) -> ssl.SSLContext:
    """Return a context that verifies servers, and sends our certificate if one is configured."""
    context = verifying_context(ca)
    if auth.client_cert is not None:
        _load_certificate(context, auth.client_cert, auth)
    return context


def verifying_context(ca: Path | None) -> ssl.SSLContext:
    """Return a context that trusts only the private authority, or else the public ones."""
    try:
        return ssl.create_default_context(cafile=str(ca) if ca else _public_authorities())
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(
            [f"ca: {ca} should be a PEM file of certificates: {said(error)}"]
        ) from error
    except OSError as error:
        raise ConfigError([f"ca: {ca} cannot be read: {error.strerror}"]) from error


def _public_authorities() -> str | None:
    """Return the system's store, to which firms add their own; a slim container may have none."""
    paths = ssl.get_default_verify_paths()
    stored = paths.cafile or (paths.capath and any(Path(paths.capath).iterdir()))
    return None if stored else certifi.where()


def _load_certificate(context: ssl.SSLContext, certificate: SecretValue, auth: Auth) -> None:
    asked = []

    def passphrase() -> str:
        asked.append(True)
        return auth.client_key_password.reveal() if auth.client_key_password else ""

    try:
        with pem_file(certificate) as chain, pem_file(auth.client_key) as key:
            context.load_cert_chain(chain or "", key, passphrase)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError([_certificate_problem(error, bool(asked), auth)]) from error
    except OSError as error:
        raise ConfigError(
            [f"auth.client_cert: this or auth.client_key cannot be read: {error.strerror}"]
        ) from error


def _certificate_problem(error: Exception, asked: bool, auth: Auth) -> str:
    if asked and auth.client_key_password is None:
        return "auth.client_key: is encrypted, but auth.client_key_password is missing"
    if asked:
        return "auth.client_key_password: is wrong for auth.client_key"
    if "KEY_VALUES_MISMATCH" in str(error):
        return "auth.client_key: does not belong to auth.client_cert"
    return (
        "auth.client_cert: this and auth.client_key should be a certificate chain and its key, "
        f"both in PEM form: {said(error)}"
    )


@contextmanager
def pem_file(secret: SecretValue | None) -> Iterator[str | None]:
    """Give OpenSSL, which reads only files, a file in memory: secrets never reach a disk."""
    if secret is None:
        yield None
    elif secret.file is not None:
        yield str(secret.file)
    else:
        handle = os.memfd_create("pem", os.MFD_CLOEXEC)
        try:
            with open(handle, "wb", closefd=False) as memory:
                memory.write(secret.reveal().encode())
            yield f"/proc/self/fd/{handle}"
        finally:
            os.close(handle)


def explain(error: ssl.SSLError, where: str) -> UnavailableError | RefusedError:
    """Return what a TLS failure means, and the remedy."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return UnavailableError(f"{where}: {_distrust(error)}")
    reason = error.reason or ""
    if any(alert in reason for alert in _OUR_CERTIFICATE):
        return RefusedError(
            f"{where}: the server rejected our client certificate ({said(error)}): check "
            "auth.client_cert and auth.client_key, their expiry, and that the server accepts them"
        )
    if "HANDSHAKE_FAILURE" in reason:
        return UnavailableError(
            f"{where}: the TLS handshake failed ({said(error)}): the server may require a client "
            "certificate: set auth.client_cert and auth.client_key"
        )
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return UnavailableError(f"{where}: the server closed the connection{HUNG_UP_HINT}")
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL"):
        return UnavailableError(
            f"{where}: does not speak TLS ({said(error)}): check the port, and https or http"
        )
    return UnavailableError(f"{where}: TLS failed: {said(error)}")


def _distrust(error: ssl.SSLCertVerificationError) -> str:
    words = f"the server's certificate is not trusted ({error.verify_message})"
    if error.verify_code == _EXPIRED:
        return f"{words}: the server must renew it; check this machine's clock too"
    if error.verify_code in _OTHER_NAME:
        return f"{words}: it is for another name: check the url"
    return (
        f"{words}: set ca to the PEM file of the authority that signed it; if a proxy on the path "
        "inspects TLS, exempt this host there"
    )


def said(error: Exception) -> str:
    """Return OpenSSL's reason for an error in words."""
    reason = getattr(error, "reason", None)
    return reason.lower().replace("_", " ") if isinstance(reason, str) else str(error)
