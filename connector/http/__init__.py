"""The HTTP client of all feeds and adapters: TLS, proxy, credentials, timeouts, retries."""

from connector.http.client import Http

__all__ = ["Http"]
