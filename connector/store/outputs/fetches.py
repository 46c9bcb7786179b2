"""Who fetched which published file when, and the certificate that the list server shows."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from connector.store.database import Database
from connector.store.transaction import Transaction

NO_FILE: Final = ""


@dataclass(frozen=True, slots=True)
class FetchRow:
    """The last fetch of a file by a client; without a file, when the client became known.

    `told` says that the log was told of its silence.
    """

    client: str
    file: str
    at: int
    status: int
    etag: str
    told: bool = False


@dataclass(frozen=True, slots=True)
class ServedCertificate:
    """When the certificate in force ends, and why a renewed one is not in force."""

    ends: int
    problem: str | None


class Fetches:
    """Keeps the last fetch of each client and file."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def expect(self, clients: Collection[str], watched: Iterable[str], now: int) -> None:
        """Forget all other clients, and begin to wait for those `watched` that are new."""
        with self._db.write() as transaction:
            known = {row.client for row in fetches(transaction)}
            gone = [(client,) for client in known.difference(clients)]
            transaction.many("DELETE FROM fetches WHERE client = ?", gone)
            rows = [FetchRow(client, NO_FILE, now, 0, "") for client in watched]
            _put(transaction, [row for row in rows if row.client not in known])

    def put(self, rows: Collection[FetchRow], gone: Iterable[FetchRow] = ()) -> None:
        """Replace rows, each by client and file, and delete those that are gone."""
        with self._db.write() as transaction:
            sql = "DELETE FROM fetches WHERE client = ? AND file = ?"
            came = {row.client for row in rows if row.file != NO_FILE}
            away = [(client, NO_FILE) for client in came]
            transaction.many(sql, [*away, *((row.client, row.file) for row in gone)])
            _put(transaction, rows)

    def all(self) -> list[FetchRow]:
        """Return all rows, by client and file."""
        with self._db.read() as transaction:
            return fetches(transaction)

    def show(self, certificate: ServedCertificate | None) -> None:
        """Record the certificate in force; None without TLS."""
        with self._db.write() as transaction:
            transaction.run("DELETE FROM served_certificates")
            if certificate is not None:
                sql = "INSERT INTO served_certificates (ends, problem) VALUES (?, ?)"
                transaction.run(sql, (certificate.ends, certificate.problem))


def _put(transaction: Transaction, rows: Iterable[FetchRow]) -> None:
    sql = (
        "INSERT INTO fetches (client, file, at, status, etag, told) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (client, file) DO UPDATE SET at = excluded.at, status = excluded.status, "
        "etag = excluded.etag, told = excluded.told"
    )
    values = [(row.client, row.file, row.at, row.status, row.etag, int(row.told)) for row in rows]
    transaction.many(sql, values)


def fetches(transaction: Transaction) -> list[FetchRow]:
    """Return the last fetch of each client and file, by client and file."""
    sql = "SELECT client, file, at, status, etag, told FROM fetches ORDER BY client, file"
    return [
        FetchRow(client, file, at, status, etag, told=bool(told))
        for client, file, at, status, etag, told in transaction.rows(sql)
    ]


def served_certificate(transaction: Transaction) -> ServedCertificate | None:
    """Return the certificate that the list server shows; None without TLS."""
    rows = transaction.rows("SELECT ends, problem FROM served_certificates")
    return ServedCertificate(*rows[0]) if rows else None
