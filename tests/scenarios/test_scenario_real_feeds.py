"""Published feeds as they really are, through several lists to several outputs."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scenario_site import Site

DATA = Path(__file__).parents[2].parent / "shared" / "data"
FEEDS = {"mvt": "mvt-indicators", "unit42": "unit42-iocs"}

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"needs the sample feeds in {DATA}")


def sections() -> dict[str, Any]:
    feed = {"type": "bundle", "unmarked_tlp": "green", "default_confidence": 50}
    lists: dict[str, Any] = {
        "addresses": {"select": {"types": ["ipv4-addr", "ipv6-addr"]}},
        "names": {"select": {"types": ["domain-name", "url"], "feeds": ["unit42"]}},
        "hunt": {"purpose": "watch", "audience": "community"},
        "public": {"purpose": "watch", "audience": "public"},
        "sure": {"select": {"min_confidence": 60}},
    }
    outputs: dict[str, Any] = {
        f"{name}-file": {"list": name, "adapter": "edl", "options": {"file": f"{name}.txt"}}
        for name in lists
    }
    firewall = {"list": "names", "adapter": "firewall", "options": {"device": "edge"}}
    small = {**firewall, "options": {"device": "small"}, "limits": {"max_entries": 100}}
    return {
        "feeds": {name: {**feed, "path": f"{folder}/"} for name, folder in FEEDS.items()},
        "allowlist": {"builtin": {"except": []}},
        "lists": lists,
        "outputs": {**outputs, "edge": firewall, "small": small},
    }


@pytest.fixture
def real(site: Site) -> Site:
    for folder in FEEDS.values():
        shutil.copytree(DATA / folder, site.folder / folder)
    site.configure(**sections())
    return site


def buckets(site: Site) -> dict[str, Any]:
    status = site.status()
    return {part["name"]: part["reasons"] for part in [*status["lists"], *status["outputs"]]}


def test_everything_published_ends_in_one_bucket_of_every_list(real: Site) -> None:
    assert not real.once().failures
    status = real.status()
    assert status["claims"] > 4000
    found = buckets(real)
    assert found["names"]["wanted"] > 800
    assert found["hunt"]["wanted"] > found["names"]["wanted"]
    assert found["public"]["withheld"] > 800
    assert "wanted" not in found["public"]
    assert "wanted" not in found["sure"]
    assert found["small"]["written"] == 100
    real.consistent()
    assert real.idle()


def test_reading_the_same_files_again_changes_nothing(real: Site) -> None:
    real.once()
    before = buckets(real)
    writes = real.rack["edge"].writes
    for path in (real.folder / FEEDS["unit42"]).iterdir():
        path.write_bytes(path.read_bytes() + b"\n")
    real.change()
    assert buckets(real) == before
    assert real.rack["edge"].writes == writes


def test_a_report_that_is_taken_back_leaves_and_comes_again(real: Site) -> None:
    real.once()
    before, held = buckets(real), real.at()
    for folder in FEEDS.values():
        (real.folder / folder).rename(real.folder / f"all-{folder}")
        (real.folder / folder).mkdir()

    def show(part: Callable[[int], bool]) -> None:
        for folder in FEEDS.values():
            every = sorted((real.folder / f"all-{folder}").iterdir())
            for number, path in enumerate(every):
                there = real.folder / folder / path.name
                if part(number):
                    shutil.copyfile(path, there)
                else:
                    there.unlink(missing_ok=True)

    show(lambda number: number % 9 != 0)
    real.change()
    assert len(real.at()) < len(held)
    assert "withdrawn" in buckets(real)["hunt"]
    real.consistent()
    show(lambda _number: True)
    real.change()
    assert buckets(real) == before
    assert real.at() == held
    real.consistent()
