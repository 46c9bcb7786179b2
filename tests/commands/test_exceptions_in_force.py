"""An exception made by command reaches a service that is already running."""

import json
from pathlib import Path

import pytest
from test_impact import CONFIG, indicator

from connector.config.loading import load
from connector.registry import Registry
from connector.service.build import build
from connector.service.once import run_once
from connector.service.service import Service
from connector.service.state import open_store
from connector.store.store import Store


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """A running service whose list holds four addresses."""
    (tmp_path / "bundles").mkdir()
    objects = [indicator(number, 80) for number in range(1, 5)]
    bundle = {"type": "bundle", "id": "bundle--1", "objects": objects}
    (tmp_path / "bundles" / "a.json").write_text(json.dumps(bundle))
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.format(confidence=20))
    loaded = load(config, Registry.installed())
    service = build(loaded, Registry.installed(), open_store(loaded))
    run_once(service, lambda _what, _done, _all: None)
    return service


def listed(service: Service) -> list[str]:
    """Run the next cycle and return what the list file holds."""
    service.lists.take_up_exceptions()
    service.lists.refresh("perimeter")
    service.outputs.sync("edge")
    folder = service.loaded.config.publish_folder
    return (folder / "list.txt").read_text().split()


def test_an_exception_takes_its_entries_off_and_gives_them_back(service: Service) -> None:
    beside = Store(service.store.database.shown)
    now = service.now()
    beside.exceptions.add("192.0.2.2", why="ours", ticket="", owner="op", until=None, now=now)
    assert listed(service) == ["192.0.2.1", "192.0.2.3", "192.0.2.4"]
    beside.exceptions.remove("192.0.2.2", by="op", now=now + 1)
    assert listed(service) == ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]
    beside.close()


def test_without_a_change_nothing_is_decided_again(service: Service) -> None:
    service.lists.take_up_exceptions()
    assert service.lists.is_decided("perimeter")
