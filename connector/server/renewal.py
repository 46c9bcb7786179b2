"""The certificate in force: one that was renewed replaces it, one that cannot be used does not."""

import os
from collections.abc import Iterator
from pathlib import Path
from ssl import SSLContext

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from connector.errors import ConfigError
from connector.http.serving import ServerTls, served
from connector.instants import SECOND, to_datetime
from connector.log import log

_Stamp = tuple[int, int, int]


class Renewal:
    """Holds the context for new connections; those that are open keep theirs."""

    def __init__(self, tls: ServerTls) -> None:
        self._tls = tls
        secrets = (tls.certificate, tls.key)
        named = [secret.file for secret in secrets if secret is not None]
        self._files = [path for path in (*named, tls.client_ca) if path is not None]
        self._seen = self._stamps()
        try:
            self._served = served(tls)
        except ConfigError as error:
            raise ConfigError([f"server.tls.{problem}" for problem in error.problems]) from error
        self.problem: str | None = None

    @property
    def context(self) -> SSLContext:
        """The context for a new connection."""
        return self._served.context

    @property
    def ends(self) -> int:
        """When the certificate in force ends."""
        return self._served.ends

    def look(self) -> None:
        """Take up files that have changed; keep what is in force if they do not fit together."""
        stamps = self._stamps()
        if stamps == self._seen:
            return
        self._seen = stamps
        try:
            self._served = served(self._tls)
        except ConfigError as error:
            self.problem = f"server.tls.{'; '.join(error.problems)}"
            log.error("server.certificate_refused", why=self.problem, kept="the one in force")
        else:
            self.problem = None
            log.info("server.certificate_renewed", ends=self.facts()["ends_at"])

    def facts(self) -> dict[str, object]:
        """Return when the certificate in force ends, and why a renewed one is not."""
        ends = to_datetime(self.ends).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"ends_at": ends, "problem": self.problem}

    def _stamps(self) -> list[_Stamp]:
        return [_stamp(path) for path in self._files]


def _stamp(path: Path) -> _Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)


class CertificateCollector(Collector):
    """The certificate in force as metrics; without TLS they have no value."""

    def __init__(self, certificate: Renewal | None) -> None:
        self._certificate = certificate

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics for the registry."""
        ends = GaugeMetricFamily(
            "connector_server_certificate_end_timestamp_seconds",
            "When the certificate in force ends.",
        )
        refused = GaugeMetricFamily(
            "connector_server_certificate_refused",
            "Whether a renewed certificate cannot be used, and the one before is in force.",
        )
        if self._certificate is not None:
            ends.add_metric([], self._certificate.ends / SECOND)
            refused.add_metric([], float(self._certificate.problem is not None))
        yield from (ends, refused)
