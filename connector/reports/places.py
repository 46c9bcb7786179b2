"""Where outputs keep their lists, also what they left behind, for people and as JSON."""

from rich.console import Console
from rich.text import Text

from connector.reports.formatting import columns, left_words
from connector.reports.look import Look
from connector.reports.status import place_json
from connector.reports.values import Json
from connector.store.outputs.places import Standing, placed_ledgers


def places_json(look: Look) -> list[Json]:
    """Return every place that an output keeps or left, in the order of the file, the left last."""
    with look.database.read() as transaction:
        ledgers = placed_ledgers(transaction)
    names = list(look.config.outputs)
    kept = {one.name: one for one in ledgers if one.standing is Standing.KEPT}
    unwritten: Json = {"adapter": None, "places": [], "entries": 0, "since": None, "left": None}
    found = [
        place_json(kept[name], names) if name in kept else {"output": name, **unwritten}
        for name in names
    ]
    left = [place_json(one, names) for one in ledgers if one.entries or one.name in names]
    return [*found, *(one for one in left if one["left"])]


def show_places(console: Console, answer: list[Json]) -> None:
    """Print a line for each place, and below what can be done about those left behind."""
    table = columns("output", "adapter", "place", "entries", "since", "left")
    for one in answer:
        table.add_row(
            *map(Text, (
                one["output"], one["adapter"] or "-", ", ".join(one["places"]) or "-",
                f"{one['entries']:,}", one["since"] or "-", one["left"] or "",
            ))
        )  # fmt: skip
    console.print(table)
    for one in answer:
        if one["left"]:
            console.print(f"  {one['output']}: {left_words(one)}", markup=False, style="yellow")
