"""The base of every options class, and the value types of options."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
)

__all__ = [
    "Auth",
    "CallRate",
    "Duration",
    "EventSettings",
    "Field",
    "FilePath",
    "HttpSettings",
    "OAuth2",
    "OwnName",
    "Rate",
    "Secret",
    "SecretValue",
    "ServerUrl",
    "Settings",
    "url_with_password",
]

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
# A century: nobody waits longer, and a date minus more than that leaves the calendar.
_LONGEST: Final = 5200 * _SECONDS["w"]
_DURATION: Final = re.compile(r"([1-9][0-9]{0,8})([smhdw])")
_CALLS: Final = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,3})([smh])")
_ONE_WORD: Final = re.compile(r"[!-~]+")
PUBLISHED_FILE: Final = "published file"
SECRET_KINDS: Final = ("env", "file", "credential")


@dataclass(frozen=True, slots=True)
class OwnName:
    """Stands in a place for the output's name, where the target knows its entries by that.

    `option` sets another name, so that an output can be renamed in the file.
    """

    option: str


class Settings(BaseModel):
    """Options, each with type, bound, default and sentence; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    @property
    def places(self) -> frozenset[tuple[object, ...]] | None:
        """The places at the target that an output owns; None if all its options identify them.

        Each begins with a word for its kind; a file below publish_folder is `published file` and
        its name, and the list server answers only for files that outputs keep. Two in one place
        would each treat the other's entries as foreign or lost, so `connector check` refuses
        them, even with different adapters. An output whose place changes in the file has moved:
        what it wrote at the old one is removed.
        """
        return frozenset(self.places_by_option.values()) or None

    @property
    def places_by_option(self) -> Mapping[str, tuple[object, ...]]:
        """The place that each option names, of those that may be left out and name one each."""
        return {}

    def narrowed(self, places: Collection[tuple[object, ...]]) -> Self | None:
        """Return the options for some of their places alone; None where they cannot be parted.

        The others of an output that moved may be kept by now, by itself or by another one.
        """
        if frozenset(places) == self.places:
            return self
        named = self.places_by_option
        others = [option for option, place in named.items() if place not in places]
        if len(others) == len(named):
            return None
        return self.model_copy(update=dict.fromkeys(others))

    @property
    def wants_originals(self) -> bool:
        """Whether entries of an output with these options come with their STIX objects.

        Only those that may be passed on whole come then, and each has a field `original`.
        """
        return False

    @property
    def makes_objects(self) -> bool:
        """Whether a feed with these options makes its STIX objects of something else.

        Nobody said these, so no output passes them on as if someone had.
        """
        return False

    @property
    def credentials_are_for(self) -> object | None:
        """Whom the secrets among these options are meant for; None if the class does not say.

        To clean a place that an output has left, they are used only where it is the same.
        """
        return None


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str) and (found := _DURATION.fullmatch(value)):
        seconds = int(found[1]) * _SECONDS[found[2]]
        if seconds > _LONGEST:
            raise ValueError("should be at most 5200w")
        return timedelta(seconds=seconds)
    raise ValueError("should be a whole number with its unit, such as 30s, 15m, 6h, 90d or 2w")


def write_duration(value: timedelta) -> str:
    """Return the shortest way to write a duration in the file, such as `15m`."""
    seconds = int(value.total_seconds())
    for unit in ("w", "d", "h", "m"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{seconds // _SECONDS[unit]}{unit}"
    return f"{seconds}s"


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(write_duration),
    WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,8}[smhdw]$"}),
]


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls in so many seconds, written as `8/5s`."""

    calls: int
    seconds: int

    def __str__(self) -> str:
        return f"{self.calls}/{write_duration(timedelta(seconds=self.seconds))}"


def read_rate(value: object) -> Rate:
    """Return the rate that is written so."""
    if isinstance(value, Rate):
        return value
    if isinstance(value, str) and (found := _CALLS.fullmatch(value)):
        seconds = int(found[2]) * _SECONDS[found[3]]
        if seconds <= _SECONDS["h"]:
            return Rate(int(found[1]), seconds)
    raise ValueError("should be calls and a time of at most 1h, such as 8/5s or 100/1m")


CallRate = Annotated[
    Rate,
    BeforeValidator(read_rate),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,5}/[1-9][0-9]{0,3}[smh]$"}),
]


def _path(value: object, info: ValidationInfo) -> Path:
    """Resolve a relative path against the configuration file's folder (validation context)."""
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError("should be a path")
    folder = (info.context or {}).get("folder")
    return Path(folder, value) if folder else Path(value)


FilePath = Annotated[
    Path, BeforeValidator(_path), WithJsonSchema({"type": "string", "minLength": 1})
]


def _server_url(url: str) -> str:
    """Return the address of a server that gets our credentials; raise ValueError for others."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError(f"should look like https://server.example ({error})") from error
    if parts.scheme not in ("https", "http") or not host or not _ONE_WORD.fullmatch(url):
        raise ValueError("should look like https://server.example")
    if "@" in parts.netloc:
        raise ValueError("should have no credentials; they have options of their own")
    if parts.query or parts.fragment:
        raise ValueError("should have no query and no fragment")
    if parts.scheme == "http" and not _is_here(host):
        raise ValueError("should be https: credentials would cross the network unencrypted")
    return url


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


ServerUrl = Annotated[
    str,
    AfterValidator(_server_url),
    WithJsonSchema({"type": "string", "pattern": r"^https?://[^\s@?#]+$"}),
]
"""Address of a server that gets our credentials: https, or plain http on this machine alone."""


class SecretValue:
    """A secret's text, which never prints; `file` is the file it came from, if any."""

    __slots__ = ("_text", "file")

    def __init__(self, text: str, file: Path | None = None) -> None:
        self._text = text
        self.file = file

    def reveal(self) -> str:
        """Return the text; only for the place that sends it."""
        return self._text

    def __repr__(self) -> str:
        return "SecretValue(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretValue) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


