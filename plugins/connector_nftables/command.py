"""Runs one transaction with the nft command, and explains its failures."""

from connector.adapter import (
    NEEDS_NET_ADMIN,
    BatchTooLargeError,
    Command,
    RefusedError,
    UnavailableError,
)


def run_transaction(nft: Command, script: str, elements: int) -> None:
    """Make all changes of the script, or none of them."""
    ran = nft.run("-f", "-", text=script)
    if not ran.succeeded:
        raise _failure(ran.words, elements)


def _failure(words: str, elements: int) -> Exception:
    """The exit status is always 1, so the kernel's message (strerror in the C locale) decides.

    Its first line is enough: the others repeat the script, and values do not belong in the log.
    """
    words = words.partition("Error: ")[2] or words
    if "Operation not permitted" in words:
        return RefusedError(f"nft: {NEEDS_NET_ADMIN}")
    if "Too many open files in system" in words:
        return UnavailableError(
            "nft: a set is full, and nothing of this batch was written; raise the size that it was "
            "declared with, or lower max_entries of this output"
        )
    if "Message too long" in words or "No buffer space available" in words:
        return BatchTooLargeError(elements // 2)
    return UnavailableError(f"nft: {words}; nothing of this batch was written")
