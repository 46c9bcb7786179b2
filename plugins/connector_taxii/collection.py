"""A collection of a TAXII 2.1 server, as taxii2-client speaks to it over our own connection."""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from taxii2client.exceptions import TAXIIServiceException, ValidationError
from taxii2client.v21 import ApiRoot, Collection, Status

from connector.adapter import (
    Http,
    Later,
    Observable,
    Original,
    Outcome,
    OutputContext,
    Refused,
    RefusedError,
    UnavailableError,
    observables_in,
)

if TYPE_CHECKING:
    from connector_taxii import TaxiiSettings

T = TypeVar("T")
_INDICATOR: Final = "indicator--"
_PAGE: Final = 500
_IDS_AT_ONCE: Final = 40
_ENVELOPE: Final = b'{"objects":[%s]}'
_MOST_BYTES: Final = 8 << 20  # of one envelope, whatever the server would take
_GONE: Final = frozenset({404})
_NO_DELETE: Final = frozenset({403, 404, 405, 501})


class Indicator(NamedTuple):
    """An indicator of the collection: its version, and what it names."""

    id: str
    modified: datetime
    names: Sequence[Observable]


class _Connection:
    """What taxii2-client asks with: our client, with its limits, errors and credentials."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def get(self, url: str, headers: Any = None, params: Any = None) -> Any:
        return self._http.request("GET", url, headers=headers, params=params).json()

    def post(self, url: str, headers: Any = None, params: Any = None, data: bytes = b"") -> Any:
        answer = self._http.request("POST", url, headers=headers, params=params, body=data)
        return answer.json()

    def close(self) -> None:
        """Do nothing: the core closes the client."""


class TaxiiCollection:
    """The collection of an output; raises the core's errors alone."""

    def __init__(self, settings: "TaxiiSettings", context: OutputContext) -> None:
        self._settings, self._context = settings, context
        self._connection = _Connection(context.http)
        self._known: dict[str, Indicator] = {}
        self._sent: set[str] = set()
        package = logging.getLogger("taxii2client")
        package.handlers.clear()  # it writes to the terminal past our log
        package.propagate = True

    @cached_property
    def _root(self) -> Any:
        return ApiRoot(self._settings.url, conn=self._connection)

    @cached_property
    def _collection(self) -> Any:
        asked = self._settings.collection
        with _typed(self._settings.url):
            for one in self._root.collections:
                if asked in (one.id, one.title, one.custom_properties.get("alias")):
                    return self._writable(one)
        raise RefusedError(f"{self._settings.url}: has no collection {asked} for us")

    def _writable(self, one: Any) -> Any:
        if not (one.can_read and one.can_write):
            raise RefusedError(f"collection {one.title}: needs both can_read and can_write for us")
        return Collection(one.url, conn=self._connection, collection_info=one._raw)

    @cached_property
    def _most(self) -> int:
        with _typed(self._settings.url):
            told = self._root.max_content_length
        return min(told, _MOST_BYTES) if isinstance(told, int) and told > 0 else _MOST_BYTES

    def indicators(self) -> Iterator[Indicator]:
        """Yield the indicators that stand there; those that were never read are read now."""
        self._sent.clear()  # whoever emptied it took these as well
        shown = {
            item["id"]: _instant(item["version"])
            for item in self._pages("manifest", type="indicator")
        }
        unread = [
            name for name, version in shown.items()
            if name not in self._known or self._known[name].modified != version
        ]  # fmt: skip
        for ids in _parts(unread):
            self._read(ids)
        self._known = {name: self._known[name] for name in shown if name in self._known}
        yield from (self._known[name] for name in sorted(self._known))

    def _read(self, ids: Sequence[str]) -> None:
        for found in self._pages("objects", id=",".join(ids)):
            with suppress(KeyError, TypeError):
                names = observables_in(json.dumps(found).encode())
                self._known[found["id"]] = Indicator(
                    found["id"], _instant(found["modified"]), names
                )

    def _pages(self, what: str, **asked: str) -> Iterator[Any]:
        """Yield what all pages of a resource have; half of them is no answer."""
        collection = self._collection
        ask = collection.get_manifest if what == "manifest" else collection.get_objects
        filters: dict[str, Any] = {**asked, "limit": _PAGE}
        while True:
            with _typed(self._settings.url):
                page = ask(**filters)
                yield from page.get("objects", [])
                if not page.get("more"):
                    return
                if not page.get("next") or page["next"] == filters.get("next"):
                    raise UnavailableError(f"{self._settings.url}: says `more` and not where")
                filters["next"] = page["next"]

    def add(self, objects: Iterable[Original]) -> Mapping[str, Outcome]:
        """Add objects that are not there yet; return by id what was not taken, and why."""
        asked = {one.mark: one for one in objects if one.mark not in self._sent}
        refused: dict[str, Outcome] = {}
        envelope: list[Original] = []
        room = most = self._most - len(_ENVELOPE)
        for one in asked.values():
            if len(one.raw) > most:
                refused[one.id] = Refused(f"has {len(one.raw)} bytes, the server takes {most}")
                continue
            if len(one.raw) >= room:
                refused |= self._send(envelope)
                envelope, room = [], most
            envelope.append(one)
            room -= len(one.raw) + 1
        refused |= self._send(envelope)
        self._sent.update(mark for mark, one in asked.items() if not one.id.startswith(_INDICATOR))
        self._sent.difference_update(mark for mark, one in asked.items() if one.id in refused)
        return refused

    def _send(self, envelope: Sequence[Original]) -> Mapping[str, Outcome]:
        if not envelope:
            return {}
        body = _ENVELOPE % b",".join(one.raw for one in envelope)
        with _typed(self._settings.url):
            status = self._collection.add_objects(body, wait_for_completion=False)
            with suppress(UnavailableError):  # what is pending then is told object by object
                self._context.wait(lambda: _is_done(status), self._settings.patience)
        if status.status == "complete" and not (status.failure_count or status.pending_count):
            return {}
        return self._not_taken(envelope, status)

    def _not_taken(self, envelope: Sequence[Original], status: Any) -> Mapping[str, Outcome]:
        """Return what of an envelope is not there, by the manifest: a repeated object fails too."""
        failed = {one.get("id"): one.get("message") or "" for one in status.failures}
        pending = {one.get("id") for one in status.pendings}
        counted = len(failed) == status.failure_count and len(pending) == status.pending_count
        told = counted and status.status == "complete"
        doubted = [one for one in envelope if not told or one.id in failed or one.id in pending]
        there = set[tuple[str, datetime | None]]()
        for part in _parts(doubted):
            ids = ",".join(one.id for one in part)
            for item in self._pages("manifest", id=ids, version="all"):
                there |= {(item["id"], _instant(item["version"])), (item["id"], None)}
        return {
            one.id: _outcome(one.id, failed, pending)
            for one in doubted
            if (one.id, one.modified) not in there
        }

    def delete(self, one: str) -> str:
        """Delete all versions of an object; return why it is left there, or nothing."""
        url = f"{self._collection.objects_url}{one}/"
        answer = self._context.http.request(
            "DELETE", url, params={"match[version]": "all"},
            headers={"Accept": "application/taxii+json;version=2.1"}, accept_statuses=_NO_DELETE,
        )  # fmt: skip
        if answer.status_code in _NO_DELETE - _GONE:
            return f"left there: the server deletes no objects (status {answer.status_code})"
        if answer.status_code in _GONE and any(self._pages("manifest", id=one, version="all")):
            return "left there: the server does not know how to delete objects (status 404)"
        self._known.pop(one, None)
        return ""


class _typed:  # noqa: N801 - used as a function
    """Turns what taxii2-client raises into errors that the core acts on."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, TAXIIServiceException | ValidationError | KeyError | TypeError):
            raise UnavailableError(f"{self._where}: no TAXII resource: {error}") from error


def _parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for at in range(0, len(values), _IDS_AT_ONCE):
        yield values[at : at + _IDS_AT_ONCE]


def _is_done(status: Status) -> bool:
    if status.status != "complete":
        status.refresh()
    return bool(status.status == "complete")


def _outcome(one: str, failed: Mapping[str, str], pending: Iterable[str]) -> Outcome:
    if one in pending or one not in failed:
        return Later("the server has not processed it yet")
    return Refused(failed[one] or "the server says only that it failed")


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
