"""The API of a Wazuh 4.14 manager in memory, for tests: lists, its validator, its answers."""

import re
from base64 import b64encode
from typing import Any, Final

from connector.testing.http_target import Call, HttpTarget, Reply, route

__all__ = ["WazuhEmulator"]

_TEXTS: Final = {
    1112: "Empty files are not supported",
    1800: "Bad format in CDB list",
    1802: "CDB list file does not exist",
    1905: "File already exists",
}


class WazuhEmulator(HttpTarget):
    """A manager with one API user; `looked_up` has the lists as rules see them.

    Rules see what was there when analysisd last loaded it. An error of an item comes with status
    200, as the manager answers.
    """

    largest_body = 10_485_760  # max_upload_size of api.yaml, as shipped
    validator = r'(?:"[\w\-: ]+"|[^:"\s]+):(?:"[\w\-: ]*"|[^:"]*)'

    def __init__(self, user: str, password: str, **options: Any) -> None:
        super().__init__(**options)
        self.user, self.password = user, password
        self.files: dict[str, str] = {}
        self.looked_up: dict[str, dict[str, str]] = {}

    def refused(self, call: Call) -> Reply | None:
        """Return what a call without a token that is valid gets."""
        if call.path == "/security/user/authenticate":
            pair = b64encode(f"{self.user}:{self.password}".encode()).decode()
            known = call.headers.get("authorization") == f"Basic {pair}"
            return None if known else _problem(401, "Unauthorized", "Invalid credentials")
        if self.sessions.knows(call.token):
            return None
        return _problem(401, "Unauthorized", "The server could not verify that you are authorized")

    def restart(self) -> None:
        """Start anew: files stay, and are loaded."""
        super().restart()
        self._load()

    @route("POST", "/security/user/authenticate")
    def _authenticate(self, _call: Call) -> Reply:
        return Reply.of({"data": {"token": self.sessions.open()}, "error": 0})

    @route("GET", "/lists/files/{name}")
    def _read(self, _call: Call, name: str) -> Reply:
        if name not in self.files:
            return _failed(1802, name)
        return _done([_items(self.files[name])])

    @route("PUT", "/lists/files/{name}")
    def _write(self, call: Call, name: str) -> Reply:
        if call.headers.get("content-type") != "application/octet-stream":
            return _problem(406, "Wrong content-type", "Only application/octet-stream is accepted")
        if name in self.files and call.query.get("overwrite") != "true":
            return _failed(1905, name)
        text = call.body.decode("utf-8")
        if not text:
            return _failed(1112, name)
        if not all(re.fullmatch(self.validator, line) for line in text.splitlines()):
            return _failed(1800, name)
        self.files[name] = text
        return _done([f"etc/lists/{name}"])

    @route("PUT", "/manager/analysisd/reload")
    def _reload(self, _call: Call) -> Reply:
        self._load()
        return _done([{"name": "manager", "msg": "ok"}])

    @route("PUT", "/cluster/analysisd/reload")
    def _reload_cluster(self, call: Call) -> Reply:
        return self._reload(call)

    @route("PUT", "/manager/restart")
    def _restart(self, _call: Call) -> Reply:
        self._load()
        return _done(["manager"])

    def _load(self) -> None:
        self.looked_up = {name: _items(text) for name, text in self.files.items()}


def _items(text: str) -> dict[str, str]:
    """Return keys and values as the manager splits them; it skips lines with TEMPLATE."""
    found = {}
    for line in text.splitlines():
        if "TEMPLATE" not in line:
            quoted = re.fullmatch(r'"([^"]*)":(.*)', line)
            key, value = quoted.groups() if quoted else line.split(":")
            found[key] = value.strip('"')
    return found


def _done(items: list[Any]) -> Reply:
    data = {"affected_items": items, "total_affected_items": len(items), "failed_items": []}
    return Reply.of({"data": data | {"total_failed_items": 0}, "message": "ok", "error": 0})


def _failed(code: int, name: str) -> Reply:
    item = {"error": {"code": code, "message": _TEXTS[code]}, "id": [f"etc/lists/{name}"]}
    data = {"affected_items": [], "total_affected_items": 0, "failed_items": [item]}
    said = {"data": data | {"total_failed_items": 1}, "message": "Could not do it", "error": 1}
    return Reply.of(said)


def _problem(status: int, title: str, detail: str) -> Reply:
    return Reply.of({"title": title, "detail": detail}, status)
