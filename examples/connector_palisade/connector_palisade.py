"""Keeps addresses and names on a Palisade firewall, by its management API."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, Final, TypeVar

from connector.adapter import (
    ADDRESSES,
    Batch,
    Entry,
    Field,
    FieldSpec,
    Full,
    Held,
    Http,
    HttpSettings,
    Later,
    Login,
    Observable,
    ObservableType,
    Outcome,
    Outcomes,
    OutputContext,
    Refused,
    RefusedError,
    Response,
    Secret,
    ServerUrl,
    StagedAdapter,
    Text,
    UnavailableError,
    Written,
    observable_of,
)

T = TypeVar("T")
_PUBLISHED_WITHIN: Final = timedelta(minutes=10)
_UNANSWERED: Final = Later("the firewall said nothing about it")


class PalisadeSettings(HttpSettings):
    """Where the firewall is, and which of its lists is ours."""

    url: ServerUrl = Field(description="The firewall's address.")
    user: str = Field(description="Name of the service's own account on the firewall.")
    password: Secret = Field(description="Its password.")
    list: str = Field("blocked", pattern=r"^[\w-]{1,40}$", description="The list to keep.")

    @property
    def places(self) -> frozenset[tuple[object, ...]]:
        """The list, whoever logs in."""
        return frozenset({("palisade list", self.url.rstrip("/"), self.list)})

    def address(self, path: str) -> str:
        """Return the address of a call."""
        return f"{self.url.rstrip('/')}/api/{path}"


class PalisadeLogin(Login):
    """Sessions of the firewall, of which it keeps few."""

    def __init__(self, settings: PalisadeSettings) -> None:
        self._settings = settings

    def open(self, http: Http) -> str:
        """Log in."""
        said = {"user": self._settings.user, "password": self._settings.password.reveal()}
        url = self._settings.address("login")
        answer = http.request("POST", url, body=json.dumps(said).encode())
        return _read(answer, lambda told: str(told["token"]))

    def close(self, http: Http, token: str) -> None:
        """Log out; a session that is left open ends by itself."""
        with suppress(UnavailableError, RefusedError):
            url = self._settings.address("logout")
            http.request("POST", url, headers=self.headers(token))


class PalisadeAdapter(StagedAdapter[PalisadeSettings]):
    """Keeps one of the firewall's lists, beside the items that administrators add.

    A unit of work is a session with the lock: what is staged is lost when either ends.
    """

    settings_type = PalisadeSettings
    supports = frozenset({*ADDRESSES, ObservableType.DOMAIN_NAME})
    batch = Batch(entries=50)
    fields: ClassVar[Mapping[str, FieldSpec]] = {"comment": Text(max_length=60)}
    default_mapping: ClassVar = {"comment": {"from": "indicator.id"}}

    def __init__(self, settings: PalisadeSettings, context: OutputContext) -> None:
        super().__init__(settings, context)
        self._session = context.logged_in(PalisadeLogin(settings))

    def stamp(self) -> str:
        """Return the firewall's count of changes that were published, by anyone."""
        return self._ask("revision", lambda said: str(said["revision"]), repeatable=True)

    def read(self) -> Iterable[Held]:
        """Return the list, page by page; a page of another revision would be another list."""
        start: str | None = ""
        first = None
        while start is not None:
            page, start, revision = self._ask(
                f"lists/{self.settings.list}/query", _page, {"start": start}, repeatable=True
            )
            if revision != (first := first or revision):
                raise UnavailableError("the list was changed while it was read")
            yield from page

    def begin(self) -> None:
        """Open a session of our own, and take the lock."""
        self._session.close()
        self._ask("lock", bool)

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        """Stage entries; one that is there gets a new comment."""
        items = [
            {**_item(one.observable), "comment": one.fields.get("comment", "")} for one in entries
        ]
        return self._stage("add", [one.observable for one in entries], items)

    def remove(self, held: Sequence[Held]) -> Outcomes:
        """Stage removals by the firewall's own ids, which it is asked for where we have none."""
        ids = {one.observable: one.handle for one in held if one.handle}
        if nameless := [one.observable for one in held if not one.handle]:
            ids |= {one.observable: one.handle for one in self.holds(nameless) if not one.contrary}
        return self._stage("delete", list(ids), [{"id": handle} for handle in ids.values()])

    def commit(self) -> None:
        """Publish, and wait for the task; the session has done its work then."""
        task = self._ask("publish", lambda said: str(said["task"]))
        done = partial(self._ask, f"tasks/{task}", _done, repeatable=True)
        self.context.wait(done, _PUBLISHED_WITHIN)
        self.abandon()

    def abandon(self) -> None:
        """End the session, and with it the lock and what was staged."""
        self._session.close()

    def _stage(
        self, verb: str, named: Sequence[Observable], items: Sequence[Mapping[str, Any]]
    ) -> Outcomes:
        if not items:
            return {}
        said = self._ask(f"lists/{self.settings.list}/{verb}", _outcomes, {"items": items})
        return {one: said.get(row, _UNANSWERED) for row, one in enumerate(named)}

    def _ask(
        self, path: str, read: Callable[[Any], T], said: Any = None, *, repeatable: bool = False
    ) -> T:
        """Return what is read from the answer to a call."""
        url, body = self.settings.address(path), json.dumps(said).encode()
        return _read(self._session.request("POST", url, body=body, repeatable=repeatable), read)


def _read(response: Response, read: Callable[[Any], T]) -> T:
    """Return what is read from an answer; errors of the application come with status 200."""
    said = response.json()
    try:
        if "error" in said:
            raise response.error(said["error"]["message"])
        return read(said)
    except (KeyError, TypeError, AttributeError) as error:
        raise response.error("answered something else than its API") from error


def _page(said: Any) -> tuple[list[Held], str | None, int]:
    return [held for item in said["items"] if (held := _held(item))], said["next"], said["revision"]


def _done(said: Any) -> bool:
    if said["state"] == "failed":
        raise UnavailableError(f"the firewall did not publish: {said['message']}")
    return bool(said["state"] == "done")


def _outcomes(said: Any) -> dict[int, Outcome]:
    """Return what became of each row: rows come in any order, and values in its own spelling."""
    return {answer["row"]: _outcome(answer) for answer in said["results"]}


def _outcome(answer: Mapping[str, str]) -> Outcome:
    if answer["state"] == "ok" or answer["code"] == "not_found":
        return Written(answer.get("id", ""))
    return Full() if answer["code"] == "full" else Refused(answer["message"])


def _item(one: Observable) -> dict[str, str]:
    if one.type in ADDRESSES:
        return {"kind": "network", "value": one.value}
    kind = "domain" if one.below else "host"
    return {"kind": kind, "value": one.value.removeprefix("*.")}


def _held(item: Mapping[str, str]) -> Held | None:
    """Return an item as an entry; None for one that no entry of ours can be."""
    kind, value = item["kind"], item["value"]
    if kind == "network":
        one = observable_of(ObservableType.IPV4_ADDR, value)
    else:
        one = observable_of(ObservableType.DOMAIN_NAME, f"*.{value}" if kind == "domain" else value)
    contrary = "" if item["action"] == "block" else "an administrator allows it on the firewall"
    return one and Held(one, {"comment": item["comment"]}, item["id"], contrary)
