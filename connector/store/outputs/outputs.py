"""The progress of each output with its list, and the result of its latest cycles."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Final

from connector.errors import ConnectorError, StoreError
from connector.instants import SECOND
from connector.store.attempts import note_failure, note_success
from connector.store.database import Database
from connector.store.transaction import Transaction

_KEPT: Final = "AND standing = 'kept'"


@dataclass(frozen=True, slots=True)
class OutputState:
    """The progress of an output with its list.

    `setup` is the digest of what the file said when the target was last verified; `verified_at`
    is None where everything has to be looked at again. `stamp` is what the target said of itself
    at the end of our last cycle, as `Adapter.stamp` has it. `inactive` says that what was published
    has yet to be taken up; `largest_batch` is what the target takes at once, where it said so;
    `failing` that the latest cycle failed.
    """

    number: int
    list: int
    seq: int
    setup: bytes
    verified_at: int | None
    paused: str | None
    stamp: str | None = None
    inactive: bool = False
    largest_batch: int | None = None
    failing: bool = False


class OutputStates:
    """Keeps one row for every output."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._quiet: dict[int, int] = {}  # when a cycle last found nothing to do, not yet recorded
        self._quietly = Lock()

    def open(self, name: str, list_number: int) -> OutputState:
        """Return the progress of an output, creating it on first use."""
        with self._db.read() as transaction:  # each cycle asks, and almost none has to write
            found = self._find(transaction, name, list_number)
        if found is not None:
            return found
        with self._db.write() as transaction:
            number_of(transaction, name, list_number)
            made = self._find(transaction, name, list_number)
        assert made is not None  # noqa: S101 - it was made in this transaction, or before it
        return made

    def _find(self, transaction: Transaction, name: str, list_number: int) -> OutputState | None:
        sql = (
            "SELECT number, list, seq, setup, verified_at, paused, stamp, inactive, "  # noqa: S608 - our own condition
            f"largest_batch, error IS NOT NULL FROM outputs WHERE name = ? {_KEPT}"
        )
        for row in transaction.rows(sql, (name,)):
            verified_at = row[4] if row[1] == list_number else None  # it carries another list now
            return OutputState(
                row[0], list_number, row[2], bytes(row[3]), verified_at, row[5], row[6],
                bool(row[7]), row[8], bool(row[9]),
            )  # fmt: skip
        return None

    def note_activation(self, output: int, *, pending: bool) -> None:
        """Record that a target has yet to take up what is published, or that it did."""
        with self._db.write(durable=pending) as transaction:
            sql = "UPDATE outputs SET inactive = ? WHERE number = ?"
            transaction.run(sql, (int(pending), output))

    def next_version(self, output: int, now: int) -> int:
        """Return a number for the whole list that is about to be published.

        It is higher than all before: seconds since 1970, as the state may have been lost.
        """
        with self._db.write() as transaction:
            last = transaction.one("SELECT version FROM outputs WHERE number = ?", (output,))
            version = max(int(last or 0) + 1, now // SECOND)
            sql = "UPDATE outputs SET version = ? WHERE number = ?"
            transaction.run(sql, (version, output))
        return version

    def note_batch(self, output: int, largest: int | None) -> None:
        """Record how many entries a target may take at once, as it refused more; None: unknown."""
        with self._db.write() as transaction:
            sql = "UPDATE outputs SET largest_batch = ? WHERE number = ?"
            transaction.run(sql, (largest, output))

    def resume(self, names: Collection[str]) -> None:
        """Resume paused outputs: after a reload the cause of the refusal may be fixed."""
        with self._db.write() as transaction:
            for name in names:
                sql = f"UPDATE outputs SET paused = NULL WHERE name = ? {_KEPT}"  # noqa: S608 - our own condition
                transaction.run(sql, (name,))

    def require_verification(self) -> None:
        """Let each target be read back: while nothing ran, a machine may have been restarted.

        A kernel's sets are empty then, and the ledger still says that their entries are written.
        """
        with self._db.write() as transaction:
            transaction.run("UPDATE outputs SET verified_at = NULL, unread = 1", ())

    def finish(self, output: OutputState, seq: int, *, verified: bool, now: int) -> None:
        """Record that the output is in step with its list up to a sequence number."""
        at = now if verified else output.verified_at
        with self._db.write() as transaction:
            sql = (
                "UPDATE outputs SET seq = ?, list = ?, began = coalesce(began, ?) WHERE number = ?"
            )
            transaction.run(sql, (seq, output.list, now, output.number))
            sql = "UPDATE outputs SET verified_at = ?, stamp = ? WHERE number = ?"
            transaction.run(sql, (at, output.stamp, output.number))
            if verified:
                sql = "UPDATE outputs SET setup = ?, unread = 0 WHERE number = ?"
                transaction.run(sql, (output.setup, output.number))

    def note_damage(self, list_number: int, now: int, error: BaseException) -> None:
        """Record at all outputs of a list that its state is damaged, if that can be kept."""
        if not isinstance(error, StoreError):
            return
        with suppress(ConnectorError), self._db.write() as transaction:
            sql = (
                "UPDATE outputs SET last_failure = ?, error = ? "  # noqa: S608 - our own condition
                f"WHERE list = ? {_KEPT}"
            )
            transaction.run(sql, (now, str(error), list_number))

    def note_attempt(self, output: int, now: int, error: str | None, paused: str | None) -> None:
        """Record how a cycle ended."""
        with self._quietly:
            went_well = self._quiet.pop(output, None)
        with self._db.write() as transaction:
            if error is None:
                note_success(transaction, "outputs", output, now)
                return
            note_failure(transaction, "outputs", output, now, (error, paused))
            if went_well is not None:
                sql = "UPDATE outputs SET last_success = ? WHERE number = ?"
                transaction.run(sql, (went_well, output))

    def note_quiet(self, output: int, now: int) -> None:
        """Note that a cycle went well and found nothing to do, to be recorded by `flush`."""
        with self._quietly:
            self._quiet[output] = now

    def flush(self) -> None:
        """Record the quiet cycles of all outputs since the last time, in one transaction."""
        with self._quietly:
            quiet, self._quiet = self._quiet, {}
        if not quiet:
            return
        try:
            with self._db.write() as transaction:
                sql = (
                    "INSERT INTO quiet_cycles (output, at) VALUES (?, ?) "
                    "ON CONFLICT (output) DO UPDATE SET at = excluded.at"
                )
                transaction.many(sql, list(quiet.items()))
        except ConnectorError:
            with self._quietly:
                self._quiet = {**quiet, **self._quiet}
            raise


def number_of(transaction: Transaction, name: str, list_number: int) -> int:
    """Return the number of an output that is in the file, creating it on first use."""
    sql = f"SELECT number FROM outputs WHERE name = ? {_KEPT}"  # noqa: S608 - our own condition
    number: int | None = transaction.one(sql, (name,))
    if number is None:
        number = (transaction.one("SELECT max(number) FROM outputs") or 0) + 1
        sql = "INSERT INTO outputs (number, name, list, setup) VALUES (?, ?, ?, ?)"
        transaction.run(sql, (number, name, list_number, b""))
    return number
