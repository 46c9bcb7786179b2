"""The real Suricata: what it says of a file of rules, and which rules it loads from it."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

_SECONDS = 120


def suricata() -> str:
    """The command that runs the engine; the test is skipped where there is none."""
    if command := os.environ.get("CONNECTOR_SURICATA"):
        return command
    why = os.environ.get("CONNECTOR_WITHOUT_SURICATA")
    pytest.skip(why or "CONNECTOR_SURICATA names no engine; .ci/suricata-root makes one")


def its_own_test() -> Sequence[str]:
    """The option `test` of an output for this engine."""
    return (suricata(), "-T", "-S", "{file}", "-l", ".")


def keywords() -> set[str]:
    """What the engine calls its keywords."""
    command = [suricata(), "--list-keywords=csv"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)
    return {line.partition(";")[0] for line in done.stdout.splitlines()[1:] if ";" in line}


def loaded_by_suricata(path: Path) -> list[str]:
    """The rules that the engine loads from a file, each as it read it, in the file's order."""
    folder = path.with_name(f"{path.name}.analysis")
    folder.mkdir()
    command = [suricata(), "--engine-analysis", "-S", str(path), "-l", str(folder)]
    subprocess.run(command, capture_output=True, timeout=_SECONDS, check=True)
    found = folder / "rules.json"
    lines = found.read_text(encoding="utf-8").splitlines() if found.exists() else []
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    return [json.loads(line)["raw"] for line in lines]
