"""Finds and reads MISP warninglists as pymispwarninglists ships them, by folder name."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import msgspec

from connector.decisions.warninglist_entries import ListKind, Warninglist
from connector.errors import ConfigError

__all__ = [
    "installed_folder",
    "installed_names",
    "no_such_list",
    "read_warninglists",
    "warning_about",
]

_PACKAGE: Final = "pymispwarninglists"
_FILE: Final = "list.json"
_CONTEXT: Final = (
    "disposable-email", "dynamic-dns", "link-in-bio", "lots-project", "parking-domain",
    "parking-domain-ns", "url-shortener", "vpn-ipv4", "vpn-ipv6",
)  # fmt: skip
_CONTEXT_ENDINGS: Final = ("-scanning", "-scanner")


class _Contents(msgspec.Struct):
    """What we read of a file."""

    kind: ListKind = msgspec.field(name="type")
    entries: list[str] = msgspec.field(name="list")
    attributes: frozenset[str] | None = msgspec.field(name="matching_attributes", default=None)


def installed_folder() -> Path:
    """Return the folder with the lists; the package itself is not run, it would load them all."""
    spec = find_spec(_PACKAGE)
    for place in (spec.submodule_search_locations if spec else None) or ():
        folder = Path(place) / "data" / "misp-warninglists" / "lists"
        if folder.is_dir():
            return folder
    raise ConfigError([f"{_PACKAGE}: its lists are not installed: install the package again"])


def installed_names(folder: Path) -> tuple[str, ...]:
    """Return the names of all lists there are, in order."""
    return tuple(sorted(found.parent.name for found in folder.glob(f"*/{_FILE}")))


def no_such_list(name: str, installed: tuple[str, ...]) -> str:
    """Return what is wrong with a name that no installed list bears, and what would do."""
    close = get_close_matches(name, installed, n=4, cutoff=0.6)
    would_do = ", ".join(close) or f"{len(installed)} are, such as public-dns-v4 and tranco10k"
    return f"{name} is not an installed warninglist ({would_do})"


def warning_about(name: str) -> str | None:
    """Return why a list may not be what someone who names it wants."""
    if name in _CONTEXT or name.endswith(_CONTEXT_ENDINGS):
        return f"{name} says what a value is, not that it is harmless: bad ones go free with it"
    return None


def read_warninglists(names: Sequence[str], folder: Path) -> Iterator[Warninglist]:
    """Yield lists one by one, the largest first: what that needs in passing, the others reuse.

    Raises ConfigError for a list that cannot be read: left out in silence it would protect nobody.
    """
    for name in sorted(names, key=lambda name: _size(folder / name / _FILE), reverse=True):
        file = folder / name / _FILE
        try:
            contents = msgspec.json.decode(file.read_bytes(), type=_Contents)
        except (OSError, msgspec.MsgspecError) as error:
            text = f"allowlist.warninglists: {name}: cannot be read: {error}"
            raise ConfigError([f"{text}: install {_PACKAGE} again"]) from error
        entries = iter(contents.entries)
        kind, attributes = contents.kind, contents.attributes
        del contents  # the iterator lets go of the entries when it is through with them
        yield Warninglist(names.index(name), name, kind, attributes, entries)


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
