"""Which observables the properties in patterns stand for."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from connector.indicators.observables.canonical import plain_form, read_host, read_observable
from connector.model import Observable, ObservableType

_T = ObservableType


@dataclass(frozen=True, slots=True)
class Property:
    """How to read an equality with one property as an observable.

    `caution` says why it is never enough by itself, if so: the value belongs to something other
    than the observed object. `plain` is the fast path: the type of texts that a test finds
    canonical already, which are enough by themselves.
    """

    path: str
    read: Callable[[str], tuple[Observable, tuple[str, ...]]]
    caution: str = ""
    is_number: bool = False
    is_address: bool = False
    plain: tuple[ObservableType, Callable[[str], object]] | None = None


# Paths of a victim or a bystander.
VICTIMS: Final = ("email-message:to_refs", "email-message:cc_refs", "email-message:bcc_refs")

_RUNNING: Final = "the file must be running"
_USER_AGENT: Final = "request_header.User-Agent"
_HTTP: Final = "network-traffic:extensions.http-request-ext."
# Objects that OpenCTI adds to those of STIX, with current and older names.
_HOSTNAMES: Final = ("hostname:value", "x-opencti-hostname:value", "domain:value")
_USER_AGENTS: Final = ("user-agent:value", "x-opencti-user-agent:value")
_DIGESTS: Final = {
    "md5": _T.FILE_MD5,
    "sha1": _T.FILE_SHA1,
    "sha256": _T.FILE_SHA256,
    "sha512": _T.FILE_SHA512,
}


def _text(path: str, kind: ObservableType, caution: str = "") -> Property:
    read = partial(read_observable, kind)
    return Property(path, read, caution, plain=None if caution else _plain(kind))


def _address(path: str, kind: ObservableType) -> Property:
    return Property(path, partial(read_observable, kind), is_address=True, plain=_plain(kind))


def _plain(kind: ObservableType) -> tuple[ObservableType, Callable[[str], object]] | None:
    form = plain_form(kind)
    return None if form is None else (kind, form)


def _host(path: str, caution: str = "") -> Property:
    return Property(path, read_host, caution, is_address=True)


def _digests(parent: str, caution: str = "") -> Iterable[Property]:
    return (_text(f"{parent}.{name}", kind, caution) for name, kind in _DIGESTS.items())


_ALL: Final = (
    _address("ipv4-addr:value", _T.IPV4_ADDR),
    _address("ipv6-addr:value", _T.IPV6_ADDR),
    _host("network-traffic:dst_ref.value"),
    _host("network-traffic:src_ref.value"),
    _host("domain-name:resolves_to_refs[*].value", "other names may resolve to it as well"),
    _text("domain-name:value", _T.DOMAIN_NAME),
    *(_text(path, _T.DOMAIN_NAME) for path in _HOSTNAMES),
    _text("url:value", _T.URL),
    _text("email-addr:value", _T.EMAIL_ADDR),
    _text("email-message:from_ref.value", _T.EMAIL_ADDR),
    _text("email-message:sender_ref.value", _T.EMAIL_ADDR),
    _text("email-message:subject", _T.EMAIL_SUBJECT),
    _text("email:subject", _T.EMAIL_SUBJECT),
    *_digests("file:hashes"),
    *_digests("artifact:hashes", "it is the hash of an artifact, not of a file"),
    *_digests("process:image_ref.hashes", _RUNNING),
    *_digests("process:binary_ref.hashes", _RUNNING),
    _text("file:name", _T.FILE_NAME),
    _text("process:name", _T.FILE_NAME, "it is the name of a process, not of a file"),
    _text("process:image_ref.name", _T.FILE_NAME, _RUNNING),
    _text("process:binary_ref.name", _T.FILE_NAME, _RUNNING),
    _text("process:command_line", _T.PROCESS_COMMAND),
    _text("windows-registry-key:key", _T.REGISTRY_KEY),
    _text("mutex:name", _T.MUTEX),
    _text("x509-certificate:hashes.sha1", _T.X509_SHA1),
    _text("x509-certificate:hashes.sha256", _T.X509_SHA256),
    _text(_HTTP + _USER_AGENT, _T.USER_AGENT),
    _text(f"http-request-ext:{_USER_AGENT}", _T.USER_AGENT),
    *(_text(path, _T.USER_AGENT) for path in _USER_AGENTS),
    _host(
        _HTTP + "request_header.Host",
        "it is requested by name, and there are other ways to reach it",
    ),
    Property(
        "autonomous-system:number", partial(read_observable, _T.AUTONOMOUS_SYSTEM), is_number=True
    ),
)

# By path, in the form that `comparisons.Comparison` has.
PROPERTIES: Final = {known.path: known for known in _ALL}
