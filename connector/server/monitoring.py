"""/healthz and /metrics, for this machine and for known clients."""

import asyncio
from collections.abc import Callable, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from connector.errors import ConnectorError
from connector.server import answers
from connector.server.authentication import Authenticator, is_loopback
from connector.server.connections import Connections
from connector.server.renewal import Renewal

Status = Callable[[], Mapping[str, object]]


class Monitoring:
    """Answers monitoring; `status` has `healthy` and any other facts.

    The server adds the state of its connections as `server`; being full does not make the service
    unhealthy, as it does not affect what is enforced.
    """

    def __init__(
        self,
        status: Status,
        registry: CollectorRegistry,
        authenticator: Authenticator,
        connections: Connections,
        certificate: Renewal | None = None,
    ) -> None:
        self._status = status
        self._registry = registry
        self._authenticator = authenticator
        self._connections = connections
        self._certificate = certificate

    async def health(self, request: Request) -> Response:
        """Answer 200 while healthy and 503 otherwise, with the facts as JSON."""
        if not self._lets_in(request):
            return answers.who_are_you()
        try:
            facts = await asyncio.to_thread(self._status)
        except ConnectorError as error:
            return answers.as_json({"healthy": False, "problem": str(error)}, 503)
        certificate = self._certificate.facts() if self._certificate else None
        told = {**facts, "server": {**self._connections.facts(), "certificate": certificate}}
        return answers.as_json(told, 200 if facts.get("healthy") else 503)

    async def metrics(self, request: Request) -> Response:
        """Answer with all metrics in Prometheus's text format."""
        if not self._lets_in(request):
            return answers.who_are_you()
        text = await asyncio.to_thread(generate_latest, self._registry)
        return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    def _lets_in(self, request: Request) -> bool:
        headers, address = answers.headers_of(request.scope), answers.address_of(request.scope)
        near = answers.certified(request.scope) or is_loopback(headers, address)
        return bool(near) or self._authenticator.name_of(headers, address) is not None
