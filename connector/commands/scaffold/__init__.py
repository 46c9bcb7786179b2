"""Makes the package of a new output plugin, which keeps every promise as it is made."""

import re
from collections.abc import Iterator
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Final

from connector.errors import ConnectorError
from connector.registry import Registry

__all__ = ["Kind", "ScaffoldError", "make_plugin"]

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")


class Kind(StrEnum):
    """What the target of a new plugin takes."""

    LIST = "list"
    ENTRY = "entry"
    STAGED = "staged"
    HTTP = "http"


class ScaffoldError(ConnectorError):
    """The package cannot be made: its name is taken or unfit, or something stands there."""


_WHAT: Final = {
    Kind.LIST: "it keeps a whole list in a file",
    Kind.ENTRY: "it keeps single entries in a table",
    Kind.STAGED: "it keeps entries in a table, whose changes are staged and live together",
    Kind.HTTP: "it keeps single entries at an HTTP API",
}


def make_plugin(name: str, kind: Kind, below: Path) -> list[Path]:
    """Write the package into a new folder and return its files."""
    if not _NAME.fullmatch(name):
        raise ScaffoldError(f"{name}: a name has lower-case letters, digits and _, up to 40")
    if name in Registry.installed().adapter_names():
        raise ScaffoldError(f"{name} is the name of an installed adapter: choose another one")
    folder = below / f"connector_{name}"
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise ScaffoldError(f"{folder} is there already: choose another name or folder") from error
    except OSError as error:
        raise ScaffoldError(f"{folder}: {error.strerror}") from error
    made = []
    for file, text in _contents(name, kind):
        path = folder / file
        path.write_text(text, encoding="utf-8")
        made.append(path)
    return made


def _contents(name: str, kind: Kind) -> Iterator[tuple[str, str]]:
    """Yield each file's name and text."""
    modules = [f"connector_{name}", f"connector_{name}_suite"]
    if kind is Kind.HTTP:
        modules.insert(1, f"connector_{name}_emulator")
    emulator_row = (
        f"\n| `connector_{name}_emulator.py` | the API as its documentation has it, for tests |"
        if kind is Kind.HTTP
        else ""
    )
    words = {
        "name": name,
        "Class": "".join(part.capitalize() for part in name.split("_")),
        "kind": kind.value,
        "what": _WHAT[kind],
        "modules": ", ".join(f'"{module}"' for module in modules),
        "emulator_row": emulator_row,
    }
    sources = {
        "pyproject.toml": "pyproject",
        "README.md": "readme",
        **{f"{module}.py": f"{kind.value}_{_part(module, name)}" for module in modules},
        f"test_{name}.py": "test",
    }
    for file, source in sources.items():
        text = files(__name__).joinpath(f"{source}.txt").read_text(encoding="utf-8")
        yield file, re.sub(r"@(\w+)@", lambda found: words[found[1]], text)


def _part(module: str, name: str) -> str:
    """Return which part of a plugin a module is."""
    return module.removeprefix(f"connector_{name}").lstrip("_") or "adapter"
