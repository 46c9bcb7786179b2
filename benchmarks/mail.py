"""From entries to maps of a mail server, against the same made by its own tools."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from connector_exim import EximAdapter, EximSettings
from connector_postfix import PostfixAdapter, PostfixSettings

from benchmarks.rows import Row, hand_over
from benchmarks.scale import timed
from connector.adapter import Entry, ListAdapter, Observable, ObservableType, OutputContext

GOAL = "3 times"


def main(size: int) -> None:
    """Measure and hand the rows over; without a tool there is nothing to measure."""
    senders = [f"a{number}@bad.example" for number in range(size)]
    entries = [Entry(Observable(ObservableType.EMAIL_ADDR, sender)) for sender in senders]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "main.cf").write_text("lmdb_map_size = 536870912\n")
        context = OutputContext("bench", folder)
        lmdb = PostfixAdapter(PostfixSettings(folder=folder, senders="ours"), context)
        cdb = EximAdapter(EximSettings(folder=folder, maps=["senders"], type="cdb"), context)
        by_hand = str(folder / "by-hand")
        of_exim = Path(os.environ.get("CONNECTOR_EXIM", "/")).parent / "root/usr/sbin"
        dbmbuild = shutil.which("exim_dbmbuild") or str(of_exim / "exim_dbmbuild")
        hand_over([
            _row(f"{size:,} senders to Postfix, against `postmap`", lmdb, entries,
                 ["postmap", "-c", made, f"lmdb:{by_hand}"], Path(by_hand), "{} REJECT\n"),
            _row(f"{size:,} senders to Exim, against `exim_dbmbuild`", cdb, entries,
                 [dbmbuild, by_hand, f"{by_hand}.made"], Path(by_hand), "{}: listed\n"),
        ])  # fmt: skip


def _row(
    what: str,
    adapter: ListAdapter[Any],
    entries: list[Entry],
    tool: list[str],
    file: Path,
    line: str,
) -> Row:
    if shutil.which(tool[0]) is None:
        return Row(what, f"not measured: needs {Path(tool[0]).name}", GOAL)

    def by_hand() -> None:
        file.write_text("".join(line.format(entry.value) for entry in entries))
        subprocess.run(tool, check=True, stdout=subprocess.DEVNULL)

    theirs = min(timed(by_hand) for _ in range(3))
    ours = min(timed(lambda: adapter.publish(entries)) for _ in range(3))
    words = f"{ours / theirs:.1f} times ({ours:.2f} s, {theirs:.2f} s by hand)"
    return Row(what, words, GOAL)


if __name__ == "__main__":
    main(int(sys.argv[1]))
