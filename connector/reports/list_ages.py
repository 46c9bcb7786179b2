"""How old the warninglists in force are, for people and scripts."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from connector.config.chosen_lists import ChosenLists, ListAge, ages

_SHOWN_OLDEST: Final = 3

Json = dict[str, Any]


def list_ages(chosen: ChosenLists, today: date) -> list[Json]:
    """Return each warninglist in force with its version, and its age if that is a date."""
    return [_age_json(found, today) for found in ages(chosen)]


def _age_json(found: ListAge, today: date) -> Json:
    return {
        "name": found.file.name,
        "group": found.file.group or f"warninglist:{found.file.name}",
        "lists": "all" if found.everywhere else "block",
        "version": found.version,
        "dated": found.dated.isoformat() if found.dated else None,
        "age_days": (today - found.dated).days if found.dated else None,
        "file": None if found.file.installed else str(found.file.path),
    }


def age_words(found: Sequence[Json]) -> str:
    """Return one line with the number and the age of the lists in force."""
    if not found:
        return "warninglists: none in force"
    dated = sorted((one for one in found if one["dated"]), key=lambda one: one["dated"])
    oldest = ", ".join(f"{one['name']} {one['age_days']} days" for one in dated[:_SHOWN_OLDEST])
    newer = sum(one["file"] is not None for one in found)
    words = f"warninglists: {len(found)} in force, {newer} of them newer copies"
    return f"{words}; the oldest: {oldest}" if oldest else words
