"""A CDB list of Wazuh, from a feed to what rules see: listed, altered by hand, and no longer."""

import pytest
from connector_wazuh import WazuhAdapter
from connector_wazuh.emulator import WazuhEmulator
from scenario_site import BLOCK_ALL, QuickRegistry, Site
from stix_samples import indicator, revoked

from connector.feeds.bundle import BundleFeed

FEW = [indicator(value, value) for value in ("203.0.113.7", "198.51.100.0/24")]


def test_rules_see_what_a_feed_names_until_the_feed_takes_it_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.registry = QuickRegistry({"wazuh": WazuhAdapter}, {"bundle": BundleFeed})
    with WazuhEmulator("connector", "s3cret") as manager:
        options = {"url": manager.url, "user": "connector", "password": {"env": "WAZUH"}}
        output = {
            "list": "perimeter", "adapter": "wazuh", "types": ["ipv4-addr"],
            "options": {**options, "cdb_list": "perimeter"},
        }  # fmt: skip
        monkeypatch.setenv("WAZUH", "s3cret")
        site.configure(lists={"perimeter": BLOCK_ALL}, outputs={"edge": output})
        site.open()
        site.write("one.json", FEW)
        site.service.feeds.poll("files")
        site.service.lists.refresh("perimeter")
        assert len(site.service.outputs.propose("edge").plan.add) == 2
        assert manager.looked_up == {}
        site.once()
        assert manager.looked_up["perimeter"].keys() == {
            "203.0.113.7", "198.51.100.0/24", "connector.invalid",
        }  # fmt: skip
        assert (site.output()["reasons"]["written"], site.output()["state"]) == (2, "ok")
        manager.files["perimeter"] = "10.0.0.1:by hand\n"
        site.once()
        assert "203.0.113.7" in manager.looked_up["perimeter"]
        site.write("two.json", [revoked(FEW[0])])
        site.change()
        assert manager.looked_up["perimeter"].keys() == {"198.51.100.0/24", "connector.invalid"}
