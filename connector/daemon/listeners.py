"""The clients of the list server: their fetches are kept, and silence is told once."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Final

from connector.config.service import ServerConfig
from connector.instants import Clock, span, to_datetime, to_instant
from connector.log import log
from connector.server import Fetch
from connector.server.authentication import LOOPBACK
from connector.server.renewal import Renewal
from connector.store.outputs.fetches import NO_FILE, Fetches, FetchRow, ServedCertificate

# A file that a client gave up while it goes on with others is forgotten.
_GIVEN_UP: Final = span(timedelta(days=30))


class Listeners:
    """Keeps what clients fetched, in one transaction for any number of requests.

    Silence counts from the start of the process at the earliest: while nothing was served, nobody
    could fetch. Only clients of the file are waited for, not this machine.
    """

    def __init__(
        self,
        store: Fetches,
        config: ServerConfig,
        files: Collection[str] | None,
        now: Clock,
        since: int,
    ) -> None:
        self._store = store
        self._now = now
        self._files = files
        self._since = since
        self._bounds = {one.name: span(config.silence_of(one)) for one in config.clients}
        self._rows: dict[tuple[str, str], FetchRow] | None = None
        self._shown: ServedCertificate | None = None

    def keep(self, fetched: Iterable[Fetch], certificate: Renewal | None = None) -> None:
        """Write what is new, and tell who has become silent or is back."""
        now = self._now()
        if self._rows is None:
            self._store.expect(self._bounds or [LOOPBACK], self._bounds, now)
            self._store.show(None)
            self._rows = {(row.client, row.file): row for row in self._store.all()}
        self._keep(self._rows, fetched, now)
        shown = None
        if certificate is not None:
            shown = ServedCertificate(certificate.ends, certificate.problem)
        if shown != self._shown:
            self._store.show(shown)
            self._shown = shown

    def _keep(
        self, known: dict[tuple[str, str], FetchRow], fetched: Iterable[Fetch], now: int
    ) -> None:
        changed = {(row.client, row.file): row for row in _news(known, fetched)}
        came = {row.client for row in changed.values()}
        over = [key for key in known if key[1] == NO_FILE and key[0] in came]
        back = [known[key] for key in (*changed, *over) if key in known and known[key].told]
        rows = {key: row for key, row in known.items() if key not in over} | changed
        gone = [row for row in rows.values() if self._is_over(row, rows.values(), now)]
        for row in gone:
            del rows[row.client, row.file]
        silent = [row for row in rows.values() if self._is_silent(row, now) and not row.told]
        for row in silent:
            told = FetchRow(row.client, row.file, row.at, row.status, row.etag, told=True)
            changed[row.client, row.file] = rows[row.client, row.file] = told
        if changed or gone:
            self._store.put(list(changed.values()), gone)
        self._rows = rows
        for row in back:
            log.info("list.fetched_again", client=row.client, list=row.file or None, **_since(row))
        for row in silent:
            log.warning("list.silent", client=row.client, list=row.file or None, **_since(row))

    def _is_silent(self, row: FetchRow, now: int) -> bool:
        bound = self._bounds.get(row.client)
        return bound is not None and now - max(row.at, self._since) > bound

    def _is_over(self, row: FetchRow, rows: Iterable[FetchRow], now: int) -> bool:
        """Return whether nobody waits for this fetch any more."""
        if row.file == NO_FILE:
            return False
        if self._files is not None and row.file not in self._files:
            return True
        fresh = now - self._bounds.get(row.client, 0)
        return now - row.at > _GIVEN_UP and any(
            one.client == row.client and one.at >= fresh for one in rows
        )


def _news(
    known: Mapping[tuple[str, str], FetchRow], fetched: Iterable[Fetch]
) -> Iterator[FetchRow]:
    for one in fetched:
        row = FetchRow(one.client, one.list, to_instant(one.at), one.status, one.etag)
        last = known.get((row.client, row.file))
        if last is None or last.at < row.at:
            yield row


def _since(row: FetchRow) -> dict[str, str]:
    """Return when it last fetched the file, or since when we wait for its first fetch."""
    at = to_datetime(row.at).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"last": at} if row.file else {"known_since": at}
