"""What the pages of outputs have an administrator write, taken from the pages."""

import re
from pathlib import Path

PAGES = Path(__file__).parents[2] / "docs" / "outputs"


def shell_loops(page: str) -> str:
    """Return the loops that a page has the administrator type, as one script."""
    text = (PAGES / page).read_text(encoding="utf-8")
    loops = re.findall(r"^# (for .*\n(?:> .*\n)+)", text, re.MULTILINE)
    return "".join(re.sub(r"^> ", "", loop, flags=re.MULTILINE) for loop in loops)


def unit_command(page: str, verb: str) -> str:
    """Return what the first unit of a page runs, by the word for it, such as `ExecStart`."""
    text = (PAGES / page).read_text(encoding="utf-8")
    (command, *_others) = re.findall(rf"^{verb}=(.*)$", text, re.MULTILINE)
    return command


def blocks(page: str, language: str) -> list[str]:
    """Return the blocks of a page that are in this language; without one, what has none."""
    text = (PAGES / page).read_text(encoding="utf-8")
    found = re.findall(r"^```([a-z]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for named, block in found if named == language]


def commands(page: str) -> list[str]:
    """Return what a page has the administrator type at the shell, each with its further lines."""
    text = (PAGES / page).read_text(encoding="utf-8")
    found = re.findall(r"^\$ ((?:.*\\\n)*.*)$", text, re.MULTILINE)
    return [re.sub(r"\\\n\s*", "", command) for command in found]
