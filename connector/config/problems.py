"""Problems in the operator's file: all at once, in file order, each with its line."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from connector.errors import ConfigError

Path = tuple[str | int, ...]
_ROOT: Final = "the file"


class Position(NamedTuple):
    """Line and column in the file, both counted from one."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to fix: its position, the path of the key, and what should be there."""

    position: Position
    path: Path
    text: str

    def render(self, file: str) -> str:
        """Return the line that the operator reads."""
        return f"{file}:{self.position.line}: {written(self.path) or _ROOT}: {self.text}"


class Problems:
    """Collects problems; only the first one noted for a path counts."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._noted: dict[Path, Problem] = {}
        self._repeated: list[Problem] = []
        self._elsewhere: list[str] = []

    def add(self, position: Position, path: Path, text: str) -> None:
        """Note a problem of the configuration file itself."""
        self._noted.setdefault(path, Problem(position, path, text))

    def add_repeated(self, position: Position, path: Path, first: Position) -> None:
        """Note that a key is given twice, besides any problem with the first."""
        text = f"is given twice, first on line {first.line}"
        self._repeated.append(Problem(position, path, text))

    def add_elsewhere(self, rendered: str) -> None:
        """Note a problem of another file that the configuration names; the text has its line."""
        self._elsewhere.append(rendered)

    def __bool__(self) -> bool:
        return bool(self._noted or self._repeated or self._elsewhere)

    def below(self, path: Path) -> bool:
        """Return whether there is a problem at or below a path."""
        return any(noted[: len(path)] == path for noted in self._noted)

    def refuse(self) -> None:
        """Raise ConfigError with all problems in file order, if there are any."""
        if self:
            both = [*self._noted.values(), *self._repeated]
            ordered = sorted(both, key=lambda problem: problem.position)
            raise ConfigError(
                [*(problem.render(self._file) for problem in ordered), *self._elsewhere]
            )


def written(path: Path) -> str:
    """Return a path as people write it: `feeds.ais.collections[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
