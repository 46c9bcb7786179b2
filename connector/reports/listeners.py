"""Who fetches from the list server, and its certificate, as the documented JSON and for people."""

from collections.abc import Iterator
from typing import Final

from rich.console import Console
from rich.table import Table

from connector.instants import SECOND
from connector.reports.look import Look
from connector.reports.values import Json, moment
from connector.store.outputs.fetches import NO_FILE, FetchRow, fetches, served_certificate

_SOON: Final = 30 * 86_400
_ROWS_SHOWN: Final = 20


def listeners_json(look: Look) -> Json:
    """Return each client with what it last fetched when, and the certificate in force."""
    now = look.now()
    with look.database.read() as transaction:
        rows, shown = fetches(transaction), served_certificate(transaction)
    of: dict[str, list[FetchRow]] = {client.name: [] for client in look.config.server.clients}
    for row in rows:
        of.setdefault(row.client, []).append(row)
    certificate = None
    if shown is not None:
        left = (shown.ends - now) // SECOND
        ends = {"ends_at": moment(shown.ends), "ends_in_seconds": left}
        certificate = {**ends, "problem": shown.problem}
    return {
        "clients": [_client_json(name, its_rows, now) for name, its_rows in of.items()],
        "server": {"certificate": certificate},
    }


def _client_json(name: str, rows: list[FetchRow], now: int) -> Json:
    """Return a client; it is silent if the log was told that it has not fetched for too long."""
    fetched = [row for row in rows if row.file != NO_FILE]
    state = "ok" if fetched else "never"
    return {
        "name": name,
        "state": "silent" if any(row.told for row in rows) else state,
        "lists": [
            {
                "file": row.file,
                "last_fetch": moment(row.at),
                "age_seconds": max(0, (now - row.at) // SECOND),
                "status": row.status,
                "etag": row.etag,
                "silent": row.told,
            }
            for row in fetched
        ],
    }


def show_listeners(console: Console, answer: Json) -> None:
    """Print who fetched what when, the silent first, and what is wrong with the certificate."""
    rows = sorted(_rows(answer["clients"]), key=lambda row: row[2] != "silent")
    if rows:
        table = Table("client", "file", "state", "last fetch", box=None, pad_edge=False)
        for client, file, state, last in rows[:_ROWS_SHOWN]:
            colour = "green" if state == "ok" else "yellow"
            table.add_row(client, file, f"[{colour}]{state}[/]", last)
        console.print()
        console.print(table)
        if len(rows) > _ROWS_SHOWN:
            console.print(f"and {len(rows) - _ROWS_SHOWN:,} more (--json)")
    for words in _certificate(answer["server"]["certificate"]):
        console.print(words, style="yellow", markup=False)


def _rows(clients: list[Json]) -> Iterator[tuple[str, str, str, str]]:
    for client in clients:
        for one in client["lists"]:
            state = "silent" if one["silent"] else "ok"
            yield client["name"], one["file"], state, one["last_fetch"]
        if not client["lists"]:
            yield client["name"], "-", client["state"], "never"


def _certificate(certificate: Json | None) -> Iterator[str]:
    if certificate is None:
        return
    if certificate["ends_in_seconds"] < _SOON:
        yield f"the certificate of the list server ends at {certificate['ends_at']}"
    if certificate["problem"]:
        yield f"the renewed certificate is not in force: {certificate['problem']}"
