"""The addresses of our own hosts are no entries: a block of one would cut us off."""

from pathlib import Path

from scenario_site import FREED, Site
from stix_samples import indicator

from connector.reports.explain import explain_value
from connector.reports.look import look_of
from connector.reports.status import status
from connector.service.build import Runtime, build
from connector.service.own_hosts import OwnHosts
from connector.service.service import Service
from connector.service.state import open_store


def reasons(service: Service) -> dict[str, int]:
    (listed,) = status(look_of(service))["lists"]
    return {reason: count for reason, count in listed["reasons"].items() if count}


def test_addresses_behind_feeds_leave_the_list_when_they_come_to_light(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.configure(
        allowlist=FREED,
        server={"clients": [{"name": "fw-01", "address": "203.0.113.9"}]},
        feeds={
            "files": {"type": "bundle", "path": "bundles/", "unmarked_tlp": "clear"},
            "isac": {"type": "taxii", "url": "https://taxii.example/taxii2/"},
        },
    )
    values = ("203.0.113.7", "203.0.113.8", "203.0.113.9", "203.0.113.53")
    site.write("a.json", [indicator(value, value) for value in values])
    answers = {"taxii.example": frozenset({"203.0.113.7"})}
    hosts = OwnHosts(
        resolve=lambda name: answers[name], machine=lambda: frozenset({"203.0.113.53"})
    )
    store = open_store(site.load())
    service = build(site.load(), site.registry, store, Runtime(site.clock, hosts=hosts))
    try:
        service.feeds.poll("files")
        service.lists.take_up_hosts()
        service.lists.refresh("perimeter", everything=True)
        assert reasons(service) == {"wanted": 1, "allowlisted": 3}
        answers["taxii.example"] = frozenset({"203.0.113.8"})
        site.clock.advance(minutes=6)
        service.lists.take_up_hosts()
        assert not service.lists.is_decided("perimeter")
        service.lists.refresh("perimeter")
        assert reasons(service) == {"allowlisted": 4}
        kept = explain_value(service.decider, "203.0.113.8")["protected"]
        assert [found["group"] for found in kept] == ["own_hosts"]
    finally:
        service.close()
        store.close()
