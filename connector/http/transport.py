"""Connections with our TLS context, through a proxy or not."""

import ssl
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter

from connector import __version__
from connector.http.credentials import credentials
from connector.http.tls import client_context, verifying_context
from connector.settings import HttpSettings

USER_AGENT: Final = f"threat-feed-connector/{__version__}"


class _Transport(HTTPAdapter):
    """Connections with our TLS context, to which requests would add the public authorities.

    `context` is asked for with the first connection over TLS: it takes long to make.
    """

    def __init__(
        self,
        context: Callable[[], ssl.SSLContext],
        proxy_context: ssl.SSLContext | None,
        pools_by_scheme: Mapping[str, Any],
    ) -> None:
        self._context = context
        self._proxy_context = proxy_context
        self._pools = dict(pools_by_scheme)
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        if self._proxy_context is not None:
            kwargs["proxy_ssl_context"] = self._proxy_context
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        if host["scheme"] == "https" or self._proxy_context is not None:
            pool["ssl_context"] = self._context()
        return host, pool

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        conn.cert_reqs = "CERT_REQUIRED"


def session_of(settings: HttpSettings, pools_by_scheme: Mapping[str, Any]) -> requests.Session:
    session = requests.Session()
    # The environment sets no proxies, authorities or .netrc: the file has the only settings.
    session.trust_env = False
    session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"})
    session.auth = credentials(settings.auth)
    if settings.proxy:
        session.proxies = {"http": settings.proxy, "https": settings.proxy}
    context = cache(partial(client_context, settings.auth, settings.ca))
    if settings.ca is not None or settings.auth.client_cert is not None:
        context()  # what is wrong with a file is told now
    # The proxy does not get our certificate. Loading all authorities is slow, so only on demand.
    secured = settings.proxy is not None and settings.proxy.lower().startswith("https:")
    proxy_context = verifying_context(settings.ca) if secured else None
    transport = _Transport(context, proxy_context, pools_by_scheme)
    session.mount("https://", transport)
    session.mount("http://", transport)
    return session