def url_with_password(url: str, password: SecretValue | None) -> str:
    """Return a URL with its user's password: for the one place that connects, never for a log."""
    if password is None:
        return url
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}:{quote(password.reveal(), safe='')}@{host}").geturl()


def _secret(value: object, info: ValidationInfo) -> SecretValue:
    """Resolve a reference with the loader's `context["resolve_secret"](kind, name)`."""
    if isinstance(value, SecretValue):
        return value
    if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in SECRET_KINDS:
        raise ValueError(
            "should be a reference to a secret: {env: NAME}, {file: path} or {credential: name}; "
            "a literal secret is refused"
        )
    kind, name = next(iter(value.items()))
    if not isinstance(name, str) or not name:
        raise ValueError(f"{kind} should name the place of the secret")
    resolve: Any = (info.context or {}).get("resolve_secret")
    if resolve is None:
        raise ValueError("secrets can only be read while a configuration file is loaded")
    resolved = resolve(kind, name)
    if not isinstance(resolved, SecretValue):
        raise TypeError("resolve_secret must return a SecretValue")
    return resolved


Secret = Annotated[
    SecretValue,
    BeforeValidator(_secret),
    PlainSerializer(lambda _value: "***"),
    WithJsonSchema(
        {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
            "properties": {kind: {"type": "string", "minLength": 1} for kind in SECRET_KINDS},
        }
    ),
]


# These are prepared on first use: not everything speaks HTTP.
class OAuth2(Settings, defer_build=True):
    """A token of OAuth 2.0 for a client's own credentials (RFC 6749 section 4.4)."""

    token_url: str = Field(
        pattern=r"^(https://|http://(localhost|127\.0\.0\.1)[:/])",
        description="Address that gives the token; plain http is accepted for this machine only.",
    )
    client_id: str = Field(min_length=1, description="Name of the client at that address.")
    client_secret: Secret = Field(description="Secret of the client.")
    client_secret_in: Literal["body", "header"] = Field(
        "body", description="Whether name and secret are sent as a form or as HTTP basic."
    )
    scope: str | None = Field(
        None, min_length=1, description="Rights to ask for, separated by spaces."
    )
    resource: str | None = Field(
        None, min_length=1, description="Service that the token is for, in place of `scope`."
    )


class Auth(Settings, defer_build=True):
    """How we authenticate to a server; a client certificate combines with any other method."""

    username: str | None = Field(None, description="User name for HTTP basic authentication.")
    password: Secret | None = Field(
        None, description="Password for HTTP basic authentication; optional."
    )
    token: Secret | None = Field(None, description="Sent as `Authorization: Bearer TOKEN`.")
    header: str | None = Field(
        None, pattern=r"^[A-Za-z0-9-]{1,64}$", description="Header that carries `key`."
    )
    key: Secret | None = Field(None, description="Value of the header named by `header`.")
    oauth2: OAuth2 | None = Field(
        None, description="Client credentials for a token, which is renewed in time."
    )
    client_cert: Secret | None = Field(None, description="Client certificate chain in PEM form.")
    client_key: Secret | None = Field(
        None, description="Private key of the client certificate in PEM form."
    )
    client_key_password: Secret | None = Field(None, description="Passphrase of `client_key`.")


class TlsSettings(Settings, defer_build=True):
    """Options of an adapter that speaks TLS; `context.tls` is made from them."""

    auth: Auth = Field(default_factory=Auth, description="Credentials; none by default.")
    ca: FilePath | None = Field(
        None,
        description="PEM file of a private certificate authority, used instead of public ones.",
    )


class HttpSettings(TlsSettings):
    """Options of every feed and adapter that speaks HTTP; such a class receives an `Http`."""

    proxy: str | None = Field(
        None, pattern=r"^https?://", description="Proxy for all requests, as http://host:port."
    )
    connect_timeout: Duration = Field(
        timedelta(seconds=10), description="How long to wait for a connection."
    )
    read_timeout: Duration = Field(
        timedelta(seconds=60), description="How long to wait for the next byte from the server."
    )
    rate: CallRate | None = Field(
        None,
        description="Most calls in a time, such as `8/5s`; shared by all that this process has at "
        "that host. By default as the adapter says, else without a bound.",
    )
    max_body_mib: int = Field(
        64, ge=1, le=1024, description="Largest response accepted, in MiB after decompression."
    )

    @property
    def credentials_are_for(self) -> object | None:
        """The server in the option `url`, where there is one."""
        url = getattr(self, "url", None)
        return None if url is None else server_of(str(url))


class EventSettings(Settings, defer_build=True):
    """Options of every adapter that sends events; its `places` name the receiver."""

    renew_every: Duration | None = Field(
        None,
        description="How often the event of an entry that stays is sent again, for receivers that "
        "forget; never by default.",
    )
    owner_tag: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}$",
        description="Name by which events tell whose they are; the output's when left out. An "
        "output that is renamed needs its former name here.",
    )
    spool_mib: int = Field(
        256, ge=1, le=65_536, description="Most MiB of events that wait on disk for the receiver."
    )


def server_of(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of a URL, alike for all ways of writing them."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, parts.hostname or "", port
