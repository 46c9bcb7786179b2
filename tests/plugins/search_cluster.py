"""A real noida-db, which speaks Elasticsearch 8.15, behind what asks for keys and misbehaves."""

import base64
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import certifi
import pytest
from edl_programs import free_port
from urllib3 import HTTPConnectionPool

from connector.testing.http_target import Call, HttpTarget, Reply

API_KEY = base64.b64encode(b"id-of-it:secret-of-it").decode()
USER, PASSWORD = "connector", "a password of it"
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
JSON = {"Content-Type": "application/json"}
_READY = "press Ctrl-C"


class Cluster(HttpTarget):
    """What both kinds have: credentials, and errors that tests choose."""

    accepted = frozenset({f"ApiKey {API_KEY}", f"Basic {BASIC}"})

    def __init__(self) -> None:
        super().__init__()
        self.item_error: tuple[int, str, str] | None = None
        self.right_missing = ""

    def refused(self, call: Call) -> Reply | None:
        if call.headers.get("authorization") not in self.accepted:
            return self.unauthorized()
        if self.right_missing and self.right_missing in call.path:
            return error(403, "security_exception", f"action [{call.path}] is unauthorized")
        if self.item_error and call.path.endswith("/_bulk"):
            return self._each_fails(call, *self.item_error)
        return None

    def unauthorized(self) -> Reply:
        return error(401, "security_exception", "missing authentication credentials")

    def _each_fails(self, call: Call, status: int, kind: str, reason: str) -> Reply:
        said = {"status": status, "error": {"type": kind, "reason": reason}}
        items = [{what: at | said} for what, at, _document in actions(call)]
        return Reply.of({"took": 1, "errors": True, "items": items})

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask as an administrator."""
        said = b"" if body is None else json.dumps(body).encode()
        target, _, query = path.partition("?")
        options = dict(part.split("=") for part in query.split("&") if part)
        return json.loads(self.reply_to(Call(0, method, target, options, {}, said, path)).body)

    def put(self, index: str, name: str, document: object) -> None:
        """Put a document there by hand, whatever was there."""
        self.ask("PUT", f"/{index}/_doc/{name}?refresh=true", document)

    def documents(self, index: str) -> dict[str, Any]:
        said = self.ask("POST", f"/{index}/_search", {"size": 9999})
        hits = said["hits"]["hits"] if "hits" in said else []
        return {hit["_id"]: hit["_source"] for hit in hits}

    def reply(self, call: Call) -> Reply:
        return self.refused(call) or self.reply_to(call)

    def reply_to(self, call: Call) -> Reply:
        raise NotImplementedError


def error(status: int, kind: str, reason: str) -> Reply:
    said = {"type": kind, "reason": reason}
    return Reply.of({"error": {"root_cause": [said], **said}, "status": status}, status)


def actions(call: Call) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Yield what a bulk request does."""
    lines = iter(call.body.splitlines())
    for line in lines:
        ((what, at),) = json.loads(line).items()
        yield what, at, None if what == "delete" else json.loads(next(lines))


class Noida(Cluster):
    """The way to a noida-db; a document that it is to refuse gets an address that is none."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._pool = HTTPConnectionPool("127.0.0.1", port)

    def reply_to(self, call: Call) -> Reply:
        body = call.body
        if self.refuses and call.path.endswith("/_bulk"):
            body = b"".join(self._spoilt(*one) for one in actions(call))
        kinds = {k: v for k, v in call.headers.items() if k == "content-type"} or JSON
        answer = self._pool.request(call.method, call.target, body=body or None, headers=kinds)
        return Reply(answer.status, answer.data, JSON)

    def _spoilt(self, what: str, at: object, document: Any) -> bytes:
        lines = [{what: at}]
        if document is not None:
            if document["connector"]["value"] in self.refuses:
                document["threat"]["indicator"]["ip"] = "nonsense"
            lines.append(document)
        return b"".join(json.dumps(line).encode() + b"\n" for line in lines)

    def __exit__(self, *problem: object) -> None:
        super().__exit__(*problem)
        self._pool.close()


def one_authority(folder: Path) -> Path:
    """Return a file with one authority, as reading all of the system's takes longer than a test."""
    end = "-----END CERTIFICATE-----\n"
    first = Path(certifi.where()).read_text(encoding="utf-8").partition(end)[0]
    (folder / "ca.pem").write_text(first + end, encoding="utf-8")
    return folder / "ca.pem"


@contextmanager
def noida(folder: Path) -> Iterator[int]:
    """Run a noida-db; return its port on this machine."""
    port = free_port()
    package = pytest.importorskip("noida_db", reason="noida-db is not installed")
    program = Path(package.__file__).with_name("noida-db")
    options = ["--only", "elasticsearch", "--elasticsearch-port", str(port)]
    with subprocess.Popen(
        [program, "start", *options, "--host", "127.0.0.1", "--data-dir", folder],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    ) as running:  # fmt: skip
        try:
            assert running.stdout is not None
            assert any(_READY in line for line in running.stdout), "noida-db did not start"
            yield port
        finally:
            os.killpg(running.pid, signal.SIGTERM)
