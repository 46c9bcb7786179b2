"""What a target has ended by itself does not count as written."""

from datetime import timedelta

import pytest
from firewall import FirewallAdapter
from scenario_site import QuickRegistry, Site
from stix_samples import indicator

from connector.errors import UnavailableError
from connector.feeds.bundle import BundleFeed
from connector.reports.explain import explain_value

ONE = "192.0.2.1"


def test_written_ends_when_the_end_at_the_target_has_passed(site: Site) -> None:
    kind = type("Bounded", (FirewallAdapter,), {"rack": site.rack, "ttl_bound": timedelta(hours=6)})
    site.registry = QuickRegistry({"firewall": kind}, {"bundle": BundleFeed})
    site.configure()
    site.write("one.json", [indicator("a", ONE)])
    site.once()
    assert (site.output()["written"], site.output()["reasons"]["written"]) == (1, 1)
    site.rack["edge"].fault = UnavailableError("away")
    site.clock.advance(hours=7)
    with pytest.raises(UnavailableError):
        site.change()
    assert site.output()["written"] == 0
    reasons = site.output()["reasons"]
    assert (reasons.get("written", 0), reasons["pending"]) == (0, 1)
    told = explain_value(site.service.decider, ONE)["observables"][0]["outputs"][0]
    assert told["reason"] == "pending"
    assert told["detail"].startswith("its end at the target has passed, so the next cycle writes")
    site.rack["edge"].fault = None
    site.change()
    assert site.output()["written"] == 1
    assert site.output()["drift"] is None
    site.consistent()
