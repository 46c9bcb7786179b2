"""Runs one transaction with the nft command, and explains its failures."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from connector.adapter import BatchTooLargeError, RefusedError, UnavailableError

_SECONDS: Final = 300
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NEEDS_RIGHTS: Final = (
    "permission denied: the service needs CAP_NET_ADMIN in the network namespace (with systemd: "
    "AmbientCapabilities=CAP_NET_ADMIN), and CAP_SYS_ADMIN for another one (option netns)"
)


def run_transaction(nft: Path, netns: str | None, script: str, elements: int) -> None:
    """Make all changes of the script, or none of them."""
    command = [_found(str(nft)), "-f", "-"]
    if netns:
        command = [_found("ip"), "netns", "exec", netns, *command]
    try:
        done = subprocess.run(  # noqa: S603 the path is an option, and no shell runs it
            command,
            input=script.encode("ascii"),
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            env={"LC_ALL": "C", "PATH": _PATH},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        raise _failure(done.stderr.decode("utf-8", "replace"), elements)


def _found(command: str) -> str:
    path = shutil.which(command, path=_PATH)
    if path is None:
        raise RefusedError(
            f"{command}: no such command; install the package nftables (and iproute2 for netns), "
            "or set the option nft"
        )
    return path


def _failure(complaint: str, elements: int) -> Exception:
    """The exit status is always 1, so the kernel's message (strerror in the C locale) decides."""
    # Only the first line: the others repeat the script, and values do not belong in the log.
    words = (
        complaint.strip().splitlines()[0] if complaint.strip() else "nft failed without a message"
    )
    words = words.partition("Error: ")[2] or words
    if "Operation not permitted" in words:
        return RefusedError(f"nft: {NEEDS_RIGHTS}")
    if "Too many open files in system" in words:
        return UnavailableError(
            "nft: a set is full, and nothing of this batch was written; raise the size that it was "
            "declared with, or lower max_entries of this output"
        )
    if "Message too long" in words or "No buffer space available" in words:
        return BatchTooLargeError(elements // 2)
    return UnavailableError(f"nft: {words}; nothing of this batch was written")
