"""Where each output stands with its list, and how its latest cycles ended."""

from dataclasses import dataclass

from connector.store.database import Database


@dataclass(frozen=True, slots=True)
class OutputState:
    """Where an output stands with its list."""

    number: int
    list: int
    seq: int
    setup: bytes
    verified_at: int | None
    paused: str | None
    held_plan: str | None


class Outputs:
    """Keeps one row for every output."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def open(self, name: str, list_number: int) -> OutputState:
        """Return where an output stands; at first sight it is made."""
        with self._db.write() as connection:
            sql = "SELECT number FROM outputs WHERE name = ?"
            number = self._db.one(connection, sql, (name,))
            if number is None:
                number = (self._db.one(connection, "SELECT max(number) FROM outputs") or 0) + 1
                sql = "INSERT INTO outputs (number, name, list, setup) VALUES (?, ?, ?, ?)"
                self._db.run(connection, sql, (number, name, list_number, b""))
            sql = (
                "SELECT number, list, seq, setup, verified_at, paused, held_plan "
                "FROM outputs WHERE number = ?"
            )
            row = self._db.rows(connection, sql, (number,))[0]
            return OutputState(row[0], row[1], row[2], bytes(row[3]), row[4], row[5], row[6])

    def finish(self, output: OutputState, seq: int, *, verified: bool, now: int) -> None:
        """Record that the output is in step with its list up to a sequence number."""
        with self._db.write() as connection:
            sql = "UPDATE outputs SET seq = ?, held_plan = NULL, list = ? WHERE number = ?"
            self._db.run(connection, sql, (seq, output.list, output.number))
            if verified:
                sql = "UPDATE outputs SET verified_at = ?, setup = ? WHERE number = ?"
                self._db.run(connection, sql, (now, output.setup, output.number))

    def note_attempt(self, output: int, now: int, error: str | None, paused: str | None) -> None:
        """Record how a cycle ended."""
        with self._db.write() as connection:
            sql = "UPDATE outputs SET last_attempt = ?, error = ?, paused = ? WHERE number = ?"
            self._db.run(connection, sql, (now, error, paused, output))
            if error is None and paused is None:
                sql = "UPDATE outputs SET last_success = ? WHERE number = ?"
                self._db.run(connection, sql, (now, output))
