"""Runs the operator's engine on a draft of a rule file, and finds the rules that it refuses."""

import os
import re
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Final, NamedTuple

from connector.adapter import UnavailableError

DRAFT: Final = "{file}"
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MOST_RUNS: Final = 40  # in one publication
_MOST_OUTPUT: Final = 1 << 20
_CHUNK: Final = 1 << 16
_LONGEST_WORDS: Final = 300
_NOT_PLAIN: Final = re.compile(r"[^ -~]+")
_FAULT: Final = re.compile(r"^E: |\berror\b|\bfatal\b", re.IGNORECASE)


class Verdict(NamedTuple):
    """What an engine says of a file: accepted or not, and which rules it complains about."""

    accepted: bool
    named: Mapping[int, str] = {}
    words: str = ""


class Engine:
    """The engine's own test of one draft, with a bound on its runs."""

    def __init__(self, command: Sequence[str], seconds: int, published: Path, head: str) -> None:
        self._command = command
        self._seconds = seconds
        self._published = published
        self._head = head
        self._runs = 0

    def refused(self, blocks: Sequence[str]) -> Mapping[int, str]:
        """Return the rules that the engine refuses, by position, with its message.

        These are all that it names by line, or else the first. Raises UnavailableError where the
        engine cannot be run, or refuses a file without rules as well.
        """
        verdict = self._test(blocks)
        if verdict.accepted or verdict.named:
            return verdict.named
        if not (empty := self._test([])).accepted:
            raise UnavailableError(f"test: fails on a file without rules: {empty.words}")
        taken, refused, words = 0, len(blocks), verdict.words
        while refused - taken > 1:
            middle = (taken + refused) // 2
            verdict = self._test(blocks[:middle])
            if verdict.named:
                return verdict.named
            if verdict.accepted:
                taken = middle
            else:
                refused, words = middle, verdict.words
        return {refused - 1: words}

    def _test(self, blocks: Sequence[str]) -> Verdict:
        self._runs += 1
        if self._runs > _MOST_RUNS:
            raise UnavailableError(
                f"test: {_MOST_RUNS} runs did not find every refused rule; the search continues at "
                "the next cycle"
            )
        with _folder_beside(self._published) as folder:
            draft = folder / self._published.name
            draft.write_text(self._head + "".join(blocks), encoding="utf-8")
            draft.chmod(0o640)
            command = [word.replace(DRAFT, str(draft)) for word in self._command]
            status, output = _run(command, self._seconds, folder)
        if status == 0:
            return Verdict(accepted=True)
        if status < 0:
            output += f"\nfatal: ended by signal {-status}"
        return _refusal(output, draft, self._head, blocks)


@contextmanager
def _folder_beside(published: Path) -> Iterator[Path]:
    """Create a folder whose name no rule can know, so that no rule can name a line of the draft."""
    prefix = f".{published.name}.test-"
    for left_over in published.parent.glob(f"{prefix}*"):
        shutil.rmtree(left_over, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=published.parent))
    try:
        folder.chmod(0o750)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: Sequence[str], seconds: int, folder: Path) -> tuple[int, str]:
    """Return the exit status of a command, and the beginning of its output."""
    program = shutil.which(command[0], path=_PATH)
    if program is None:
        raise UnavailableError(f"test: {command[0]}: no such command; nothing was published")
    try:
        with (
            subprocess.Popen(  # noqa: S603 the command is an option, and no shell runs it
                [program, *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={"LC_ALL": "C", "PATH": _PATH},
                start_new_session=True,
            ) as process
        ):
            output = _heard(process, time.monotonic() + seconds)
    except OSError as error:
        raise UnavailableError(f"test: {command[0]}: {error}; nothing was published") from error
    if output is None:
        raise UnavailableError(
            f"test: {command[0]} took longer than {seconds} s; nothing was published"
        )
    return process.returncode, output.decode("utf-8", "replace")


def _heard(process: subprocess.Popen[bytes], deadline: float) -> bytes | None:
    """Return the beginning of a process's output; None when it had to be stopped."""
    said, pipe = bytearray(), process.stdout
    with selectors.DefaultSelector() as ready:
        if pipe is not None:
            ready.register(pipe, selectors.EVENT_READ)
        try:
            while pipe is not None and ready.select(max(0.0, deadline - time.monotonic())):
                chunk = os.read(pipe.fileno(), _CHUNK)
                if not chunk:
                    process.wait(max(0.0, deadline - time.monotonic()))
                    return bytes(said)
                said += chunk[: _MOST_OUTPUT - len(said)]
        except subprocess.TimeoutExpired:
            pass
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    return None


def _refusal(output: str, draft: Path, head: str, blocks: Sequence[str]) -> Verdict:
    """Return the rules that an engine names by file and line, with its message on each."""
    place = re.compile(rf"{re.escape(str(draft))}(?: at line |[:( ]+(?:line )?)(\d+)")
    begins = list(accumulate((block.count("\n") for block in blocks), initial=head.count("\n") + 1))
    named: dict[int, str] = {}
    fault, before = "", ""
    for line in filter(None, map(str.strip, output.splitlines())):
        words = _plain(line, draft)
        if found := place.search(line):
            at = bisect_right(begins, int(found[1][:9])) - 1
            if 0 <= at < len(blocks):
                named.setdefault(at, before or words)
            before = ""
            continue
        before = words
        fault = fault or (words if _FAULT.search(line) else "")
    return Verdict(accepted=False, named=named, words=fault or before or "failed without a message")


def _plain(line: str, draft: Path) -> str:
    shown = line.replace(str(draft), draft.name)
    return " ".join(_NOT_PLAIN.sub(" ", shown).split())[:_LONGEST_WORDS]
