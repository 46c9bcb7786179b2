"""The one HTTP client: TLS, proxy, credentials, timeouts, retries and redaction."""

from connector.http.client import Http

__all__ = ["Http"]
