"""Finds and reads MISP warninglists: as pymispwarninglists ships them, or newer copies."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import msgspec

from connector.decisions.allowlist.warninglist import ListKind, Warninglist
from connector.errors import ConfigError
from connector.outside import BYTE_ORDER_MARK

__all__ = [
    "ListFile",
    "dated",
    "installed_folder",
    "installed_lists",
    "installed_names",
    "newer_copies",
    "no_such_list",
    "read_warninglists",
    "version_of",
    "warning_about",
]

_PACKAGE: Final = "pymispwarninglists"
_FILE: Final = "list.json"
_LARGEST: Final = 128 << 20
_DAY: Final = re.compile(r"20[0-9]{6}")
_CONTEXT: Final = (
    "disposable-email", "dynamic-dns", "link-in-bio", "lots-project", "parking-domain",
    "parking-domain-ns", "url-shortener", "vpn-ipv4", "vpn-ipv6",
)  # fmt: skip
_CONTEXT_ENDINGS: Final = ("-scanning", "-scanner")
_RENTED: Final = (
    "akamai", "amazon-aws", "github", "google-gcp", "microsoft-azure", "microsoft-azure-china",
    "microsoft-azure-germany", "microsoft-azure-us-gov", "ovh-cluster",
)  # fmt: skip


class _Contents(msgspec.Struct):
    """The parts of a file that we read."""

    kind: ListKind = msgspec.field(name="type")
    entries: list[str] = msgspec.field(name="list")
    attributes: frozenset[str] | None = msgspec.field(name="matching_attributes", default=None)
    version: int | None = None


class _Version(msgspec.Struct):
    version: int | None = None


@dataclass(frozen=True, slots=True)
class ListFile:
    """Where to read a list, and how: its group, and whether only exact names count."""

    name: str
    path: Path
    installed: bool = True
    group: str = ""
    exact: bool = False


def installed_folder() -> Path:
    """Return the folder of the lists without importing the package, which would load them all."""
    spec = find_spec(_PACKAGE)
    for place in (spec.submodule_search_locations if spec else None) or ():
        folder = Path(place) / "data" / "misp-warninglists" / "lists"
        if folder.is_dir():
            return folder
    raise ConfigError([f"{_PACKAGE}: its lists are not installed: install the package again"])


def installed_names(folder: Path) -> tuple[str, ...]:
    """Return the names of all installed lists, in order."""
    return tuple(sorted(found.parent.name for found in folder.glob(f"*/{_FILE}")))


def installed_lists() -> dict[str, ListFile]:
    """Return the installed lists by name."""
    found = sorted(installed_folder().glob(f"*/{_FILE}"))
    return {path.parent.name: ListFile(path.parent.name, path) for path in found}


def newer_copies(
    folder: Path, installed: Mapping[str, ListFile]
) -> tuple[dict[str, ListFile], list[str]]:
    """Return the lists of a folder that are new or newer, and why the others are not used.

    The files are named as in MISP's repository, `NAME/list.json`, or `NAME.json`.
    """
    used: dict[str, ListFile] = {}
    refused: list[str] = []
    for name, path in sorted(_copies(folder)):
        if reason := _unusable(path, installed.get(name)):
            refused.append(f"{path}: is not used: {reason}")
        else:
            used[name] = ListFile(name, path, installed=False)
    return used, refused


def _copies(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.glob(f"*/{_FILE}"):
        yield path.parent.name, path
    for path in folder.glob("*.json"):
        yield path.stem, path


def _unusable(path: Path, installed: ListFile | None) -> str:
    """Return why a copy is unusable or not newer; empty if neither."""
    try:
        contents = _contents(path)
    except OSError as error:
        return error.strerror or str(error)
    except (ValueError, msgspec.MsgspecError) as error:
        return str(error)
    if not any(entry.strip() for entry in contents.entries):
        return "has no entries, so it would protect nothing"
    if contents.version is None:
        return "has no version, so its age is unknown"
    if installed is not None and contents.version <= (version_of(installed.path) or 0):
        return f"is version {contents.version}, no newer than the installed one"
    return ""


def _contents(path: Path) -> _Contents:
    return msgspec.json.decode(_bounded(path), type=_Contents)


def _bounded(path: Path) -> bytes:
    with path.open("rb") as opened:
        raw = opened.read(_LARGEST + 1)
    if len(raw) > _LARGEST:
        raise ValueError(f"is larger than {_LARGEST >> 20} MiB")
    return raw.removeprefix(BYTE_ORDER_MARK)


def version_of(path: Path) -> int | None:
    """Return the version in a list, or None."""
    return msgspec.json.decode(_bounded(path), type=_Version).version


def dated(version: int | None) -> date | None:
    """Return the date that a version encodes, or None if it is a plain counter."""
    if version is None or not _DAY.fullmatch(str(version)):
        return None
    try:
        return datetime.strptime(str(version), "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def no_such_list(name: str, installed: tuple[str, ...]) -> str:
    """Return the message for a name that no list has, with names that are close."""
    close = get_close_matches(name, installed, n=4, cutoff=0.6)
    would_do = (
        ", ".join(close) or f"there are {len(installed)}, such as public-dns-v4 and tranco10k"
    )
    return f"{name} is not an installed warninglist ({would_do})"


def warning_about(name: str) -> str | None:
    """Return why a list may not be what its user expects."""
    if name in _CONTEXT or name.endswith(_CONTEXT_ENDINGS):
        return f"{name} says what a value is, not that it is harmless: bad ones are allowed too"
    if name in _RENTED:
        return f"{name} contains machines that anyone can rent: bad ones are allowed too"
    if name == "wikimedia":
        return "wikimedia contains internal ranges instead of public ones"
    return None


def read_warninglists(files: Sequence[ListFile]) -> Iterator[Warninglist]:
    """Yield the lists one by one, largest first, so that the others reuse its memory.

    Raises ConfigError for a list that cannot be read: skipped in silence, it would protect nothing.
    """
    for number, file in sorted(enumerate(files), key=lambda pair: _size(pair[1]), reverse=True):
        try:
            contents = _contents(file.path)
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            text = f"allowlist.warninglists: {file.name}: cannot be read: {error}"
            mend = f"install {_PACKAGE} again" if file.installed else f"replace {file.path}"
            raise ConfigError([f"{text}: {mend}"]) from error
        entries = iter(contents.entries)
        kind, attributes = contents.kind, contents.attributes
        del contents  # so that only the iterator still references the entries
        if file.exact and kind is ListKind.HOSTNAME:
            kind = ListKind.STRING
        yield Warninglist(number, file.name, kind, attributes, entries, file.group)


def _size(file: ListFile) -> int:
    return file.path.stat().st_size if file.path.exists() else 0
