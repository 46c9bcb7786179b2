"""Outputs at one device work one after the other, and share a session."""

from threading import Event, Thread

import pytest
from firewall import FirewallAdapter
from scenario_site import BLOCK_ALL, QuickRegistry, Site
from stix_samples import indicator

from connector.errors import StoppedError
from connector.feeds.bundle import BundleFeed
from connector.sync.calls import Calls
from connector.sync.device import Device, alone_at

DEADLINE = 20
CALLS = Calls().of("edge")


def never() -> bool:
    return False


@pytest.fixture
def two(site: Site) -> Site:
    """Two outputs at one manager, and one at another."""
    kind = type(
        "Managed",
        (FirewallAdapter,),
        {"rack": site.rack, "shares": lambda self: self.settings.device.partition("-")[0]},
    )
    site.registry = QuickRegistry({"firewall": kind}, {"bundle": BundleFeed})
    devices = {"one": "manager-1", "two": "manager-2", "three": "other-1"}
    site.configure(
        lists={"perimeter": BLOCK_ALL},
        outputs={
            name: {"list": "perimeter", "adapter": "firewall", "options": {"device": device}}
            for name, device in devices.items()
        },
    )
    site.write("one.json", [indicator("a", "192.0.2.1")])
    return site


def test_outputs_at_one_device_have_one_session_and_others_have_their_own(two: Site) -> None:
    outputs = two.service.outputs
    one, other, apart = (outputs[name].adapter.context for name in ("one", "two", "three"))
    one.session["cookie"] = "abc"
    assert other.session == {"cookie": "abc"}
    assert apart.session == {}


def test_while_one_output_writes_to_a_device_no_other_does(two: Site) -> None:
    two.once()
    two.write("two.json", [indicator("b", "192.0.2.2")])
    service, first = two.service, two.rack["manager-1"]
    service.feeds.poll("files")
    service.lists.refresh("perimeter")
    first.gate = Event()
    threads = [Thread(target=service.outputs.sync, args=("one",))]
    threads[0].start()
    assert first.waiting.wait(DEADLINE)
    threads.append(Thread(target=service.outputs.sync, args=("two",)))
    threads[1].start()
    service.outputs.sync("three")  # at another device: at once
    assert two.rack["other-1"].values() == ["192.0.2.1", "192.0.2.2"]
    assert two.rack["manager-2"].values() == ["192.0.2.1"]
    first.gate.set()
    for thread in threads:
        thread.join(DEADLINE)
    assert two.rack["manager-2"].values() == ["192.0.2.1", "192.0.2.2"]


def test_the_end_of_the_service_ends_the_wait_for_a_device() -> None:
    device = Device()
    with alone_at(device, never, CALLS):
        asked = iter((False, True))
        with pytest.raises(StoppedError), alone_at(device, lambda: next(asked), CALLS):
            pytest.fail("two at one device")
    with alone_at(device, never, CALLS):
        pass  # it was let go


def test_a_device_is_let_go_after_a_failure() -> None:
    device = Device()
    with pytest.raises(ValueError, match="odd"), alone_at(device, never, CALLS):
        raise ValueError("odd")
    assert not device.lock.locked()
