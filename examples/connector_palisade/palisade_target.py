"""The management API of an imaginary firewall, Palisade, as unkind as real ones.

Everything is a POST, reading too. What is staged belongs to a session that holds the one lock, and
is lost with it; another session may stage and publish without a word about that. Publishing is a
task. Items are answered in an order and a spelling of its own, and
errors of the application come with status 200.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from connector.testing.http_target import Call, HttpTarget, Reply, page_of, route

USER, PASSWORD = "connector", "correct horse battery staple"
_PAGE = 100
_MOST_SESSIONS = 3
_MOST_ITEMS = 50

Key = tuple[str, str, str]  # list, kind, value
Live = dict[Key, "Item"]


@dataclass(frozen=True)
class Item:
    """A line of a list, with the name that the firewall gave it."""

    id: str
    action: str = "block"
    comment: str = ""


class Palisade(HttpTarget):
    """Lists that others edit too; tests set `most`, how many items fit, and `fails_to_publish`."""

    most = 20_000
    fails_to_publish = ""

    def __init__(self) -> None:
        super().__init__()
        self.live: Live = {}
        self.revision = 1
        self._made = 0
        self._staged: list[Callable[[Live], object]] = []
        self._draft: Live = {}
        self._holder = ""

    def by_hand(self, name: str, kind: str, value: str, action: str = "block") -> None:
        """Add an item as an administrator does, in the firewall's own window."""
        self.live[name, kind, self._spelling(value)] = Item(self._id(), action)
        self.revision += 1

    def clear(self) -> None:
        """Lose all lists, as when an older copy is restored."""
        self.live.clear()
        self.revision += 1

    def blocks(self, name: str = "blocked") -> list[str]:
        """Return what the firewall really blocks by a list, sorted."""
        items = self.live.items()
        return sorted(key[2] for key, item in items if key[0] == name and item.action == "block")

    def take_lock(self, token: str) -> bool:
        """Give a session the one lock, if no other session that is open has it."""
        if self._holder != token and self.sessions.knows(self._holder):
            return False
        if self._holder != token:
            self._holder, self._staged, self._draft = token, [], dict(self.live)
        return True

    def refused(self, call: Call) -> Reply | None:
        """Return 401 unless the call has the token of a session that is open."""
        if call.path == "/api/login" or self.sessions.knows(call.token):
            return None
        return Reply.of({"message": "invalid or expired session"}, 401)

    @route("POST", "/api/login")
    def _login(self, call: Call) -> Reply:
        said = call.json()
        if (said.get("user"), said.get("password")) != (USER, PASSWORD):
            return Reply.of({"message": "authentication failed"}, 401)
        if sum(map(self.sessions.knows, self.sessions.issued)) >= _MOST_SESSIONS:
            return _error("too_many_sessions", "log out elsewhere")
        return Reply.of({"token": self.sessions.open()})

    @route("POST", "/api/logout")
    def _logout(self, call: Call) -> Reply:
        self.sessions.close(call.token)
        return Reply.of({})

    @route("POST", "/api/revision")
    def _tell_revision(self, _call: Call) -> Reply:
        return Reply.of({"revision": self.revision})

    @route("POST", "/api/lists/{name}/query")
    def _query(self, call: Call, name: str) -> Reply:
        found = sorted((key, item) for key, item in self.live.items() if key[0] == name)
        page, following = page_of(found, call.json().get("start") or "", _PAGE)
        items = [
            {"id": item.id, "kind": kind, "value": value, "action": item.action,
             "comment": item.comment}
            for (_name, kind, value), item in page
        ]  # fmt: skip
        return Reply.of({"items": items, "next": following or None, "revision": self.revision})

    @route("POST", "/api/lock")
    def _lock_policy(self, call: Call) -> Reply:
        if self.take_lock(call.token):
            return Reply.of({})
        return _error("locked", "the policy is locked by another session")

    @route("POST", "/api/lists/{name}/add")
    def _add(self, call: Call, name: str) -> Reply:
        return self._for_each(call, lambda row: self._add_one(name, row))

    @route("POST", "/api/lists/{name}/delete")
    def _delete(self, call: Call, name: str) -> Reply:
        return self._for_each(call, lambda row: self._delete_one(name, row))

    @route("POST", "/api/publish")
    def _publish(self, call: Call) -> Reply:
        staged: list[Callable[[Live], object]] = []
        if self._holder == call.token:  # another session publishes nothing, with success
            staged, self._holder, self._staged = self._staged, "", []

        def work() -> str:
            if self.fails_to_publish:
                return self.fails_to_publish
            for change in staged:
                change(self.live)
            self.revision += 1
            return "done"

        return Reply.of({"task": self.tasks.start(work)})

    @route("POST", "/api/tasks/{task}")
    def _task(self, _call: Call, task: str) -> Reply:
        result = self.tasks.result(task)
        if result in {None, "done"}:
            return Reply.of({"state": result or "running"})
        return Reply.of({"state": "failed", "message": result})

    @route("POST", "/api/discard")
    def _discard(self, call: Call) -> Reply:
        if self._holder == call.token:
            self._holder, self._staged = "", []
        return Reply.of({})

    def _for_each(self, call: Call, do: Callable[[Any], dict[str, Any]]) -> Reply:
        rows = call.json()["items"]
        if not self.take_lock(call.token):  # it is taken by the first change, too
            return _error("locked", "the policy is locked by another session")
        if len(rows) > _MOST_ITEMS:
            return Reply(413, b"Too many items")
        answers = [{"row": number, **do(row)} for number, row in enumerate(rows)]
        return Reply.of({"results": answers[::-1]})

    def _add_one(self, name: str, row: dict[str, str]) -> dict[str, Any]:
        key = name, row["kind"], self._spelling(row["value"])
        if words := self.refuses.get(row["value"]):
            return {"value": key[2], "state": "error", "code": "invalid", "message": words}
        if key not in self._draft and len(self._draft) >= self.most:
            return {"value": key[2], "state": "error", "code": "full", "message": "no room"}
        item = self._draft.get(key) or Item(self._id())
        self._stage(lambda lists: lists.update({key: replace(item, comment=row["comment"])}))
        return {"value": key[2], "state": "ok", "id": item.id}

    def _delete_one(self, name: str, row: dict[str, str]) -> dict[str, Any]:
        found = [key for key, one in self._draft.items() if key[0] == name and one.id == row["id"]]
        if not found:
            return {"id": row["id"], "state": "error", "code": "not_found", "message": "no such id"}
        self._stage(lambda lists: lists.pop(found[0], None))
        return {"id": row["id"], "state": "ok"}

    def _stage(self, change: Callable[[Live], object]) -> None:
        self._staged.append(change)
        change(self._draft)

    def _id(self) -> str:
        self._made += 1
        return f"obj-{self._made}"

    @staticmethod
    def _spelling(value: str) -> str:
        return value.upper()


def _error(code: str, message: str) -> Reply:
    return Reply.of({"error": {"code": code, "message": message}})
