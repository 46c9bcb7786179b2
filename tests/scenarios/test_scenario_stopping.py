"""The end of the service waits for no pause: of a retry, of the HTTP client, for a slow target."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any, ClassVar

import pytest
from scenario_site import QuickRegistry, Site, until
from stix_samples import indicator
from structlog.testing import capture_logs

from connector.adapter import (
    Entry,
    EntryAdapter,
    Field,
    Held,
    HttpSettings,
    ObservableType,
    Outcomes,
    UnavailableError,
)
from connector.daemon.workers import Workers
from connector.feeds.bundle import BundleFeed
from connector.service.build import build
from connector.testing.http_target import Fault, HttpTarget

A_QUARTER_OF_AN_HOUR = timedelta(minutes=15)
LONG = 20.0  # seconds; every pause below is longer


class WaitingSettings(HttpSettings):
    """Which way this target keeps us waiting."""

    url: str = Field(description="Where it is.")
    way: str = Field(description="How it makes us wait.")


class WaitingAdapter(EntryAdapter[WaitingSettings]):
    """Has the core wait in each of the ways that there are."""

    settings_type = WaitingSettings
    supports = frozenset({ObservableType.IPV4_ADDR})
    reached: ClassVar[Event]
    calls: ClassVar[list[str]]

    def read(self) -> Iterator[Held]:
        return iter(())

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        self.calls.append("add")
        self.reached.set()
        if self.settings.way == "context":
            self.context.wait(lambda: False, A_QUARTER_OF_AN_HOUR, every=A_QUARTER_OF_AN_HOUR)
        if self.settings.way == "http":
            self.http.request("GET", self.settings.url)
        raise UnavailableError("busy", retry_after_seconds=29)

    def remove(self, held: Sequence[Held]) -> Outcomes:
        raise NotImplementedError


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    opened = Site(tmp_path)
    yield opened
    opened.close()


@pytest.mark.parametrize("way", ["retry", "context", "http"])
def test_the_end_waits_for_no_pause(site: Site, way: str) -> None:
    class Adapter(WaitingAdapter):
        reached = Event()
        calls: ClassVar[list[str]] = []

    site.registry = QuickRegistry({"waiting": Adapter}, {"bundle": BundleFeed})
    failed: list[BaseException] = []
    with HttpTarget() as target, capture_logs() as logged:
        target.fail(Fault.BUSY, seconds=29)
        options: dict[str, Any] = {"url": target.url, "way": way}
        edge = {"list": "perimeter", "adapter": "waiting", "options": options}
        site.configure(lists={"perimeter": {}}, outputs={"edge": edge})
        site.write("one.json", [indicator("a", "192.0.2.1")])
        workers = Workers(build(site.load(), site.registry, site.service.store), failed.append)
        workers.start()
        assert Adapter.reached.wait(60)
        ending = Thread(target=workers.stop)
        ending.start()
        ending.join(LONG)
        assert not ending.is_alive()
    assert not failed
    assert Adapter.calls == ["add"]
    assert "worker.stopped" in [line["event"] for line in logged]


@pytest.mark.parametrize("way", ["retry", "context", "http"])
def test_an_output_that_pauses_delays_no_other_though_one_works_at_once(
    site: Site, way: str
) -> None:
    class Adapter(WaitingAdapter):
        reached = Event()
        calls: ClassVar[list[str]] = []

    site.registry = QuickRegistry(
        {"waiting": Adapter, "firewall": site.rack.adapter}, {"bundle": BundleFeed}
    )
    failed: list[BaseException] = []
    with HttpTarget() as target:
        target.fail(Fault.BUSY, seconds=29)
        options: dict[str, Any] = {"url": target.url, "way": way}
        site.configure(
            lists={"perimeter": {}},
            outputs={
                "edge": {"list": "perimeter", "adapter": "waiting", "options": options},
                "core": {
                    "list": "perimeter", "adapter": "firewall", "options": {"device": "core"}
                },
            },
            service={"outputs_at_once": 1},
        )  # fmt: skip
        site.write("one.json", [indicator("a", "192.0.2.1")])
        workers = Workers(build(site.load(), site.registry, site.service.store), failed.append)
        workers.start()
        assert Adapter.reached.wait(60)
        until(lambda: site.at("core") == ["192.0.2.1"])
        assert workers.crew.threads  # the other still waits
        workers.stop()
    assert not failed
