"""A target that says that it is full: the best are there, and `status` says how many it held."""

from io import StringIO

from rich.console import Console
from scenario_site import Site
from stix_samples import indicator

from connector.reports.formatting import show_status

ONE, TWO, THREE, FOUR = (f"192.0.2.{number}" for number in range(1, 5))
RANKED = [indicator(n, one, confidence=10 * n) for n, one in enumerate((ONE, TWO, THREE), 1)]


def test_a_full_target_keeps_the_best_and_is_filled_when_there_is_room(site: Site) -> None:
    site.configure()
    edge = site.rack["edge"]
    edge.capacity, edge.says_full = 2, True
    site.write("one.json", RANKED)
    site.once()
    site.change()
    site.change()
    assert site.at() == [TWO, THREE]
    assert site.output()["full"] == [{"pool": "", "held": 2, "at": "2026-03-01T12:00:00Z"}]
    assert site.output()["reasons"]["over_capacity"] == 1
    site.consistent()
    console = Console(width=200, file=StringIO())
    show_status(console, site.status())
    assert "the target was full with 2 entries of ours" in console.file.getvalue()

    site.write("two.json", [indicator(4, FOUR, confidence=90)])
    for _ in range(3):
        site.change()
    assert site.at() == [THREE, FOUR]
    edge.capacity = None
    site.once()
    site.once()
    assert site.at() == [ONE, TWO, THREE, FOUR]
    assert site.output()["full"] == []
    site.consistent()
