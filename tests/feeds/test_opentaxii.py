"""Against OpenTAXII 0.10, which cannot share our environment: it wants SQLAlchemy 1.4."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from taxii2client.v21 import ApiRoot

from connector.feed import Page
from connector.feeds.taxii.connection import Connection
from connector.feeds.taxii.feed import TaxiiFeed, TaxiiSettings
from connector.http.client import Http
from connector.settings import Auth, SecretValue
from connector.testing.feed_suite import read_ids, sample_objects

PYTHON = os.environ.get("CONNECTOR_OPENTAXII")
pytestmark = [
    pytest.mark.real_server,
    pytest.mark.skipif(
        not PYTHON,
        reason="install opentaxii==0.10.0b1 into an environment of its own (python -m venv DIR; "
        "DIR/bin/pip install opentaxii==0.10.0b1) and set CONNECTOR_OPENTAXII=DIR/bin/python",
    ),
]
AUTH = Auth(username="soc", password=SecretValue("pass"))


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[str]:
    """A server of our own, ended by its process."""
    runner = Path(__file__).with_name("opentaxii_runner.py")
    with subprocess.Popen(
        [str(PYTHON), str(runner), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={"PATH": os.environ["PATH"], "PYTHONWARNINGS": "ignore"},
    ) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.kill()


def settings(origin: str, **options: Any) -> TaxiiSettings:
    return TaxiiSettings(
        **{
            "url": f"{origin}/taxii2/",
            "auth": AUTH,
            "profile": "opentaxii",
            "read_timeout": timedelta(seconds=60),
            **options,
        }
    )


def push(origin: str, objects: list[dict[str, Any]]) -> None:
    with closing(Http(settings(origin))) as http:
        root = f"{origin}/taxii2/11111111-1111-4111-8111-111111111111/"
        status = (
            ApiRoot(root, conn=Connection(http)).collections[0].add_objects({"objects": objects})
        )
        assert status.failure_count == 0


def read(origin: str, cursor: str | None = None, **options: Any) -> list[Page]:
    chosen = settings(origin, **options)
    feed = TaxiiFeed(chosen, Http(chosen))
    with closing(feed):
        (collection,) = feed.collections()
        return list(feed.pages(collection, cursor))


def test_reads_all_pages_and_then_what_is_new(origin: str) -> None:
    objects = [dict(item) for item in sample_objects(250)]
    push(origin, objects)
    pages = read(origin, page_size=100)
    assert [len(page.objects) for page in pages] == [100, 100, 50]
    assert read_ids(pages) == {item["id"] for item in objects}
    revoked = {**objects[0], "modified": "2026-02-01T00:00:00.000Z", "revoked": True}
    push(origin, [revoked])
    later = read(origin, pages[-1].cursor)
    assert any(b'"revoked"' in raw for page in later for raw in page.objects)


@pytest.mark.parametrize("version", ["auto", "2.1"])
def test_finds_its_relative_roots(origin: str, version: str) -> None:
    chosen = settings(origin, profile=None, version=version)
    feed = TaxiiFeed(chosen, Http(chosen))
    with closing(feed):
        assert [collection.title for collection in feed.collections()] == ["Public"]


def test_its_manifest_lists_what_it_holds(origin: str) -> None:
    objects = [dict(item) for item in sample_objects(250)]
    push(origin, objects)
    chosen = settings(origin, page_size=100)
    feed = TaxiiFeed(chosen, Http(chosen))
    with closing(feed):
        (collection,) = feed.collections()
        listed = {given for ids in feed.holdings(collection) for given in ids}
    assert listed == {item["id"] for item in objects}
