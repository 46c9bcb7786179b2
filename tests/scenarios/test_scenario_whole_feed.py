"""A whole feed, dirt and all: every claim ends in exactly one bucket per list and output (P3)."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from scenario_site import Site
from stix_samples import START

from connector.model import Reason
from connector.testing.samples.ais_like import whole_feed
from connector.testing.taxii.server import TaxiiServer

SIZE = 2000
LISTS: dict[str, Any] = {
    "block": {},
    "watch": {"purpose": "watch"},
    "shared": {"audience": "community"},
    "names": {"select": {"types": ["domain-name"], "min_confidence": 60, "max_tlp": "green"}},
    "family": {"select": {"context": {"malware": ["Family 7"]}}},
}


def configure(site: Site, feed: dict[str, Any]) -> None:
    """Every list at a firewall; one that holds little, one that takes names only, and a file."""
    allowed = [{"value": "203.0.113.0/28", "why": "ours"}]

    def firewall(listed: str, device: str, **more: Any) -> dict[str, Any]:
        return {"list": listed, "adapter": "firewall", "options": {"device": device}, **more}

    site.configure(
        feeds={"ais": {**feed, "page_size": 500, "max_age": "90d"}},
        lists=LISTS,
        outputs={
            **{name: firewall(name, name) for name in LISTS},
            "small": firewall("block", "small", limits={"max_entries": 100, "max_evict_ratio": 1}),
            "resolver": firewall("watch", "resolver", types=["domain-name"]),
            "file": {"list": "block", "adapter": "edl", "options": {"file": "all.txt"}},
        },
        allowlist={
            "builtin": {"except": ["documentation", "special_purpose", "public_suffixes"]},
            "exceptions": allowed,
        },
    )
    site.edit(lambda config: [_unlimited(output) for output in config["outputs"].values()])


def _unlimited(output: dict[str, Any]) -> None:
    output["limits"] = {**output.get("limits", {}), "small": 1_000_000}


def assert_sums(site: Site) -> set[str]:
    """Fail where the buckets of a list or output do not add up to all claims; return them."""
    status = site.status()
    parts = [*status["lists"], *status["outputs"]]
    for part in parts:
        assert min(part["reasons"].values()) > 0
        assert sum(part["reasons"].values()) == status["claims"], part["name"]
    return {reason for part in parts for reason in part["reasons"]}


def portions(objects: Sequence[bytes]) -> list[Sequence[bytes]]:
    size = len(objects) // 4 + 1
    return [objects[at : at + size] for at in range(0, len(objects), size)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_claim_of_a_whole_feed_is_in_exactly_one_bucket_of_each_list_and_output(
    site: Site, taxii: TaxiiServer, taxii_feed: Callable[..., dict[str, Any]], seed: int
) -> None:
    configure(site, taxii_feed())
    objects = list(whole_feed(SIZE, seed, start=START - timedelta(days=10)))
    seen: set[str] = set()
    for portion in portions(objects):
        taxii.add_objects(portion)
        site.change()
        seen |= assert_sums(site)
        site.consistent()
        site.clock.advance(hours=1)
    assert site.status()["claims"] > SIZE
    assert site.feed("ais")["objects"] == site.status()["feeds"][0]["objects"] > SIZE
    never_here = {Reason.WITHDRAWN, Reason.NOT_YET_VALID, Reason.EXPIRED, Reason.PENDING}
    never_here |= {Reason.HELD, Reason.REJECTED}
    assert seen == {reason.value for reason in set(Reason) - never_here}
    taxii.add_objects(reversed(objects))
    before = {name: site.at(name) for name in LISTS}
    site.once()
    assert {name: site.at(name) for name in LISTS} == before, "a repetition changes nothing"
    site.clock.advance(days=80)
    site.once()
    assert assert_sums(site) >= {"expired", "revoked"}
    site.consistent()
