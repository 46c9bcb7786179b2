"""The service itself: its records, its list server, its log, and who we are."""

import os
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, StringConstraints, ValidationInfo, model_validator

from connector.config.values import Listen, Name, Network, Text, listen_parts
from connector.settings import Duration, Field, FilePath, Secret, Settings, url_with_password

SQLITE: Final = "sqlite:///"
_DATABASE_FORM: Final = "should be sqlite:///PATH or postgresql+psycopg://USER@HOST/DATABASE"


def _database_url(value: str, info: ValidationInfo) -> str:
    """Resolve a relative SQLite path against the folder of the configuration file."""
    path = value.removeprefix(SQLITE)
    if path != value:
        if path in {"", ":memory:"}:
            raise ValueError("should name a file: the ledger must survive a restart")
        folder = (info.context or {}).get("folder")
        return f"{SQLITE}{Path(folder, path)}" if folder else value
    try:
        parts = urlsplit(value)
        literal, host = parts.password, parts.hostname
    except ValueError:
        raise ValueError(_DATABASE_FORM) from None
    if literal is not None:
        raise ValueError("contains a literal secret: remove it and set state.password instead")
    if parts.scheme != "postgresql+psycopg" or not host or len(parts.path) < 2:
        raise ValueError(_DATABASE_FORM)
    return value


class StateConfig(Settings):
    """Where objects, claims, plans, the ledger and the audit are kept."""

    url: Annotated[str, AfterValidator(_database_url)] = Field(
        "sqlite:///state/connector.db",
        validate_default=True,
        description="Database: `sqlite:///PATH`, or `postgresql+psycopg://USER@HOST/DATABASE` "
        "for several nodes.",
    )
    password: Secret | None = Field(None, description="Password of the PostgreSQL user.")

    @property
    def connection_url(self) -> str:
        """The URL with its password: for the one place that connects, never for a log."""
        return url_with_password(self.url, self.password)


class ServiceConfig(Settings):
    """How much this process does at once."""

    outputs_at_once: int | None = Field(
        None, ge=1, le=256,
        description="How many outputs work at once; by default one for each processor core, at "
        "least 2 and at most 8. An output that waits for its target, or pauses between two tries, "
        "is not counted.",
    )  # fmt: skip

    @property
    def crew(self) -> int:
        """How many outputs work at once."""
        return self.outputs_at_once or min(max(2, len(os.sched_getaffinity(0))), 8)


class ClientConfig(Settings):
    """A client that may fetch lists, identified by token, by address or by certificate."""

    name: Name = Field(description="Name of the client, for log and metrics.")
    token: Secret | None = Field(None, description="Token that the client sends.")
    address: Network | None = Field(
        None, description="Address or network that the client connects from."
    )
    certificate: Text | None = Field(
        None,
        description="Name in the client's certificate: an alternative name or the common name of "
        "one that `server.tls.client_ca` signed.",
    )

    silent_after: Duration | None = Field(
        None, description="As `server.silent_after`, for this client alone."
    )

    @model_validator(mode="after")
    def _one_way(self) -> "ClientConfig":
        ways = (self.token, self.address, self.certificate)
        if sum(way is not None for way in ways) != 1:
            raise ValueError("should have one of token, address and certificate")
        return self


class ServerTlsConfig(Settings):
    """The certificate of the list server; renewed files are taken up without a reload."""

    certificate: Secret = Field(description="Certificate chain in PEM form, ours first.")
    key: Secret | None = Field(
        None, description="Private key in PEM form; by default with the certificate."
    )
    key_password: Secret | None = Field(None, description="Passphrase of `key`.")
    client_ca: FilePath | None = Field(
        None,
        description="PEM file of the authority whose certificates clients may show instead of a "
        "token.",
    )

    @property
    def files(self) -> frozenset[Path]:
        """The files that may be renewed."""
        secrets = (self.certificate, self.key)
        named = [secret.file for secret in secrets if secret is not None]
        return frozenset(path for path in (*named, self.client_ca) if path is not None)


class ServerConfig(Settings):
    """The list server: published lists, health and metrics."""

    listen: Listen = Field("127.0.0.1:8099", description="Host and port to listen on.")
    clients: tuple[ClientConfig, ...] = Field(
        (), description="Who may fetch lists; required to listen beyond this machine."
    )
    tls: ServerTlsConfig | None = Field(
        None, description="Serve by HTTPS (TLS 1.2 or later) only; plain HTTP by default."
    )
    silent_after: Duration = Field(
        timedelta(days=1),
        description="How long a client may fetch nothing, or not a file that it fetched before, "
        "until `status`, the log and a metric tell.",
    )
    max_connections: int = Field(
        1000, ge=1, le=20_000,
        description="Concurrent connections; never more than a quarter of the files that the "
        "service may open (`LimitNOFILE`). When all are in use, the longest idle one is closed.",
    )  # fmt: skip
    max_connections_per_address: int = Field(
        100, ge=1, le=20_000,
        description="Concurrent connections from one IPv4 address or one IPv6 /64. Raise it if "
        "many clients come through one proxy or NAT.",
    )  # fmt: skip
    abandoned: Literal[404, 410] = Field(
        404,
        description="Status for a file below publish_folder that no output of this file keeps: "
        "nobody would ever change its last contents.",
    )

    @model_validator(mode="after")
    def _known_clients(self) -> "ServerConfig":
        if not self.clients and not self.loopback_only:
            raise ValueError(
                f"listens beyond this machine at {self.listen}, so it needs clients: give each "
                "a name and a token, address or certificate"
            )
        return self

    @model_validator(mode="after")
    def _known_authority(self) -> "ServerConfig":
        by_certificate = any(client.certificate for client in self.clients)
        if by_certificate and (self.tls is None or self.tls.client_ca is None):
            raise ValueError(
                "has clients with a certificate, so it needs tls.client_ca: the authority that "
                "signed them"
            )
        return self

    def silence_of(self, client: ClientConfig) -> timedelta:
        """Return how long a client may fetch nothing."""
        return client.silent_after or self.silent_after

    @property
    def host(self) -> str:
        """The host or address to listen on."""
        return listen_parts(self.listen)[0]

    @property
    def port(self) -> int:
        """The port to listen on."""
        return listen_parts(self.listen)[1]

    @property
    def loopback_only(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


class OrganisationConfig(Settings):
    """Who we are, for markings (ACS 3.0) that name who may see an object."""

    nationality: Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")] | None = Field(
        None, description="Our country in three letters, such as USA."
    )
    codes: tuple[Text, ...] = Field((), description="Our organisation codes.")
    entity: Literal["MIL", "GOV", "CTR", "SVR", "SVC", "DEV", "NET"] | None = Field(
        None, description="The kind of entity we are."
    )


class LogConfig(Settings):
    """What the service writes to standard error."""

    format: Literal["console", "json"] = Field(
        "console", description="`console` for people, `json` for a SIEM."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest severity that is logged."
    )
