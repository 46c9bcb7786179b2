"""Before its feeds were read a list is unknown: nothing is published, and `status` says why."""

import threading
from typing import Any

import pytest
from scenario_site import FREED, Site, forget_state, until
from stix_samples import indicator, write_bundle

from connector.commands.terminal import out
from connector.daemon.workers import Workers
from connector.errors import UndecidedError
from connector.reports.formatting import show_status

ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"


def two_feeds(site: Site, **more: Any) -> None:
    feeds = {
        name: {"type": "bundle", "path": f"{name}/", "unmarked_tlp": "clear"}
        for name in ("first", "second")
    }
    output = {"list": "perimeter", "adapter": "edl", "options": {"file": "list.txt"}}
    site.configure(feeds=feeds, allowlist=FREED, outputs={"file": output}, **more)
    write_bundle(site.folder / "first" / "one.json", [indicator("a", ONE)])
    write_bundle(site.folder / "second" / "two.json", [indicator("b", TWO)])


def published(site: Site) -> list[str] | None:
    return site.lines("list.txt") if (site.folder / "published" / "list.txt").exists() else None


def test_nothing_is_published_before_each_feed_was_polled_once(site: Site) -> None:
    two_feeds(site)
    service = site.open()
    service.lists.refresh("perimeter")
    with pytest.raises(UndecidedError, match="waiting for the first poll of feed first, second"):
        service.outputs.sync("file")
    assert site.output("file")["waits_for"] == ["first", "second"]
    service.feeds.poll("first")
    service.lists.refresh("perimeter")
    with pytest.raises(UndecidedError, match="waiting for the first poll of feed second"):
        service.outputs.sync("file")
    assert published(site) is None
    assert site.output("file")["state"] == "never"
    service.feeds.poll("second")
    service.lists.refresh("perimeter")
    service.outputs.sync("file")
    assert published(site) == [ONE, TWO]
    assert site.output("file")["waits_for"] == []


def test_a_site_that_lost_its_state_leaves_the_list_alone_until_its_feeds_answer(
    site: Site,
) -> None:
    two_feeds(site)
    site.once()
    forget_state(site)
    (site.folder / "second" / "two.json").rename(site.folder / "second" / "away")
    (site.folder / "second").rename(site.folder / "elsewhere")
    (site.folder / "first").rename(site.folder / "nowhere")
    outcome = site.once()
    assert set(outcome.failures) == {"feed first", "feed second", "output file"}
    assert published(site) == [ONE, TWO]


def test_a_feed_that_fails_holds_up_nothing_of_what_another_gives(site: Site) -> None:
    two_feeds(site)
    (site.folder / "second" / "two.json").write_text("{broken")
    outcome = site.once()
    assert set(outcome.failures) == {"feed second"}
    assert published(site) == [ONE]


def test_a_new_feed_holds_up_nothing_that_is_in_step(site: Site) -> None:
    two_feeds(site)
    site.once()
    third = {"type": "bundle", "path": "third/", "unmarked_tlp": "clear"}
    site.edit(lambda config: config["feeds"].update(third=third))
    write_bundle(site.folder / "second" / "two.json", [indicator("c", THREE)])
    service = site.open()
    service.feeds.poll("second")
    service.lists.refresh("perimeter")
    service.outputs.sync("file")
    assert published(site) == [ONE, THREE]


def test_the_daemon_publishes_once_the_slowest_first_poll_has_ended(site: Site) -> None:
    two_feeds(site)
    service = site.open()
    reached, go_on = threading.Event(), threading.Event()
    slow = service.feeds["second"].feed
    collections = slow.collections

    def waits() -> Any:
        reached.set()
        assert go_on.wait(30)
        return collections()

    slow.collections = waits  # type: ignore[method-assign]
    failed: list[BaseException] = []
    workers = Workers(service, failed.append)
    workers.start()
    try:
        assert reached.wait(30)
        until(lambda: "file" in workers._waiting)
        until(lambda: site.feed("first")["state"] == "ok")
        assert published(site) is None
        go_on.set()
        until(lambda: published(site) == [ONE, TWO])
    finally:
        go_on.set()
        workers.stop()
    assert not failed


def test_the_status_says_what_an_output_waits_for(site: Site, capsys: Any) -> None:

    two_feeds(site)
    site.open()
    show_status(out, site.status())
    assert "waiting for the first poll of feed first, second" in capsys.readouterr().out
