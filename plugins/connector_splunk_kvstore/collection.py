"""One owner's documents in one KV store collection, safe from the store's traps."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, Final

from connector.adapter import BatchTooLargeError, RefusedError, UnavailableError
from connector_splunk_kvstore import schema
from connector_splunk_kvstore.documents import Document, misfit
from connector_splunk_kvstore.splunk import HTTPError, Service, Splunk, words

PAGE_SIZE: Final = 10_000
SHIPPED_BATCH_LIMIT: Final = 1000
# Eighty hex keys make a query of about 7.3 kB; proxies refuse URLs beyond 8 kB.
KEYS_PER_QUERY: Final = 80
_LIMIT_PATH: Final = "properties/limits/kvstore/max_documents_per_batch_save"
_LIMIT_VALUE: Final = re.compile(rb'\s*(\d+)\s*|.*"content"\s*:\s*"?(\d+).*', re.DOTALL)
_LIMIT_NAMED: Final = re.compile(r"max_documents_per_batch_save\s*=\s*(\d+)")
_HEX_KEY: Final = re.compile(r"[0-9a-f]{64}")


def query_for(keys: Sequence[str], tag: str) -> str:
    """Return a query that matches these keys of this owner and nothing else.

    The SDK turns an empty query into the deletion of the whole collection, and a dict into text
    that is not JSON; so all such queries are made here, as text.
    """
    if not keys or not tag or not all(_HEX_KEY.fullmatch(key) for key in keys):
        raise ValueError("a query needs an owner and at least one of our keys")
    either = [{"_key": key} for key in keys]
    return json.dumps({"$and": [{"source": tag}, {"$or": either}]}, separators=(",", ":"))


class OwnDocuments:
    """One owner's documents in a collection; documents of others are neither read nor changed.

    A collection that is the `vendors` own is neither created nor changed: it has to be there.
    """

    def __init__(
        self, splunk: Splunk, app: str, name: str, tag: str, *, vendors: bool = False
    ) -> None:
        self._vendors = vendors
        self._splunk = splunk
        self._app = app
        self._name = name
        self._tag = tag
        self._collection: schema.Collection = None
        self._data: Any = None
        self._types: Mapping[str, str] | None = None
        self._limit = SHIPPED_BATCH_LIMIT

    def _right(self, verb: str) -> str:
        return f"{verb} collection {self._name} of app {self._app}"

    def save(self, documents: Sequence[Document]) -> dict[str, str]:
        """Insert or replace documents; return the reason, by key, for each that is refused.

        The collection is created when absent.
        """
        self._prepare()
        if len(documents) > self._limit:
            raise BatchTooLargeError(self._limit)
        wrong = {each["_key"]: misfit(each, self._types or {}) for each in documents}
        refused = {key: why for key, why in wrong.items() if why is not None}
        fitting = [each for each in documents if each["_key"] not in refused]
        return refused | self._save(fitting) if fitting else refused

    def pages(self) -> Iterator[list[Document]]:
        """Yield all documents with our tag, in the order of keys.

        The store silently cuts an answer at its limits, so a short page means nothing: only an
        empty one is the end.
        """
        last = ""
        while self._found() and (page := self._page(last)):
            yield page
            last = page[-1]["_key"]

    def under(self, keys: Sequence[str]) -> Iterator[Document]:
        """Yield our documents with these keys, asking for nothing else."""
        remaining = iter(keys)
        while self._found() and (chunk := list(islice(remaining, KEYS_PER_QUERY))):
            yield from self._under(chunk)

    def remove(self, keys: Sequence[str]) -> None:
        """Delete our documents with these keys; absent ones are no error."""
        remaining = iter(keys)
        while self._found() and (chunk := list(islice(remaining, KEYS_PER_QUERY))):
            self._delete(query_for(chunk, self._tag), len(chunk))

    def _delete(self, query: str, keys: int) -> None:
        try:
            self._splunk.ask(
                self._right("write to"),
                lambda _: self._data.delete(query=query),
                tolerated=frozenset({404, 413, 414}),
            )
        except HTTPError as error:
            raise self._lost(error, keys) from error

    def _under(self, keys: Sequence[str]) -> Iterator[Document]:
        """Yield documents until an answer is empty: the store silently cuts long answers."""
        left = set(keys)
        while left and (found := self._among(sorted(left))):
            shown = {document.get("_key") for document in found if isinstance(document, dict)}
            if not shown or not shown <= left:
                raise UnavailableError(
                    f"{self._splunk.where}: returned documents of collection {self._name} that "
                    "were not asked for"
                )
            left -= shown
            yield from found

    def _among(self, keys: Sequence[str]) -> list[Document]:
        """Return the documents with these keys, asking for as many at once as a URL allows."""
        try:
            return self._asked(query_for(keys, self._tag), len(keys))
        except HTTPError as error:
            if error.status == 404 or len(keys) == 1:
                raise self._lost(error, 0) from error
        half = len(keys) // 2
        return self._among(keys[:half]) + self._among(keys[half:])

    def _asked(self, query: str, limit: int) -> list[Document]:
        found: list[Document] = self._splunk.ask(
            self._right("read"),
            lambda _: self._data.query(query=query, sort="_key", limit=limit),
            tolerated=frozenset({404, 413, 414}),
        )
        return found

    def _save(self, documents: Sequence[Document]) -> dict[str, str]:
        try:
            keys = self._splunk.ask(
                self._right("write to"),
                lambda _: self._data.batch_save(*documents),
                tolerated=frozenset({400, 404, 413}),
            )
        except HTTPError as error:
            return self._refused(error, documents)
        if keys != [document["_key"] for document in documents]:
            raise UnavailableError(
                f"{self._splunk.where}: confirmed other documents than those sent"
            )
        return {}

    def _refused(self, error: HTTPError, documents: Sequence[Document]) -> dict[str, str]:
        """One bad document fails the whole call without being named, so halving finds it."""
        said, half = words(error), len(documents) // 2
        if error.status == 404:
            raise self._lost(error, len(documents)) from error
        if half == 0:
            return {documents[0]["_key"]: said}
        if named := _LIMIT_NAMED.search(said):
            self._limit = max(1, min(int(named[1]), half))
            raise BatchTooLargeError(self._limit) from error
        if error.status == 413 or "max_size_per_batch_save_mb" in said:
            raise BatchTooLargeError(half) from error
        return self._save(documents[:half]) | self._save(documents[half:])

    def _lost(self, error: HTTPError, sent: int) -> BatchTooLargeError | UnavailableError:
        if error.status != 404 and sent > 1:
            return BatchTooLargeError(sent // 2)
        if error.status != 404:
            return UnavailableError(
                f"{self._splunk.where}: refuses even the shortest request ({words(error)}); a "
                "proxy may limit the length of URLs"
            )
        self._data = self._types = None
        return UnavailableError(
            f"{self._splunk.where}: collection {self._name} of app {self._app} was deleted while "
            f"in use ({words(error)})"
        )

    def _page(self, last: str) -> list[Document]:
        query = {"$and": [{"source": self._tag}, {"_key": {"$gt": last}}]}
        try:
            page = self._asked(json.dumps(query), PAGE_SIZE)
        except HTTPError as error:
            raise self._lost(error, 0) from error
        for document in page:
            if not isinstance(document, dict) or not str(document.get("_key", "")) > last:
                raise UnavailableError(
                    f"{self._splunk.where}: pages of collection {self._name} are not in the order "
                    "of keys, so it cannot be read completely"
                )
            last = document["_key"]
        return page

    def _found(self) -> bool:
        """Return whether the collection exists, asking only until it does."""
        if self._data is None:
            found = self._splunk.ask(
                self._right("read"), lambda service: schema.find(service, self._app, self._name)
            )
            if found is not None:
                self._use(found)
            elif self._vendors:
                raise RefusedError(
                    f"{self._splunk.where}: app {self._app} has no collection {self._name} that we "
                    "may read: is Enterprise Security installed, and is `app` its name here?"
                )
        return self._data is not None

    def _use(self, collection: schema.Collection) -> None:
        self._collection, self._data = collection, collection.data
        # The SDK takes the namespace from the answer; a user's own documents are in another one.
        self._data.owner, self._data.app, self._data.sharing = "nobody", self._app, "app"

    def _prepare(self) -> None:
        """Create or complete the collection where needed, and read its types and limit."""
        if self._types is not None:
            return
        if not self._found():
            self._create()
        collection = self._collection
        if not self._vendors:
            self._splunk.ask(self._right("write to"), lambda _: schema.complete(collection))
        self._types = schema.declared_types(collection)
        self._limit = self._splunk.ask(self._right("read"), self._configured_limit)

    def _create(self) -> None:
        with suppress(HTTPError):  # only 409: another node has created it since
            self._splunk.ask(
                self._right("create"),
                lambda service: schema.create(service, self._name),
                tolerated=frozenset({409}),
            )
        if not self._found():
            raise RefusedError(
                f"{self._splunk.where}: the role needs the right to {self._right('read')}, which "
                "exists but is hidden from us"
            )

    def _configured_limit(self, service: Service) -> int:
        try:
            body = service.get(_LIMIT_PATH, output_mode="json").body.read()
        except HTTPError as error:
            if error.status not in (400, 403, 404):
                raise
            return SHIPPED_BATCH_LIMIT
        found = _LIMIT_VALUE.fullmatch(body)
        return max(1, int(found[1] or found[2])) if found else SHIPPED_BATCH_LIMIT
