"""The promises of a feed as tests: subclass `FeedSuite`, and define `feed` and `publish`."""

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

import pytest

from connector.feed import Feed, Page, RefusedError, Settings, UnavailableError

AnyFeed = Feed[Any]
StixObject = Mapping[str, Any]
Publish = Callable[[Sequence[StixObject]], None]
_ENOUGH_FOR_PAGES = 2500


def sample_objects(count: int, start: int = 0) -> list[StixObject]:
    """Return indicators of reserved domain names, each with an id of its own."""
    return [
        {
            "type": "indicator",
            "spec_version": "2.1",
            "id": f"indicator--{UUID(int=number, version=4)}",
            "created": "2026-01-01T00:00:00.000Z",
            "modified": "2026-01-01T00:00:00.000Z",
            "pattern": f"[domain-name:value = 'host-{number}.example']",
            "pattern_type": "stix",
            "valid_from": "2026-01-01T00:00:00Z",
        }
        for number in range(start, start + count)
    ]


def read_ids(pages: Sequence[Page]) -> set[str]:
    """Return the ids of all objects in the pages."""
    return {json.loads(raw)["id"] for page in pages for raw in page.objects}


def _ids(objects: Sequence[StixObject]) -> set[str]:
    return {str(item["id"]) for item in objects}


def _expect(pages: Sequence[Page], objects: Sequence[StixObject], promise: str) -> None:
    missing = _ids(objects) - read_ids(pages)
    if missing:
        pytest.fail(f"{promise}: {len(missing)} of {len(objects)} are missing")


class FeedSuite:
    """The five promises of a feed.

    A plugin's tests are one class with two fixtures: `feed`, whose source is empty, and `publish`,
    which adds objects to the source. `break_source` is optional, and so is `same`, for a feed that
    makes its objects from another format.
    """

    @pytest.fixture
    def feed(self) -> AnyFeed:
        """The feed under test, on a source of its own."""
        pytest.fail("define a fixture `feed` in your subclass of FeedSuite")

    @pytest.fixture
    def publish(self) -> Publish:
        """Adds objects to the source."""
        pytest.fail("define a fixture `publish` in your subclass of FeedSuite")

    @pytest.fixture
    def same(self) -> Callable[[StixObject, StixObject], bool]:
        """Compares a published object with the one that was read."""
        return operator.eq

    @pytest.fixture
    def fresh(self, feed: AnyFeed) -> Callable[[], AnyFeed]:
        """Makes another feed on the same source, as after a restart."""
        return lambda: type(feed)(feed.settings, feed._http)

    @pytest.fixture
    def break_source(self) -> Callable[[], None] | None:
        """Makes the source unreachable."""
        return None

    def test_declares_its_options(self, feed: AnyFeed) -> None:
        if not issubclass(feed.settings_type, Settings):
            pytest.fail("settings_type should be a subclass of connector.feed.Settings")

    # Promise 1: every object of the source is read, unchanged.

    def test_reads_every_object_as_it_was_published(
        self,
        feed: AnyFeed,
        publish: Publish,
        same: Callable[[StixObject, StixObject], bool],
    ) -> None:
        objects = sample_objects(_ENOUGH_FOR_PAGES)
        publish(objects)
        pages = _read(feed)
        _expect(pages, objects, "every object should be read")
        published = {item["id"]: item for item in objects}
        for raw in pages[0].objects:
            if type(raw) is not bytes:
                pytest.fail(f"objects should be passed on as bytes: {raw!r}")
            found = json.loads(raw)
            known = published.get(found["id"])
            if known is not None and not same(known, found):
                pytest.fail(f"objects should be passed on unchanged: {raw!r}")

    def test_marks_the_last_page_of_a_run_and_no_other(
        self, feed: AnyFeed, publish: Publish
    ) -> None:
        publish(sample_objects(_ENOUGH_FOR_PAGES))
        for collection in feed.collections():
            marks = [page.last for page in feed.pages(collection, None)]
            if marks.count(True) != 1 or not marks[-1]:
                pytest.fail(f"only the last page of a run should be `last`: {marks}")

    # Promise 2: a collection keeps its name.

    def test_collections_keep_their_keys(
        self, feed: AnyFeed, fresh: Callable[[], AnyFeed], publish: Publish
    ) -> None:
        publish(sample_objects(3))
        keys = [collection.key for collection in feed.collections()]
        if len(set(keys)) != len(keys) or not all(keys):
            pytest.fail(f"each collection should have a key of its own: {keys}")
        if sorted(c.key for c in fresh().collections()) != sorted(keys):
            pytest.fail("collections should keep their keys after a restart")

    # Promise 3: the cursor skips nothing, wherever a run ended.

    def test_goes_on_after_every_page_without_losing_an_object(
        self, feed: AnyFeed, fresh: Callable[[], AnyFeed], publish: Publish
    ) -> None:
        objects = sample_objects(_ENOUGH_FOR_PAGES)
        publish(objects)
        for collection in feed.collections():
            whole = list(feed.pages(collection, None))
            for count in range(1, len(whole) + 1):
                before = list(islice(fresh().pages(collection, None), count))
                after = list(fresh().pages(collection, before[-1].cursor))
                lost = read_ids(whole) - read_ids([*before, *after])
                if lost:
                    pytest.fail(f"{len(lost)} objects lost when a run ends after page {count}")

    def test_reads_what_was_published_after_the_last_run(
        self, feed: AnyFeed, fresh: Callable[[], AnyFeed], publish: Publish
    ) -> None:
        publish(sample_objects(5))
        cursors = {c.key: _end(list(feed.pages(c, None))) for c in feed.collections()}
        later = sample_objects(5, start=5)
        publish(later)
        again = fresh()
        pages = [p for c in again.collections() for p in again.pages(c, cursors.get(c.key))]
        _expect(pages, later, "objects published after the cursor should be read")

    # Promise 4: nothing new is nothing new.

    def test_an_unchanged_source_ends_its_run_well(self, feed: AnyFeed, publish: Publish) -> None:
        publish(sample_objects(5))
        for collection in feed.collections():
            cursor = _end(list(feed.pages(collection, None)))
            pages = list(feed.pages(collection, cursor))
            if pages and not pages[-1].last:
                pytest.fail("a run with nothing new should end with a `last` page, or none")
            if collection.whole and pages and not read_ids(pages):
                pytest.fail("an empty last page of a `whole` collection withdraws all objects")

    # Promise 5: unknown is not empty.

    def test_an_unreachable_source_is_an_error_and_not_an_empty_feed(
        self,
        feed: AnyFeed,
        fresh: Callable[[], AnyFeed],
        publish: Publish,
        break_source: Callable[[], None] | None,
    ) -> None:
        if break_source is None:
            pytest.skip("define a fixture `break_source` that makes the source unreachable")
        publish(sample_objects(5))
        collections = list(feed.collections())
        break_source()
        with pytest.raises((UnavailableError, RefusedError)):
            fresh().collections()
        for collection in collections:
            with pytest.raises((UnavailableError, RefusedError)):
                list(fresh().pages(collection, None))


def _read(feed: AnyFeed) -> list[Page]:
    return [page for collection in feed.collections() for page in feed.pages(collection, None)]


def _end(pages: Sequence[Page]) -> str:
    return pages[-1].cursor
