"""Against medallion, the OASIS TAXII server: stateful tokens, versions, revocation, basic auth."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.errors import RefusedError
from connector.feed import Page
from connector.feeds.taxii.feed import TaxiiFeed, TaxiiSettings
from connector.http.client import Http
from connector.settings import Auth, SecretValue
from connector.testing.feed_suite import read_ids, sample_objects

pytestmark = [
    pytest.mark.real_server,
    pytest.mark.skipif(
        importlib.util.find_spec("medallion") is None,
        reason="install medallion==3.0.0 (pip install 'threat-feed-connector[test]')",
    ),
]
COLLECTION = "11111111-1111-4111-8111-111111111111"
MEDIA_TYPE = "application/stix+json;version=2.1"


def _data(objects: list[dict[str, Any]], stamps: list[str]) -> dict[str, Any]:
    manifest = [
        {"id": o["id"], "date_added": s, "version": o["modified"], "media_type": MEDIA_TYPE}
        for o, s in zip(objects, stamps, strict=True)
    ]
    collection = {
        "id": COLLECTION,
        "title": "Public",
        "can_read": True,
        "can_write": True,
        "media_types": [MEDIA_TYPE],
        "objects": objects,
        "manifest": manifest,
    }
    information = {
        "title": "public",
        "versions": ["application/taxii+json;version=2.1"],
        "max_content_length": 104857600,
    }
    return {
        "/discovery": {"title": "medallion", "api_roots": ["/public/"]},
        "public": {"information": information, "status": [], "collections": [collection]},
    }


class Medallion:
    """A medallion process over these objects."""

    def __init__(self, folder: Path, objects: list[dict[str, Any]], stamps: list[str]) -> None:
        (folder / "data.json").write_text(json.dumps(_data(objects, stamps)))
        backend = {
            "module": "medallion.backends.memory_backend",
            "module_class": "MemoryBackend",
            "filename": str(folder / "data.json"),
        }
        configuration = {
            "backend": backend, "users": {"soc": "pass"}, "taxii": {"max_page_size": 100},
        }  # fmt: skip
        (folder / "config.json").write_text(json.dumps(configuration))
        runner = Path(__file__).with_name("medallion_runner.py")
        # Its session checker is a thread that never ends, so the process is ended from outside.
        self._process = subprocess.Popen(
            [sys.executable, str(runner), str(folder / "config.json")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
        assert self._process.stdout is not None
        self.origin = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def objects() -> list[dict[str, Any]]:
    return [dict(item) for item in sample_objects(250)]


@pytest.fixture
def medallion(tmp_path: Path, objects: list[dict[str, Any]]) -> Iterator[Medallion]:
    stamps = [f"2026-01-01T00:{n // 60:02}:{n % 60:02}.000000Z" for n in range(200)]
    stamps += ["2026-01-01T01:00:00.000000Z"] * 50
    server = Medallion(tmp_path, objects, stamps)
    yield server
    server.stop()


def _feed(medallion: Medallion, **options: Any) -> TaxiiFeed:
    auth = Auth(username="soc", password=SecretValue("pass"))
    settings = TaxiiSettings(
        **{
            "url": f"{medallion.origin}/taxii2/",
            "auth": auth,
            "read_timeout": timedelta(seconds=60),
            **options,
        }
    )
    return TaxiiFeed(settings, Http(settings))


def _read(feed: TaxiiFeed, cursor: str | None = None) -> list[Page]:
    (collection,) = feed.collections()
    pages = list(feed.pages(collection, cursor))
    feed.close()
    return pages


def test_reads_all_pages_of_a_server_with_stateful_tokens(
    medallion: Medallion, objects: list[dict[str, Any]]
) -> None:
    pages = _read(_feed(medallion, collections=["Public"]))
    assert [len(page.objects) for page in pages] == [100, 100, 50]
    assert read_ids(pages) == {o["id"] for o in objects}
    assert _read(_feed(medallion), pages[-1].cursor)[-1].objects == []


def test_continues_from_the_page_it_kept(
    medallion: Medallion, objects: list[dict[str, Any]]
) -> None:
    first = _read(_feed(medallion))[0]
    rest = _read(_feed(medallion), first.cursor)
    assert read_ids([first, *rest]) == {o["id"] for o in objects}


def test_reads_a_revocation_that_was_pushed_later(
    medallion: Medallion, objects: list[dict[str, Any]]
) -> None:
    feed = _feed(medallion)
    (collection,) = feed.collections()
    cursor = list(feed.pages(collection, None))[-1].cursor
    revoked = {**objects[0], "modified": "2026-02-01T00:00:00.000Z", "revoked": True}
    kind = "application/taxii+json;version=2.1"
    feed.http.request(
        "POST",
        f"{collection.key}objects/",
        headers={"Accept": kind, "Content-Type": kind},
        body=json.dumps({"objects": [revoked]}).encode(),
    )
    (page,) = feed.pages(collection, cursor)
    assert [json.loads(raw) for raw in page.objects] == [revoked]
    feed.close()


def test_wrong_credentials_are_refused(medallion: Medallion) -> None:
    feed = _feed(medallion, auth=Auth(username="soc"))
    with pytest.raises(RefusedError, match="check auth"):
        feed.collections()
    feed.close()


def test_its_manifest_lists_what_it_holds(
    medallion: Medallion, objects: list[dict[str, Any]]
) -> None:
    feed = _feed(medallion, page_size=100)
    (collection,) = feed.collections()
    listed = {given for ids in feed.holdings(collection) for given in ids}
    feed.close()
    assert listed == {o["id"] for o in objects}
