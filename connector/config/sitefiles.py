"""What a site adds to the allowlist: its files and its exceptions."""

import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from connector.config.chosen_lists import ChosenLists, choose
from connector.config.default_lists import DEFAULT
from connector.config.model import AllowlistConfig, ExceptionConfig
from connector.config.sections import Sections
from connector.config.warninglist_files import installed_lists, newer_copies, no_such_list

if TYPE_CHECKING:  # most files have neither, and a look needs nothing else of an allowlist
    from connector.decisions.allowlist.site import ExceptionRule, SiteRule

MAX_BYTES: Final = 64 << 20
_MOST_PROBLEMS: Final = 20


class SiteFiles:
    """Reads site files and exceptions; `raw` keeps the bytes on which decisions depend."""

    def __init__(self, folder: Path, sections: Sections) -> None:
        self._folder = folder
        self._sections = sections
        self.rules: list[SiteRule] = []
        self.exceptions: list[ExceptionRule] = []
        self.raw: list[bytes] = []
        self.warninglists = ChosenLists()
        self.copies: list[Path] = []
        self.warnings: list[str] = []

    def read(self, allowlist: AllowlistConfig) -> None:
        """Read everything that the section names; note every unreadable file or line."""
        for number, path in enumerate(allowlist.files):
            place = ("allowlist", "files", number)
            name = str(self._folder / self._sections.file.at(place))
            try:
                self._read_file(path, name)
            except (OSError, ValueError) as error:
                reason = error.strerror or error if isinstance(error, OSError) else error
                self._sections.note(place, f"{name}: {reason}")
        if allowlist.exceptions:
            self.exceptions.extend(map(_rule_of, allowlist.exceptions))
        self._choose_lists(allowlist)

    def _choose_lists(self, allowlist: AllowlistConfig) -> None:
        """Find the configured warninglists, in newer copies if there are any."""
        files = installed_lists()
        if (folder := allowlist.warninglist_folder) is not None:
            self.copies.append(folder)
            place = ("allowlist", "warninglist_folder")
            if not folder.is_dir():
                self._sections.note(place, f"{folder}: is not a folder")
            newer, refused = newer_copies(folder, files)
            files |= newer
            self.copies += [file.path for file in newer.values()]
            self.warnings += refused
        known = tuple(sorted(files))
        for number, name in enumerate(allowlist.warninglists):
            if name not in files and name != DEFAULT:
                text = no_such_list(name, known)
                self._sections.note(("allowlist", "warninglists", number), text)
        named = [name for name in allowlist.warninglists if name in files or name == DEFAULT]
        self.warninglists = choose(named, allowlist.builtin.except_, files)

    def _read_file(self, path: Path, name: str) -> None:
        from connector.decisions.allowlist.site import parse_site_lines  # noqa: PLC0415 - as above

        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError("is not a regular file")
        with path.open("rb") as opened:
            raw = opened.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise ValueError(f"is larger than {MAX_BYTES >> 20} MiB")
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            raise ValueError(f"is not UTF-8 text on line {line}") from None
        self.raw.append(raw)
        rules, problems = parse_site_lines(name, text.split("\n"))
        self.rules.extend(rules)
        self._sections.note_elsewhere(problems[:_MOST_PROBLEMS])
        if len(problems) > _MOST_PROBLEMS:
            left = len(problems) - _MOST_PROBLEMS
            self._sections.note_elsewhere([f"{name}: and {left} more lines"])


def _rule_of(exception: ExceptionConfig) -> "ExceptionRule":
    from connector.decisions.allowlist.site import ExceptionRule, end_of_day  # noqa: PLC0415 - as above

    return ExceptionRule(
        value=exception.value,
        why=exception.why,
        ticket=exception.ticket or "",
        until=end_of_day(exception.until) if exception.until else None,
    )
