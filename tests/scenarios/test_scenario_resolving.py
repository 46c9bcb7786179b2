"""A marking added long before the window of its server is asked for by id (feed.md 2.1)."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from test_scenario_acs import GREEN, acs, indicator

from connector.config.loading import load
from connector.errors import UnavailableError
from connector.registry import Registry
from connector.service.build import build
from connector.service.service import Service
from connector.service.state import open_store
from connector.testing.taxii.server import TaxiiServer

CONFIG = """
version: 1
feeds: {{ais: {{type: taxii, url: "{url}", unmarked_tlp: green}}}}
allowlist: {{builtin: {{except: [documentation]}}}}
lists: {{own: {{}}}}
outputs: {{own: {{list: own, adapter: edl, options: {{file: own.txt}}}}}}
"""


def service_of(folder: Path, url: str) -> Service:
    """Return the service that reads this server."""
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(url=url))
    loaded = load(config, Registry.installed())
    return build(loaded, Registry.installed(), open_store(loaded))


def cycle(service: Service) -> list[str]:
    """Poll, decide and write; return what the list holds."""
    service.feeds.poll("ais")
    service.lists.refresh("own")
    service.outputs.sync("own")
    return (service.loaded.config.publish_folder / "own.txt").read_text().split()


def test_a_marking_older_than_the_window_is_asked_for_by_its_id(tmp_path: Path) -> None:
    marking, long_ago = acs(1), datetime.now(UTC) - timedelta(days=90)
    with TaxiiServer(history=timedelta(hours=48)) as server:
        server.add_objects([marking], date_added=long_ago)
        server.add_objects([indicator(1, marking["id"], GREEN)])
        service = service_of(tmp_path, server.url)
        assert cycle(service) == ["192.0.2.1"]
        asked = [request.path for request in server.requests if marking["id"] in request.path]
        assert len(asked) == 1
        cycle(service)
        asked = [request.path for request in server.requests if marking["id"] in request.path]
        assert len(asked) == 1, "it is kept for ever"
        service.close()
        service.store.close()


def test_a_marking_that_nobody_has_restricts_and_is_asked_for_again(tmp_path: Path) -> None:
    marking = acs(1)
    with TaxiiServer() as server:
        server.add_objects([indicator(1, marking["id"], GREEN)])
        service = service_of(tmp_path, server.url)
        assert cycle(service) == []
        server.add_objects([json.dumps(marking).encode()])
        assert cycle(service) == ["192.0.2.1"]
        service.close()
        service.store.close()


def test_a_server_that_fails_to_find_fails_no_poll(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TaxiiServer() as server:
        server.add_objects([indicator(1, acs(1)["id"], GREEN), indicator(2, GREEN)])
        service = service_of(tmp_path, server.url)

        def down(_ref: str) -> bytes | None:
            raise UnavailableError("the server is down")

        monkeypatch.setattr(service.feeds["ais"].feed, "find", down)
        assert cycle(service) == ["192.0.2.2"]
        service.close()
        service.store.close()
