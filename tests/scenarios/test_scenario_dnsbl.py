"""A DNS blocklist, from a feed to the answer that a mail gateway gets: listed, and no longer."""

import pytest
from connector_dnsbl import DnsblAdapter
from edl_programs import free_port
from rbldnsd_host import rbldnsd
from scenario_site import BLOCK_ALL, QuickRegistry, Site
from stix_samples import indicator, revoked

from connector.feeds.bundle import BundleFeed

LISTED = ("bad.example", "203.0.113.0/24", "2001:db8::7")
FEW = [indicator(value, value) for value in LISTED]
NAMES = ["bad.example.dom.bl.example", "7.113.0.203.ip.bl.example"]


@pytest.mark.real_server
def test_gateways_are_told_what_a_feed_names_until_the_feed_takes_it_back(site: Site) -> None:
    site.registry = QuickRegistry({"dnsbl": DnsblAdapter}, {"bundle": BundleFeed})
    with rbldnsd("127.0.0.1", free_port()) as host:
        options = {key: str(value) for key, value in host.options.items()} | {"ttl": 1}
        served = options.pop("server")
        output = {"list": "perimeter", "adapter": "dnsbl", "options": options}
        site.configure(lists={"perimeter": BLOCK_ALL}, outputs={"edge": output})
        site.once()
        host.start()
        options["server"] = served
        site.configure(lists={"perimeter": BLOCK_ALL}, outputs={"edge": output})
        site.open()
        assert [host.ask(name)[0] for name in NAMES] == ["NXDOMAIN"] * 2
        site.write("one.json", FEW)
        site.service.feeds.poll("files")
        site.service.lists.refresh("perimeter")
        assert len(site.service.outputs.propose("edge").plan.add) == 3
        site.once()
        host.until(NAMES[0], "NOERROR", ["127.0.1.2"])
        assert host.ask(NAMES[1]) == ("NOERROR", ["127.0.0.2"])
        assert (site.output()["reasons"]["written"], site.output()["state"]) == (3, "ok")
        assert site.idle()
        site.write("two.json", [revoked(FEW[0])])
        site.change()
        host.until(NAMES[0], "NXDOMAIN")
        assert host.ask(NAMES[1])[0] == "NOERROR"
