"""A damaged state: nothing leaves a target because of it, and everybody is told what to do."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from damage import flip_three_bytes, hide_rows
from scenario_site import Site
from stix_samples import address, indicator, revoked

from connector.errors import StoreError

SIZE = 400
ALL = [address(n) for n in range(1, SIZE + 1)]
LOST = "observable % 8 = 0"


@pytest.fixture
def full(site: Site) -> Site:
    """A site with four hundred entries at its firewall, all of which one file of the feed makes."""
    site.configure()
    site.write("many.json", [indicator(n, address(n)) for n in range(1, SIZE + 1)])
    site.once()
    assert sorted(site.at()) == sorted(ALL)
    site.close()
    return site


def file_of(site: Site) -> Path:
    return site.folder / "state" / "connector.db"


def test_claims_that_an_index_lost_take_nothing_off_a_target(full: Site) -> None:
    hide_rows(file_of(full), "claims_by_observable", LOST)
    with pytest.raises(StoreError, match=r"the state is damaged .*REINDEX.* backup"):
        full.once()
    assert sorted(full.at()) == sorted(ALL)


def test_status_tells_of_the_damage_until_it_is_mended(full: Site) -> None:
    hide_rows(file_of(full), "claims_by_observable", LOST)
    with pytest.raises(StoreError):
        full.once()
    output = full.output()
    assert output["state"] == "failing"
    assert "the state is damaged" in output["error"]
    full.close()
    with closing(sqlite3.connect(file_of(full))) as connection:
        connection.execute("REINDEX")
    full.once()
    assert full.output()["state"] == "ok"
    assert sorted(full.at()) == sorted(ALL)
    full.consistent()


def test_three_flipped_bytes_stop_the_start(full: Site) -> None:
    flip_three_bytes(file_of(full), "claims_by_observable")
    with pytest.raises(StoreError, match="the state is damaged"):
        full.open()
    assert sorted(full.at()) == sorted(ALL)


def test_a_large_removal_that_nobody_asked_for_is_believed_only_of_a_sound_state(
    full: Site,
) -> None:
    """The damage lies where no decision looks; the removals come of a changed file."""
    hide_rows(file_of(full), "objects_by_key", "number = 7")
    full.edit(lambda config: config["lists"]["perimeter"].update(select={"min_confidence": 99}))
    service = full.open()
    service.lists.refresh("perimeter", everything=True)
    with pytest.raises(StoreError, match="objects_by_key"):
        service.outputs.propose("edge")
    with pytest.raises(StoreError, match="objects_by_key"):
        service.outputs.sync("edge")
    assert sorted(full.at()) == sorted(ALL)
    assert "objects_by_key" in full.output()["error"]


def test_what_a_producer_revokes_leaves_without_a_look_at_the_whole_state(full: Site) -> None:
    full.edit(lambda config: config["outputs"]["edge"].update(limits={"max_remove_ratio": 1}))
    full.write("many.json", [revoked(indicator(n, address(n))) for n in range(1, SIZE + 1)])
    service = full.open()

    def looked(_connection: object) -> None:
        pytest.fail("looked at the whole state")

    service.store.soundness.expect_sound = looked  # type: ignore[method-assign]
    full.once()
    assert full.at() == []


def test_few_removals_of_a_changed_file_do_not_wait_for_a_check(full: Site) -> None:
    full.write("many.json", [indicator(n, address(n)) for n in range(1, SIZE - 49)])
    service = full.open()

    def looked(_connection: object) -> None:
        pytest.fail("looked at the whole state")

    service.store.soundness.expect_sound = looked  # type: ignore[method-assign]
    full.once()
    full.once()
    assert len(full.at()) == SIZE - 50
