"""A vendor that allows 8 calls in 5 seconds, and is read by POST: all is written, in good time."""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, MutableMapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from scenario_site import Site
from stix_samples import indicator

from connector.adapter import (
    ALL_WRITTEN,
    Adapter,
    Entry,
    EntryAdapter,
    Field,
    Held,
    HttpSettings,
    Observable,
    ObservableType,
    Outcomes,
    Settings,
    UnavailableError,
)
from connector.feeds.bundle import BundleFeed
from connector.http.pace import Paces
from connector.instants import SECOND
from connector.registry import Registry
from connector.testing.http_target import Call, Fault, HttpTarget, Reply, route

ALLOWED = (8, 5.0)
NEW = 2900
AT_ONCE = 45  # names that one `show` takes: 65 calls for 2,900


class Hours:
    """The time of service and vendor, which passes by pauses alone."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds

    def instant(self) -> int:
        return round(self.seconds * SECOND)

    def pause(self, seconds: float) -> None:
        self.seconds += seconds


def names_of(call: Call) -> list[str]:
    return call.body.decode().split(",")


class Vendor(HttpTarget):
    """A management API where everything is a POST."""

    rate = ALLOWED

    def __init__(self, hours: Hours) -> None:
        super().__init__(clock=hours.instant)
        self.tables: defaultdict[str, set[str]] = defaultdict(set)

    @route("POST", "/{table}/show")
    def show(self, call: Call, table: str) -> Reply:
        return Reply.of({"found": [name for name in names_of(call) if name in self.tables[table]]})

    @route("POST", "/{table}/add")
    def add(self, call: Call, table: str) -> Reply:
        self.tables[table].update(names_of(call))
        return Reply.of({"ok": True})


def parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[at : at + AT_ONCE] for at in range(0, len(names), AT_ONCE))


class VendorSettings(HttpSettings):
    """Where the vendor is."""

    url: str = Field(description="Address of the API.")
    table: str = Field(description="Name of the table.")


class VendorAdapter(EntryAdapter[VendorSettings]):
    """Adds addresses by POST, after asking by POST which are there."""

    settings_type = VendorSettings
    supports = frozenset({ObservableType.IPV4_ADDR})

    def read(self) -> Iterator[Held]:
        return iter(())

    def holds(self, observables: Collection[Observable]) -> Iterator[Held]:
        for part in parts(sorted(one.value for one in observables)):
            for name in self._post("show", part, repeatable=True)["found"]:
                yield Held(Observable(ObservableType.IPV4_ADDR, name))

    def add(self, entries: Sequence[Entry]) -> Outcomes:
        self._post("add", [entry.value for entry in entries])
        return ALL_WRITTEN

    def remove(self, held: Sequence[Held]) -> Outcomes:
        raise NotImplementedError

    def _post(self, path: str, names: Sequence[str], *, repeatable: bool = False) -> Any:
        body = ",".join(names).encode()
        url = f"{self.settings.url}/{self.settings.table}/{path}"
        return self.http.request("POST", url, body=body, repeatable=repeatable).json()


class PolitelyAdapter(VendorAdapter):
    """Knows what the vendor allows."""

    rate: ClassVar[str | None] = "8/5s"


class PausingRegistry(Registry):
    """Adapters whose pauses move the clock of service and vendor."""

    def __init__(self, hours: Hours) -> None:
        adapters: dict[str, type[Adapter[Any]]] = {
            "hasty": VendorAdapter,
            "polite": PolitelyAdapter,
        }
        super().__init__(adapters, {"bundle": BundleFeed}, Paces(hours))
        self._hours = hours

    def make_adapter(
        self, name: str, settings: Settings, output_name: str, publish_folder: Path,
        types: frozenset[ObservableType] = frozenset(ObservableType),
        pause: Callable[[float], None] = time.sleep,
        state: MutableMapping[str, str] | None = None, mapped: Sequence[str] = (),
    ) -> Adapter[Any]:  # fmt: skip
        del pause
        return super().make_adapter(
            name, settings, output_name, publish_folder, types, self._hours.pause, state, mapped
        )


@pytest.fixture
def hours() -> Hours:
    return Hours()


@pytest.fixture
def vendor(hours: Hours) -> Iterator[Vendor]:
    with Vendor(hours) as target:
        yield target


@pytest.fixture
def site(tmp_path: Path, hours: Hours) -> Iterator[Site]:
    opened = Site(tmp_path)
    opened.registry = PausingRegistry(hours)
    yield opened
    opened.close()


def configure(site: Site, vendor: Vendor, *outputs: str, **options: Any) -> None:
    made = {
        f"{adapter}-{number}": {
            "list": "perimeter", "adapter": adapter,
            "options": {"url": vendor.url, "table": str(number), **options},
        }
        for number, adapter in enumerate(outputs)
    }  # fmt: skip
    site.configure(lists={"perimeter": {}}, outputs=made)
    site.write("none.json", [])
    site.once()
    values = [f"198.51.{number // 250}.{number % 250}" for number in range(NEW)]
    site.write("all.json", [indicator(n, value) for n, value in enumerate(values)])


@pytest.mark.parametrize(
    ("adapter", "options"), [("hasty", {}), ("hasty", {"rate": "8/5s"}), ("polite", {})]
)
def test_everything_new_is_written_although_the_vendor_allows_few_calls(
    site: Site, vendor: Vendor, hours: Hours, adapter: str, options: dict[str, Any]
) -> None:
    configure(site, vendor, adapter, **options)
    start = hours()
    site.change()
    assert len(vendor.tables["0"]) == NEW
    assert site.output(f"{adapter}-0")["reasons"] == {"written": NEW}
    calls = -(-NEW // AT_ONCE) + -(-NEW // 500)
    refused = len(vendor.calls) - calls
    assert refused <= (0 if options or adapter == "polite" else calls // 8 + 1)
    assert hours() - start < 1.5 * 5 * calls / 8, "it went on where it was"


def test_a_read_goes_on_where_it_was_after_a_failure(
    site: Site, vendor: Vendor, hours: Hours
) -> None:
    configure(site, vendor, "polite")
    vendor.fail(Fault.AWAY, "/show", after=60, times=2)
    site.change()
    assert len(vendor.tables["0"]) == NEW
    assert len(vendor.called("/show")) == 65 + 2


def test_two_outputs_at_one_host_share_its_rate(site: Site, vendor: Vendor, hours: Hours) -> None:
    configure(site, vendor, "polite", "polite")
    vendor.calls.clear()
    site.change()
    assert {part["reasons"]["written"] for part in site.status()["outputs"]} == {NEW}
    assert len(vendor.calls) == 2 * (65 + 6), "none was refused"


def test_a_429_that_asks_for_long_is_obeyed_by_every_output_at_that_host(
    site: Site, vendor: Vendor, hours: Hours
) -> None:
    configure(site, vendor, "polite", "polite")
    vendor.fail(Fault.BUSY_UNTIL, "/show", seconds=600)
    vendor.calls.clear()
    for feed in site.service.feeds:
        site.service.feeds.poll(feed)
    site.service.lists.refresh("perimeter")
    for name in site.service.outputs:
        with pytest.raises(UnavailableError) as raised:
            site.service.outputs.sync(name)
        assert raised.value.retry_after_seconds == pytest.approx(600, abs=5)
    assert len(vendor.calls) == 1
    hours.pause(600)
    site.change()
    assert len(vendor.tables["0"]) == NEW
