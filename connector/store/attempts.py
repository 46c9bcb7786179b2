"""How polls and cycles end: when one last failed, and when one went well again after that."""

from typing import Final, Literal

from connector.store.transaction import Transaction

_FAILED: Final = "last_failure = ?, error = ?, paused = ?"
_WENT_WELL: Final = (
    "last_success = ?, error = NULL, paused = NULL, "
    "last_recovery = CASE WHEN error IS NULL THEN last_recovery ELSE ? END"
)


def note_failure(
    transaction: Transaction, table: Literal["feeds", "outputs"], number: int, now: int,
    why: tuple[str, str | None],
) -> None:  # fmt: skip
    """Record that an attempt failed: the error, and the same again if it pauses what was tried."""
    transaction.run(f"UPDATE {table} SET {_FAILED} WHERE number = ?", (now, *why, number))  # noqa: S608 - our own words


def note_success(
    transaction: Transaction, table: Literal["feeds", "outputs"], number: int, now: int
) -> None:
    """Record that an attempt went well; after a failure, that is the recovery."""
    transaction.run(f"UPDATE {table} SET {_WENT_WELL} WHERE number = ?", (now, now, number))  # noqa: S608 - our own words
