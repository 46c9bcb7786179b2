"""The record of a published file: one entry a line, exactly as the core passed it."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Final

from connector.adapter import Entry, Observable, ObservableType, UnavailableError

_TYPES: Final = {kind.value: kind for kind in ObservableType}
PREFIXES: Final = {kind: f"{kind.value}\t" for kind in ObservableType}
_HEAD: Final = "connector-edl 1 "


def first_line(form: str) -> str:
    """Return the line that says how the file was written."""
    return f"{_HEAD}{form}\n"


def line_of(entry: Entry) -> str:
    """Return an entry as one line; its value has no tabs or line breaks."""
    line = f"{PREFIXES[entry.observable.type]}{entry.observable.value}"
    return f"{line}\t{json.dumps(dict(entry.fields))}" if entry.fields else line


def form_of(path: Path) -> str | None:
    """Return how the file of a record was written; None where there is no record."""
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            return lines.readline().removeprefix(_HEAD).rstrip("\n")
    except FileNotFoundError:
        return None


def entries(path: Path) -> Iterator[Entry]:
    """Yield the entries of a record."""
    try:
        with path.open(encoding="utf-8", newline="\n") as lines:
            next(lines, None)
            for line in lines:
                kind, value, *fields = line.rstrip("\n").split("\t", 2)
                yield _entry(Observable(_TYPES[kind], value), fields)
    except (KeyError, ValueError, TypeError) as error:
        raise UnavailableError(
            f"{path}: damaged; remove it, then the published file itself is read"
        ) from error


def _entry(observable: Observable, fields: list[str]) -> Entry:
    if not fields:
        return Entry(observable)
    return Entry(observable, MappingProxyType(json.loads(fields[0])))
