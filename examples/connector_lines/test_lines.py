"""Tests this feed's promises."""

import json

import pytest
from connector_lines import LinesFeed, LinesSettings

from connector.testing.feed_suite import FeedSuite, read_ids, sample_objects


class TestLines(FeedSuite):
    @pytest.fixture
    def feed(self, path):
        return LinesFeed(LinesSettings(path=path))

    @pytest.fixture
    def path(self, tmp_path):
        path = tmp_path / "objects.jsonl"
        path.touch()
        return path

    @pytest.fixture
    def publish(self, path):
        def appends(objects):
            with path.open("a") as lines:
                lines.writelines(json.dumps(item) + "\n" for item in objects)

        return appends

    @pytest.fixture
    def break_source(self, path):
        return path.unlink

    def test_a_line_is_read_once_it_is_complete(self, feed, path, publish):
        (collection,) = feed.collections()
        publish(sample_objects(2))
        text = path.read_text()
        path.write_text(text[:-1])
        (page,) = feed.pages(collection, None)
        assert len(read_ids([page])) == 1
        path.write_text(text)
        (page,) = feed.pages(collection, page.cursor)
        assert len(read_ids([page])) == 1

    def test_a_shorter_file_in_its_place_is_read_from_the_start(self, feed, path, publish):
        (collection,) = feed.collections()
        publish(sample_objects(5))
        (page,) = feed.pages(collection, None)
        path.write_text("")
        publish(sample_objects(2, start=5))
        (again,) = feed.pages(collection, page.cursor)
        assert len(read_ids([again])) == 2
