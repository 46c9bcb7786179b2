"""Our own feeds keep the promises that any feed makes."""

import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from connector.feeds.bundle import BundleFeed, BundleSettings
from connector.feeds.taxii.feed import TaxiiFeed
from connector.testing.feed_suite import FeedSuite, Publish
from connector.testing.taxii.faults import NoNext
from connector.testing.taxii.server import TaxiiServer


class TestTaxii(FeedSuite):
    @pytest.fixture
    def feed(self, make_feed: Callable[..., TaxiiFeed]) -> TaxiiFeed:
        return make_feed(page_size=400)

    @pytest.fixture
    def publish(self, server: TaxiiServer) -> Publish:
        return server.add_objects

    @pytest.fixture
    def break_source(self, server: TaxiiServer) -> Callable[[], None]:
        return server.close


class TestTaxiiWithoutTokens(TestTaxii):
    @pytest.fixture
    def publish(self, server: TaxiiServer) -> Publish:
        server.faults.append(NoNext())
        return server.add_objects


class TestBundle(FeedSuite):
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "drop"
        folder.mkdir()
        return folder

    @pytest.fixture
    def feed(self, folder: Path) -> BundleFeed:
        return BundleFeed(BundleSettings(path=folder))

    @pytest.fixture
    def publish(self, folder: Path) -> Iterator[Publish]:
        numbers = count()

        def drop(objects: object) -> None:
            bundle = {"type": "bundle", "id": f"bundle--{next(numbers)}", "objects": objects}
            (folder / f"{bundle['id']}.json").write_text(json.dumps(bundle))

        return drop

    @pytest.fixture
    def break_source(self, folder: Path, tmp_path: Path) -> Callable[[], None]:
        return lambda: folder.rename(tmp_path / "elsewhere") and None
